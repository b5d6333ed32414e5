using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>What is appended is read, before and after a restart, on both executors.</summary>
public sealed class DeviceLogTests
{
    public static IEnumerable<object[]> Reactors => LogRig.Reactors;

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Reads_what_was_appended(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            ObjectId id = ObjectId.New();
            LogAddress shard = (await rig.AppendShardAsync(id, 16384, 0x5A)).Value;
            var extent = new Extent(0, 1, shard.Segment, shard.Offset);
            Result<LogAddress> commit = await rig.Log.AppendCommitAsync(
                LogRig.Commit(id, extent), new byte[700], default);

            Assert.True(commit.IsOk, commit.Fault?.ToString());
            Assert.All(await rig.ReadShardAsync(shard), b => Assert.Equal(0x5A, b));
            var lease = rig.Rent();
            CommitRecord record = (await rig.Log.ReadCommitAsync(
                commit.Value, lease, rig.Pool)).Value;
            rig.Pool.Return(lease);
            Assert.Equal(id, record.Entry.Id);
            Assert.Equal(extent, Assert.Single(record.Entry.Extents.ToArray()));
            Assert.Equal(new byte[700], record.Manifest);
        }, choice);
    }

    /// <summary>A device may be taken out at any moment, with appends under way.</summary>
    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Closes_with_everything_under_way(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            DeviceLog log = rig.Log;
            Task<Result<LogAddress>> shard = rig.AppendShardAsync(ObjectId.New(), 16384, 1);
            Task<Result<LogAddress>> large = log.AppendCommitAsync(
                LogRig.Commit(ObjectId.New()), new byte[400_000], default).AsTask();
            Task<Result<LogAddress>> packed = log.AppendCommitAsync(
                LogRig.Commit(ObjectId.New()), new byte[400], default).AsTask();
            await rig.Device.CloseAsync();
            foreach (Result<LogAddress> each in await Task.WhenAll(shard, large, packed))
            {
                Assert.True(each.IsOk || each.Fault.Code == FaultCode.Unavailable);
            }

            Assert.False((await log.RemoveEmptiedAsync([1])).IsOk);
        }, choice);
    }

    /// <summary>
    /// A device that comes back as it was long ago knows less than the checkpoint does.
    /// </summary>
    [SkippableFact]
    public void Goes_on_behind_a_checkpoint_that_knows_of_later_segments()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            Assert.True((await rig.Log.AppendVoidAsync(ObjectId.New())).IsOk);
        });
        LogRig.Run(directory.Path, async rig =>
        {
            var mark = new LogPosition(7, 8192);
            Assert.Empty(await rig.ReplayAsync(mark));
            LogAddress next = (await rig.Log.AppendVoidAsync(ObjectId.New())).Value;
            Assert.True(next.Segment > mark.Segment, $"{next}");
        });
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Replays_everything_in_order_after_a_restart(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        ObjectId id = ObjectId.New();
        byte[] inline = [.. Enumerable.Range(0, 640).Select(i => (byte)i)];
        LogPosition middle = default;
        LogRig.Run(directory.Path, async rig =>
        {
            Assert.Empty(await rig.ReplayAsync());
            Assert.True((await rig.Log.AppendCommitAsync(
                LogRig.Commit(id), new byte[] { 1, 2, 3 }, inline)).IsOk);
            middle = rig.Log.End;
            Assert.True((await rig.Log.AppendTouchAsync(id, "näme", 77)).IsOk);
            Assert.True((await rig.Log.AppendTombstoneAsync("näme", 99)).IsOk);
            Assert.True((await rig.Log.AppendVoidAsync(id)).IsOk);
        }, choice);

        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();

            Assert.Equal(
                [
                    LogEntryKind.Commit, LogEntryKind.Touch, LogEntryKind.Tombstone,
                    LogEntryKind.Void,
                ],
                seen.Select(entry => entry.Kind));
            Assert.Equal(inline, seen[0].Inline);
            Assert.Equal(new byte[] { 1, 2, 3 }, seen[0].Manifest);
            Assert.Equal(("näme", 77L), (seen[1].Name, seen[1].TimeMs));
            Assert.Equal(("näme", 99L), (seen[2].Name, seen[2].TimeMs));
            Assert.All(seen, entry => Assert.True(
                entry.Kind == LogEntryKind.Tombstone || entry.Id == id));
            Assert.True(rig.LastReplay is { IsComplete: true, HasTornTail: false });
        }, choice);

        LogRig.Run(directory.Path, async rig =>
            Assert.Equal(3, (await rig.ReplayAsync(middle)).Count), choice);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Many_appends_share_few_flushes_and_survive(ReactorChoice choice)
    {
        const int rounds = 40;
        const int together = 64;
        using TestDirectory directory = LogRig.NewDirectory();
        var ids = new HashSet<ObjectId>();
        LogRig.Run(directory.Path, async rig =>
        {
            for (int round = 0; round < rounds; round++)
            {
                var appends = new List<Task<Result<LogAddress>>>();
                for (int i = 0; i < together; i++)
                {
                    ObjectId id = ObjectId.New();
                    ids.Add(id);
                    appends.Add(rig.Log.AppendCommitAsync(
                        LogRig.Commit(id), new byte[600], new byte[640]).AsTask());
                }

                Assert.All(await Task.WhenAll(appends), result => Assert.True(result.IsOk));
            }

            // Of those that find the log idle half go at once, so that the device has work while
            // the others come: the first round's.
            Assert.Equal(rounds + 1, rig.Log.FlushCount);
        }, choice);

        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();
            Assert.Equal(rounds * together, seen.Count);
            Assert.True(ids.SetEquals(seen.Select(entry => entry.Id)));
            Assert.True(rig.Log.Segments.Count > 2, "more than one journal segment");
        }, choice);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Appends_beyond_the_batch_wait_and_are_all_taken(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            var manifest = new byte[30_000];
            var appends = new List<Task<Result<LogAddress>>>();
            for (int i = 0; i < 100; i++)
            {
                appends.Add(rig.Log.AppendCommitAsync(
                    LogRig.Commit(ObjectId.New()), manifest, default).AsTask());
            }

            Result<LogAddress>[] addresses = await Task.WhenAll(appends);
            Assert.All(addresses, result => Assert.True(result.IsOk, result.Fault?.ToString()));
            Assert.Equal(100, addresses.Select(a => a.Value).Distinct().Count());
        }, choice);
        LogRig.Run(
            directory.Path,
            async rig => Assert.Equal(100, (await rig.ReplayAsync()).Count),
            choice);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_commit_longer_than_a_batch_has_a_frame_of_its_own(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        var manifest = new byte[3_000_000];
        new Random(7).NextBytes(manifest);
        ObjectId id = ObjectId.New();
        LogRig.Run(directory.Path, async rig =>
        {
            LogAddress address = (await rig.Log.AppendCommitAsync(
                LogRig.Commit(id), manifest, default)).Value;
            var lease = rig.Rent();
            CommitRecord record = (await rig.Log.ReadCommitAsync(
                address, lease, rig.Pool)).Value;
            rig.Pool.Return(lease);
            Assert.Equal(manifest, record.Manifest);
            Assert.True((await rig.Log.AppendVoidAsync(ObjectId.New())).IsOk);
        }, choice);
        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();
            Assert.Equal(2, seen.Count);
            Assert.Equal(manifest, seen[0].Manifest);
        }, choice);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_packed_object_is_read_in_place(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        byte[] inline = [.. Enumerable.Range(0, 900).Select(i => (byte)(i * 7))];
        LogRig.Run(directory.Path, async rig =>
        {
            for (int i = 0; i < 20; i++)
            {
                LogAddress address = (await rig.Log.AppendCommitAsync(
                    LogRig.Commit(ObjectId.New()), new byte[] { 9, 8 }, inline)).Value;
                var lease = rig.Rent();
                InlineShard read = (await rig.Log.ReadInlineAsync(
                    address, lease.Slice(0, lease.Bytes))).Value;
                Assert.Equal(
                    inline,
                    rig.Pool.Span(lease).Slice(read.ShardStart, read.ShardBytes).ToArray());
                Assert.Equal(
                    new byte[] { 9, 8 },
                    rig.Pool.Span(lease).Slice(read.ManifestStart, read.ManifestBytes).ToArray());
                Assert.Equal(3, read.Position);
                rig.Pool.Return(lease);
            }
        }, choice);
    }

    [SkippableFact]
    public void Goes_on_in_the_segments_of_before()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        for (int start = 0; start < 12; start++)
        {
            LogRig.Run(directory.Path, async rig =>
            {
                Assert.Equal(start, (await rig.ReplayAsync()).Count);
                ObjectId id = ObjectId.New();
                LogAddress shard = (await rig.AppendShardAsync(id, 8192, (byte)start)).Value;
                var extent = new Extent(0, 1, shard.Segment, shard.Offset);
                Assert.True((await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id, extent), new byte[10], default)).IsOk);
                Assert.Equal(2, rig.Log.Segments.Count);
            });
        }

        LogRig.Run(directory.Path, async rig =>
        {
            List<SeenEntry> seen = await rig.ReplayAsync();
            for (int i = 0; i < seen.Count; i++)
            {
                Extent extent = Assert.Single(seen[i].Extents);
                byte[] bytes = await rig.ReadShardAsync(
                    new LogAddress(extent.Segment, extent.Offset, 12288));
                Assert.All(bytes, b => Assert.Equal((byte)i, b));
            }
        });
    }
}
