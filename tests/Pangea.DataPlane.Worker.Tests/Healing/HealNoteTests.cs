using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>What healing remembers can be written down; damaged notes are refused.</summary>
public sealed class HealNoteTests
{
    [Fact]
    public void A_note_comes_back_as_it_was()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.Choose(0, int.MaxValue)),
            seed =>
            {
                HealNote note = NoteOf(new Random(seed));
                return HealNote.TryDecode(note.Id, note.Encode(), out HealNote? read)
                    && read.Progress.Length == note.Progress.Length
                    && read.Progress.Zip(note.Progress).All(pair =>
                        pair.First.Position == pair.Second.Position
                        && pair.First.Device == pair.Second.Device
                        && pair.First.Stripes == pair.Second.Stripes
                        && pair.First.Extents.SequenceEqual(pair.Second.Extents))
                    && read with { Progress = note.Progress } == note;
            }));
    }

    [Fact]
    public void Cut_and_flipped_notes_are_refused_or_read_and_never_throw()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(
            Arb.From(Gen.Choose(0, int.MaxValue)),
            seed =>
            {
                var random = new Random(seed);
                byte[] bytes = NoteOf(random).Encode();
                if (random.Next(2) == 0)
                {
                    bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
                    _ = HealNote.TryDecode(ObjectId.New(), bytes, out _);
                    return true;
                }

                return !HealNote.TryDecode(
                    ObjectId.New(), bytes.AsSpan(0, random.Next(bytes.Length)), out _);
            }));
    }

    [Fact]
    public void A_scrub_state_and_a_device_work_come_back_as_they_were()
    {
        var state = new ScrubState
        {
            IsRunning = true, After = "größe/ä", Stripes = 7, Id = ObjectId.New(), Objects = 1,
            Bytes = 2, Errors = 3, Passes = 4, StartedMs = 5, FinishedMs = 6,
        };
        Assert.Equal(state, ScrubState.Decode(state.Encode()));
        Assert.Equal(new ScrubState(), ScrubState.Decode([9, 9]));

        var work = new DeviceWork
        {
            Index = 3, Kind = DeviceWorkKind.Fill, Device = DeviceId.New(),
            Before = [DeviceId.New(), DeviceId.New()], ObjectsDone = 4, BytesDone = 5,
        };
        DeviceWork read = DeviceWork.Decode(3, work.Encode())!;
        Assert.Equal(
            (work.Kind, work.Device, work.ObjectsDone, work.BytesDone),
            (read.Kind, read.Device, read.ObjectsDone, read.BytesDone));
        Assert.Equal<DeviceId>(work.Before, read.Before);
        Assert.Null(DeviceWork.Decode(3, work.Encode().AsSpan(1)));
    }

    private static HealNote NoteOf(Random random) => new()
    {
        Id = ObjectId.New(),
        SinceMs = random.NextInt64(),
        BadPositions = (ulong)random.NextInt64(),
        Failures = random.Next(20),
        NextMs = random.NextInt64(),
        Reason = new string('ß', random.Next(30)),
        ShardsAvailable = random.Next(13),
        Progress =
        [
            .. Enumerable.Range(0, random.Next(4)).Select(position => new HealProgress(
                position, DeviceId.New(), (uint)random.Next(),
                [
                    .. Enumerable.Range(0, random.Next(5)).Select(_ => new Extent(
                        (uint)random.Next(), (uint)random.Next(), (uint)random.Next(),
                        (uint)random.Next())),
                ])),
        ],
    };
}
