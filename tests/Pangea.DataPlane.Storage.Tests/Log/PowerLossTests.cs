using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>
/// Whatever of the unflushed sectors a power loss takes: what was acknowledged is there whole, and
/// what the journal says of the rest is whole too or not said.
/// </summary>
public sealed class PowerLossTests
{
    private const int Directories = 16;
    private const int LossesEach = 8;
    private const int PayloadBytes = 12288;

    [SkippableTheory]
    [MemberData(nameof(LogRig.Reactors), MemberType = typeof(LogRig))]
    public void Nothing_acknowledged_is_lost_and_nothing_is_half_there(ReactorChoice choice)
    {
        int seed = Random.Shared.Next();
        int lost = 0;
        for (int round = 0; round < Directories; round++)
        {
            using TestDirectory directory = LogRig.NewDirectory();
            var history = new History();
            for (int loss = 0; loss < LossesEach; loss++)
            {
                int own = HashCode.Combine(seed, round, loss);
                lost += RunUntilLoss(directory.Path, choice, history, own);
                Check(directory.Path, choice, history, $"seed {seed}, round {round}.{loss}");
            }
        }

        Assert.True(lost > 1000, $"seed {seed}: only {lost} sectors were lost");
    }

    private static int RunUntilLoss(
        string path, ReactorChoice choice, History history, int seed)
    {
        var random = new Random(seed);
        PowerLossReactor? power = null;
        LogRig.Run(
            path,
            async rig =>
            {
                Result<ReplayReport> replay = await rig.Log.ReplayAsync(
                    default, (in LogEntryView _) => { });
                Task[] writers = [.. Enumerable.Range(0, 6).Select(writer =>
                    WriteAsync(rig, history, new Random(HashCode.Combine(seed, writer)), power!))];
                await Task.WhenAll(writers);
            },
            choice,
            wrap: inner => power = new PowerLossReactor(
                inner, random, random.Next(3, 400)),
            crash: true);
        power!.LoseUnflushed();
        return power.LostSectors;
    }

    private static async Task WriteAsync(
        LogRig rig, History history, Random random, PowerLossReactor power)
    {
        while (!power.IsOff)
        {
            ObjectId id = ObjectId.New();
            byte fill = (byte)random.Next(1, 256);
            switch (random.Next(10))
            {
                case < 5:
                    byte[] inline = Enumerable.Repeat(fill, random.Next(100, 9000)).ToArray();
                    var packed = new Written(id, fill, inline.Length, 0);
                    history.Tried[id] = packed;
                    if ((await rig.Log.AppendCommitAsync(
                        LogRig.Commit(id), new byte[64], inline)).IsOk)
                    {
                        history.Acknowledged[id] = packed;
                    }

                    break;
                case < 8:
                    await WriteLargeAsync(rig, history, id, fill, random.Next(1, 6));
                    break;
                default:
                    history.Tried[id] = new Written(id, 0, 0, 0);
                    if ((await rig.Log.AppendVoidAsync(id)).IsOk)
                    {
                        history.Acknowledged[id] = history.Tried[id];
                    }

                    break;
            }
        }
    }

    private static async Task WriteLargeAsync(
        LogRig rig, History history, ObjectId id, byte fill, int stripes)
    {
        var extents = new ExtentList();
        for (uint stripe = 0; stripe < stripes; stripe++)
        {
            Result<LogAddress> at = await rig.AppendShardAsync(id, PayloadBytes, fill);
            if (!at.IsOk)
            {
                return;
            }

            extents.Add(
                new Extent(stripe, 1, at.Value.Segment, at.Value.Offset), at.Value.Bytes);
        }

        var large = new Written(id, fill, 0, stripes);
        history.Tried[id] = large;
        if ((await rig.Log.AppendCommitAsync(
            LogRig.Commit(id, extents.ToArray()), new byte[64], default)).IsOk)
        {
            history.Acknowledged[id] = large;
        }
    }

    private static void Check(string path, ReactorChoice choice, History history, string what)
    {
        LogRig.Run(
            path,
            async rig =>
            {
                List<SeenEntry> seen = await rig.ReplayAsync();
                foreach (SeenEntry entry in seen)
                {
                    Assert.True(history.Tried.TryGetValue(entry.Id, out Written? tried), what);
                    Assert.Equal(tried.InlineBytes, entry.Inline.Length);
                    Assert.False(entry.Inline.AsSpan().ContainsAnyExcept(tried.Fill), what);
                    await CheckFramesAsync(rig, entry, tried, what);
                }

                HashSet<ObjectId> ids = [.. seen.Select(entry => entry.Id)];
                foreach (ObjectId id in history.Acknowledged.Keys)
                {
                    Assert.True(ids.Contains(id), $"{what}: acknowledged, and gone");
                }

                // Once seen, always seen: a later loss must not take it.
                foreach (ObjectId id in ids)
                {
                    history.Acknowledged.TryAdd(id, history.Tried[id]);
                }
            },
            choice);
    }

    private static async Task CheckFramesAsync(
        LogRig rig, SeenEntry entry, Written tried, string what)
    {
        long stripes = 0;
        foreach (Extent extent in entry.Extents)
        {
            for (uint i = 0; i < extent.Stripes; i++, stripes++)
            {
                const int frameBytes = PayloadBytes + 4096;
                byte[] bytes = await rig.ReadShardAsync(new LogAddress(
                    extent.Segment, extent.Offset + (i * frameBytes), frameBytes));
                Assert.False(bytes.AsSpan().ContainsAnyExcept(tried.Fill), what);
            }
        }

        Assert.True(stripes == tried.Stripes, what);
    }

    private sealed record Written(ObjectId Id, byte Fill, int InlineBytes, int Stripes);

    private sealed class History
    {
        internal Dictionary<ObjectId, Written> Tried { get; } = [];

        internal Dictionary<ObjectId, Written> Acknowledged { get; } = [];

    }
}
