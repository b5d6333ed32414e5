using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>Garbage is given back, what is live stays readable, at every moment.</summary>
public sealed class CompactionTests
{
    private const int ShardBytes = 32768;

    [SkippableTheory]
    [MemberData(nameof(LogRig.Reactors), MemberType = typeof(LogRig))]
    public void Gives_garbage_back_and_keeps_what_is_live(ReactorChoice choice)
    {
        int seed = Random.Shared.Next();
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, async rig =>
        {
            var random = new Random(seed);
            await FillAsync(rig, model, objects: 150);
            model.RemoveSome(rig.Log, random, keepOneIn: 4);
            long before = rig.Log.Bytes;
            int compacted = await CompactAllAsync(rig, model, 0.3);

            Assert.True(compacted > 3, $"seed {seed}: {compacted} segments");
            Assert.True(rig.Log.Bytes < before * 0.7, $"seed {seed}: {rig.Log.Bytes} of {before}");
            await model.VerifyAsync(rig, seed);
        }, choice);

        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();
            model.CheckReplay(seen, seed);
            await model.VerifyAsync(rig, seed);
        }, choice);
    }

    [SkippableFact]
    public void Leaves_busy_objects_where_they_are()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, async rig =>
        {
            await FillAsync(rig, model, objects: 60);
            foreach (ObjectId id in model.Objects.Keys.ToArray())
            {
                model.Busy.Add(id);
            }

            uint? first = rig.Log.ChooseForCompaction(0);
            Assert.NotNull(first);
            Result<CompactionReport> report =
                await rig.Log.CompactAsync(first.Value, model, 0);
            Assert.False(report.Value.IsEmptied);
            Assert.Empty(rig.Log.TakeEmptied());
            model.Busy.Clear();
            await model.VerifyAsync(rig, 0);
        });
    }

    /// <summary>
    /// A put that fills the device and then fails: nothing is committed, so nothing is flushed, and
    /// nothing will be as long as its frames have all the room.
    /// </summary>
    [SkippableFact]
    public void Frames_of_a_put_that_was_given_up_go_without_a_commit()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, async rig =>
        {
            await FillAsync(rig, model, objects: 10);
            long before = rig.Log.Bytes;
            ObjectId id = ObjectId.New();
            var frames = new List<LogAddress>();
            while (rig.Log.Bytes < before * 3)
            {
                frames.Add((await rig.AppendShardAsync(id, ShardBytes, 7)).Value);
            }

            frames.ForEach(rig.Log.Release);
            await CompactAllAsync(rig, model, 0.5);
            Assert.True(rig.Log.Bytes < before * 2, $"{rig.Log.Bytes} of {before}");
            await model.VerifyAsync(rig, 0);
        });
    }

    [SkippableFact]
    public void An_object_removed_during_its_copy_stays_removed()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, async rig =>
        {
            await FillAsync(rig, model, objects: 60);
            model.ForgetsOnRelocation = rig.Log;
            uint first = rig.Log.ChooseForCompaction(0)!.Value;
            Assert.True((await rig.Log.CompactAsync(first, model, 0)).Value.IsEmptied);
            Assert.True(model.Objects.Count < 60);
            // What was copied in vain counts as garbage again.
            await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied());
            Assert.Equal(model.LiveBytes, rig.Log.LiveBytes);
        });
    }

    /// <summary>A heal that begins meanwhile will name the old frames in its commit.</summary>
    [SkippableFact]
    public void An_object_that_becomes_busy_during_its_copy_keeps_its_segment()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, async rig =>
        {
            await FillAsync(rig, model, objects: 60);
            uint shards = rig.Log.Segments.First(
                segment => segment.Kind == SegmentKind.Shards && segment.IsSealed).Sequence;
            model.BecomeBusy = true;
            Result<CompactionReport> report = await rig.Log.CompactAsync(shards, model, 0);
            Assert.False(report.Value.IsEmptied);
            Assert.Equal(0, model.Relocations);
            await model.VerifyAsync(rig, 0);
        });
    }

    /// <summary>A frame header rots; the entries behind it are read by their addresses.</summary>
    [SkippableFact]
    public void Entries_behind_a_rotten_frame_header_are_kept()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        LogRig.Run(directory.Path, rig => FillAsync(rig, model, objects: 30));
        uint first = model.Objects.Values.Min(each => each.Commit.Segment);
        ModelObject[] inFirst =
            [.. model.Objects.Values.Where(each => each.Commit.Segment == first)];
        LogAddress last = inFirst.MaxBy(each => each.Commit.Offset)!.Commit;
        string path = Path.Combine(directory.Path, "segments", $"{first:x8}.journal");
        using (FileStream file = File.OpenWrite(path))
        {
            foreach (LogAddress rotten in new[] { inFirst[3].Commit, inFirst[7].Commit, last })
            {
                file.Position = rotten.Offset & ~(LogFormat.BlockBytes - 1L);
                file.WriteByte(0);
            }
        }

        LogRig.Run(directory.Path, async rig =>
        {
            await rig.ReplayAsync();
            Result<CompactionReport> report = await rig.Log.CompactAsync(first, model, 0);
            Assert.True(report.IsOk && report.Value.IsEmptied, report.Fault?.ToString());
            await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied());
            await model.VerifyAsync(rig, 0);
        });
    }

    [SkippableFact]
    public void A_segment_that_cannot_be_read_is_never_removed()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var model = new ModelCatalog();
        bool broken = false;
        LogRig.Run(
            directory.Path,
            async rig =>
            {
                await FillAsync(rig, model, objects: 60);
                uint first = rig.Log.ChooseForCompaction(0)!.Value;
                broken = true;
                Result<CompactionReport> report = await rig.Log.CompactAsync(first, model, 0);
                broken = false;
                Assert.Equal(FaultCode.Io, report.Fault?.Code);
                Assert.Empty(rig.Log.TakeEmptied());
                Assert.NotEqual(first, rig.Log.ChooseForCompaction(0));
                await model.VerifyAsync(rig, 0);
            },
            plan: call => broken && call.Kind == ReactorCallKind.Read
                ? InjectedFault.Fail(Errno.EIO)
                : InjectedFault.None);
    }

    /// <summary>Every operation of a compaction fails once; nothing is lost by any.</summary>
    [SkippableFact]
    public void Survives_a_fault_at_any_operation()
    {
        bool failed = true;
        for (int n = 1; failed; n++)
        {
            using TestDirectory directory = LogRig.NewDirectory();
            var model = new ModelCatalog();
            long first = long.MaxValue;
            failed = false;
            LogRig.Run(
                directory.Path,
                async rig =>
                {
                    await FillAsync(rig, model, objects: 40);
                    model.RemoveSome(rig.Log, new Random(n), keepOneIn: 3);
                    uint chosen = rig.Log.ChooseForCompaction(0.2)!.Value;
                    first = 0;
                    await rig.Log.CompactAsync(chosen, model, 0);
                    await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied());
                    first = long.MaxValue;
                    await model.VerifyAsync(rig, n);
                },
                plan: call =>
                {
                    bool now = first != long.MaxValue && ++first == n;
                    failed |= now;
                    return now ? InjectedFault.Fail(Errno.EIO) : InjectedFault.None;
                });
            LogRig.Run(directory.Path, async rig =>
            {
                model.CheckReplay(await rig.ReplayAsync(), n);
                await model.VerifyAsync(rig, n);
            });
        }
    }

    private static async Task FillAsync(LogRig rig, ModelCatalog model, int objects)
    {
        await rig.ReplayAsync();
        for (int i = 0; i < objects; i++)
        {
            ObjectId id = ObjectId.New();
            if (i % 3 == 0)
            {
                byte[] inline = Enumerable.Repeat((byte)i, 4000).ToArray();
                LogAddress packed = (await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id), new byte[200], inline)).Value;
                model.Objects[id] = new ModelObject(packed, (byte)i, 0, []);
                continue;
            }

            var extents = new ExtentList();
            var frames = new List<LogAddress>();
            for (uint stripe = 0; stripe < 3; stripe++)
            {
                LogAddress at = (await rig.AppendShardAsync(id, ShardBytes, (byte)i)).Value;
                frames.Add(at);
                extents.Add(new Extent(stripe, 1, at.Segment, at.Offset), at.Bytes);
            }

            LogAddress commit = (await rig.Log.AppendCommitAsync(
                LogRig.Commit(id, extents.ToArray()), new byte[200], default)).Value;
            model.Objects[id] = new ModelObject(commit, (byte)i, 3, frames);
        }
    }

    private static async Task<int> CompactAllAsync(LogRig rig, ModelCatalog model, double share)
    {
        int count = 0;
        while (rig.Log.ChooseForCompaction(share) is { } chosen && count < 100)
        {
            Result<CompactionReport> report = await rig.Log.CompactAsync(chosen, model, 0);
            Assert.True(report.IsOk, report.Fault?.ToString());
            Assert.True((await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied())).IsOk);
            count++;
        }

        return count;
    }
}

/// <summary>An object that should be there.</summary>
internal sealed record ModelObject(
    LogAddress Commit, byte Fill, int Stripes, IReadOnlyList<LogAddress> Frames);

/// <summary>The catalog of a test: which objects live where.</summary>
internal sealed class ModelCatalog : ILogLiveness
{
    internal Dictionary<ObjectId, ModelObject> Objects { get; } = [];

    internal HashSet<ObjectId> Busy { get; } = [];

    /// <summary>Every object is busy from the second question on.</summary>
    internal bool BecomeBusy { get; set; }

    internal int Relocations { get; private set; }

    internal DeviceLog? ForgetsOnRelocation { get; set; }

    internal long LiveBytes => Objects.Values.Sum(o => o.Commit.Bytes + (o.Stripes * 36864L));

    public Liveness Find(ObjectId id, int deviceIndex, out LogAddress commit)
    {
        bool isThere = Objects.TryGetValue(id, out ModelObject? found);
        commit = found?.Commit ?? default;
        bool isBusy = Busy.Contains(id) || (BecomeBusy && !Busy.Add(id));
        return isBusy ? Liveness.Busy : isThere ? Liveness.Live : Liveness.Dead;
    }

    public bool Relocated(ObjectId id, int deviceIndex, LogAddress from, LogAddress to)
    {
        Relocations++;
        ModelObject before = Objects[id];
        if (ForgetsOnRelocation is { } log)
        {
            // As a removal does that comes in between.
            Forget(log, id, before);
            return false;
        }

        Assert.Equal(before.Commit, from);
        Objects[id] = before with { Commit = to };
        return true;
    }

    public bool IsNeeded(in LogEntryView entry, int deviceIndex) => false;

    internal void RemoveSome(DeviceLog log, Random random, int keepOneIn)
    {
        foreach ((ObjectId id, ModelObject found) in Objects.ToArray())
        {
            if (random.Next(keepOneIn) != 0)
            {
                Forget(log, id, found);
            }
        }
    }

    private void Forget(DeviceLog log, ObjectId id, ModelObject found)
    {
        Objects.Remove(id);
        log.Release(found.Commit);
        foreach (LogAddress frame in found.Frames)
        {
            log.Release(frame);
        }
    }

    /// <summary>Reads every object through its present commit entry.</summary>
    internal async Task VerifyAsync(LogRig rig, int seed)
    {
        foreach ((ObjectId id, ModelObject expected) in Objects)
        {
            var lease = rig.Rent();
            Result<CommitRecord> record = await rig.Log.ReadCommitAsync(
                expected.Commit, lease, rig.Pool);
            rig.Pool.Return(lease);
            Assert.True(record.IsOk, $"seed {seed}: {record.Fault}");
            Assert.Equal(id, record.Value.Entry.Id);
            if (expected.Stripes == 0)
            {
                Assert.All(record.Value.InlineShard, b => Assert.Equal(expected.Fill, b));
                continue;
            }

            uint next = 0;
            foreach (Extent extent in record.Value.Entry.Extents.ToArray())
            {
                Assert.Equal(next, extent.FirstStripe);
                for (uint i = 0; i < extent.Stripes; i++, next++)
                {
                    byte[] bytes = await rig.ReadShardAsync(
                        new LogAddress(extent.Segment, extent.Offset + (i * 36864), 36864));
                    Assert.Equal(32768, bytes.Length);
                    Assert.False(
                        bytes.AsSpan().ContainsAnyExcept(expected.Fill), $"seed {seed}");
                }
            }

            Assert.Equal(expected.Stripes, (int)next);
        }
    }

    /// <summary>Each object's present commit entry is met by a replay of everything.</summary>
    internal void CheckReplay(IReadOnlyList<SeenEntry> seen, int seed)
    {
        var addresses = seen.Select(entry => entry.Address).ToHashSet();
        foreach (ModelObject expected in Objects.Values)
        {
            Assert.True(addresses.Contains(expected.Commit), $"seed {seed}: {expected.Commit}");
        }
    }
}
