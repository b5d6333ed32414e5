using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>
/// Every operation of a scenario fails once. Whatever is acknowledged all the same is there after a
/// restart, and what the journal says is whole.
/// </summary>
public sealed class LogFaultTests
{
    public static IEnumerable<object[]> Faults =>
        from choice in new[] { ReactorChoice.Plain, ReactorChoice.IoUring }
        from fault in new[] { "EIO", "ENOSPC", "short" }
        select new object[] { choice, fault };

    [SkippableTheory]
    [MemberData(nameof(Faults))]
    public void Keeps_what_it_acknowledged(ReactorChoice choice, string fault)
    {
        bool failed = true;
        int n = 0;
        while (failed)
        {
            n++;
            using TestDirectory directory = LogRig.NewDirectory();
            var acknowledged = new Dictionary<ObjectId, (byte Fill, int Inline)>();
            failed = false;
            LogRig.Run(
                directory.Path,
                rig => WriteAsync(rig, acknowledged),
                choice,
                plan: call =>
                {
                    failed |= call.Number == n;
                    return call.Number == n ? Injected(fault, call) : InjectedFault.None;
                });
            LogRig.Run(directory.Path, rig => VerifyAsync(rig, acknowledged, n), choice);
        }

        Assert.True(n > 20, $"only {n} operations were met");
    }

    [SkippableTheory]
    [MemberData(nameof(LogRig.Reactors), MemberType = typeof(LogRig))]
    public void A_flush_that_failed_says_nothing_about_later_frames(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        bool fails = false;
        LogRig.Run(
            directory.Path,
            async rig =>
            {
                await rig.Log.ReplayAsync(default, (in LogEntryView _) => { });
                Extent lost = await AppendAsync(rig);
                fails = true;
                Assert.False((await rig.Log.SyncShardsAsync(new[] { lost })).IsOk);
                fails = false;

                // Nobody knows what of it is on the disk, whatever a later flush says.
                Assert.False((await rig.Log.SyncShardsAsync(new[] { lost })).IsOk);
                Extent next = await AppendAsync(rig);
                Assert.NotEqual(lost.Segment, next.Segment);
                Assert.True((await rig.Log.SyncShardsAsync(new[] { next })).IsOk);
                Assert.False((await rig.Log.SyncShardsAsync(new[] { next, lost })).IsOk);
            },
            choice,
            plan: call => fails && call.Kind == ReactorCallKind.Sync
                ? InjectedFault.Fail(Errno.EIO)
                : InjectedFault.None);

        static async Task<Extent> AppendAsync(LogRig rig)
        {
            LogAddress frame = (await rig.AppendShardAsync(ObjectId.New(), 65536, 7)).Value;
            return new Extent(0, 1, frame.Segment, frame.Offset);
        }
    }

    private static InjectedFault Injected(string fault, ReactorCall call) => fault switch
    {
        "EIO" => InjectedFault.Fail(Errno.EIO),
        "ENOSPC" => InjectedFault.Fail(Errno.ENOSPC),
        _ => call.Bytes > 4096 ? InjectedFault.Short(4096) : InjectedFault.None,
    };

    private static async Task WriteAsync(
        LogRig rig, Dictionary<ObjectId, (byte Fill, int Inline)> acknowledged)
    {
        if (rig.Device.Log is null)
        {
            return; // The fault was met while the device was taken into use.
        }

        await rig.Log.ReplayAsync(default, (in LogEntryView _) => { });
        for (int i = 1; i < 14; i++)
        {
            ObjectId id = ObjectId.New();
            if (i % 2 == 0)
            {
                byte[] inline = Enumerable.Repeat((byte)i, 5000).ToArray();
                if ((await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id), new byte[64], inline)).IsOk)
                {
                    acknowledged[id] = ((byte)i, 5000);
                }

                continue;
            }

            Result<LogAddress> shard = await rig.AppendShardAsync(id, 65536, (byte)i);
            if (shard.IsOk && (await rig.Log.AppendCommitAsync(
                LogRig.Commit(
                    id, new Extent(0, 1, shard.Value.Segment, shard.Value.Offset)),
                new byte[i == 7 ? 400_000 : 64], default)).IsOk)
            {
                acknowledged[id] = ((byte)i, 0);
            }
        }

        Assert.True(acknowledged.Count >= 10, $"one fault cost {13 - acknowledged.Count} appends");
    }

    private static async Task VerifyAsync(
        LogRig rig, Dictionary<ObjectId, (byte Fill, int Inline)> acknowledged, int n)
    {
        List<SeenEntry> seen = await rig.ReplayAsync();
        foreach (SeenEntry entry in seen)
        {
            foreach (Extent extent in entry.Extents)
            {
                byte[] bytes = await rig.ReadShardAsync(
                    new LogAddress(extent.Segment, extent.Offset, 65536 + 4096));
                Assert.False(bytes.AsSpan().ContainsAnyExcept(bytes[0]), $"operation {n}");
            }
        }

        foreach ((ObjectId id, (byte fill, int inline)) in acknowledged)
        {
            SeenEntry? entry = seen.FirstOrDefault(entry => entry.Id == id);
            Assert.True(entry is not null, $"operation {n}: acknowledged, and gone");
            Assert.Equal(inline, entry.Inline.Length);
            Assert.False(entry.Inline.AsSpan().ContainsAnyExcept(fill), $"operation {n}");
        }
    }

    [SkippableFact]
    public void A_commit_is_refused_after_its_shards_could_not_be_flushed()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        bool broken = false;
        LogRig.Run(
            directory.Path,
            async rig =>
            {
                await rig.ReplayAsync();
                ObjectId id = ObjectId.New();
                LogAddress shard = (await rig.AppendShardAsync(id, 8192, 1)).Value;
                var extent = new Extent(0, 1, shard.Segment, shard.Offset);
                broken = true;
                Task<Result<LogAddress>> packed = rig.Log.AppendCommitAsync(
                    LogRig.Commit(ObjectId.New()), new byte[8], new byte[200]).AsTask();
                Result<LogAddress> first = await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id, extent), new byte[8], default);
                Assert.Equal(FaultCode.Io, first.Fault?.Code);
                Assert.True((await packed).IsOk, "another object's commit in the same batch");

                // The disk says yes again; what it lost meanwhile nobody knows.
                Result<LogAddress> second = await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id, extent), new byte[8], default);
                Assert.Equal(FaultCode.Io, second.Fault?.Code);
                LogAddress again = (await rig.AppendShardAsync(id, 8192, 1)).Value;
                Assert.NotEqual(shard.Segment, again.Segment);
                Assert.True((await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id, new Extent(0, 1, again.Segment, again.Offset)),
                    new byte[8], default)).IsOk);
            },
            plan: call =>
            {
                bool now = broken && call.Kind == ReactorCallKind.Sync;
                broken &= !now;
                return now ? InjectedFault.Fail(Errno.EIO) : InjectedFault.None;
            });
    }

    [SkippableFact]
    public void Damage_inside_the_journal_is_stepped_over_and_said()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            for (int i = 0; i < 10; i++)
            {
                Assert.True((await rig.Log.AppendCommitAsync(
                    LogRig.Commit(ObjectId.New()), new byte[3000], default)).IsOk);
            }
        });
        string journal = Directory.GetFiles(
            Path.Combine(directory.Path, "segments"), "*.journal")[0];
        using (FileStream file = File.OpenWrite(journal))
        {
            file.Position = 4096 + (4 * 4096) + 1000;
            file.WriteByte(0xFF);
        }

        LogRig.Run(directory.Path, async rig =>
        {
            Assert.Equal(9, (await rig.ReplayAsync()).Count);
            Assert.False(rig.LastReplay.IsComplete);
            Assert.True((await rig.Log.AppendVoidAsync(ObjectId.New())).IsOk);
        });
        LogRig.Run(
            directory.Path, async rig => Assert.Equal(10, (await rig.ReplayAsync()).Count));
    }

    [SkippableFact]
    public void A_torn_last_batch_is_nothing_and_is_written_over()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            Assert.True((await rig.Log.AppendVoidAsync(ObjectId.New())).IsOk);
            Assert.True((await rig.Log.AppendCommitAsync(
                LogRig.Commit(ObjectId.New()), Enumerable.Repeat((byte)1, 9000).ToArray(),
                default)).IsOk);
        });
        string journal = Directory.GetFiles(
            Path.Combine(directory.Path, "segments"), "*.journal")[0];
        using (FileStream file = File.OpenWrite(journal))
        {
            file.Position = 4096 + 4096 + 8192;
            file.Write(new byte[4096]);
        }

        ObjectId after = ObjectId.New();
        LogRig.Run(directory.Path, async rig =>
        {
            Assert.Single(await rig.ReplayAsync());
            Assert.True(rig.LastReplay is { IsComplete: true, HasTornTail: true });
            Assert.True((await rig.Log.AppendVoidAsync(after)).IsOk);
        });
        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();
            Assert.Equal(after, seen[^1].Id);
            Assert.Equal(2, seen.Count);
            Assert.False(rig.LastReplay.HasTornTail);
        });
    }
}
