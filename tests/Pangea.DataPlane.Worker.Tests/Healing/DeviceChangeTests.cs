using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>
/// Goal: devices are lost, replaced, added and taken out under a running worker, and afterwards any
/// m devices may be lost again.
/// </summary>
public sealed class DeviceChangeTests
{
    [Theory]
    [InlineData(ReactorChoice.Probe)]
    [InlineData(ReactorChoice.Plain)]
    public void Two_lost_devices_are_replaced_and_refilled_and_then_m_others_may_be_lost(
        ReactorChoice reactor)
    {
        var random = new Random(21);
        using var options = new StorageRigOptions(reactor);
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = HealingTests.PutSome(rig, random, 20);
        Dictionary<string, byte[]?[]> before = HealingTests.ShardsOf(rig, contents.Keys);
        foreach (int lost in new[] { 3, 7 })
        {
            options.Destroy(lost);
            Directory.CreateDirectory(options.DevicePaths[lost]);
        }

        foreach (int lost in new[] { 3, 7 })
        {
            Result<DeviceChangeResult> replaced = rig.Replace(lost, options.DevicePaths[lost]);
            Assert.True(replaced.IsOk, replaced.Fault?.Message);
            Assert.True(replaced.Value.Formatted);
        }

        rig.WaitForWork();
        Assert.Null(rig.Healing.Works.Find(3));
        Assert.Equal(42, rig.Healing.Counts.ShardsHealed); // 21 objects on two devices.
        HealingTests.AssertSame(before, HealingTests.ShardsOf(rig, contents.Keys), "refilled");
        foreach (int lost in new[] { 0, 1, 2, 4 })
        {
            options.Destroy(lost);
        }

        HealingTests.AssertContents(rig, contents);
    }

    [Fact]
    public void A_lost_device_without_a_replacement_is_made_up_for_on_spare_ones()
    {
        var random = new Random(22);
        using var options = new StorageRigOptions(spareDevices: 2);
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = HealingTests.PutSome(rig, random, 20);
        Dictionary<string, byte[]?[]> before = HealingTests.ShardsOf(rig, contents.Keys);
        options.Destroy(5);
        rig.Heal();
        HealingTests.AssertSame(before, HealingTests.ShardsOf(rig, contents.Keys), "spread");
        foreach (string name in contents.Keys)
        {
            // Never two positions on one device.
            Assert.Equal(
                12,
                rig.Entry(name).Locations.Select(each => each.Device).Distinct().Count());
        }
    }

    /// <summary>As many positions as a word has bits: no position is forgotten.</summary>
    [Fact]
    public void Of_64_positions_every_missing_one_is_seen()
    {
        var random = new Random(38);
        using var options = new StorageRigOptions(dataShards: 40, parityShards: 24);
        using var rig = new HealingRig(options, HealingRig.Fast with { TargetShards = 0 });
        rig.Rig.Put("small", HealingTests.Bytes(random, 5000));
        rig.Rig.Put("large", HealingTests.Bytes(random, 10 * options.StripeBytes));
        Assert.Equal(0, rig.Scrub().Errors);
        options.Destroy(5);
        rig.Heal();
        Assert.Equal(2, rig.Healing.Check.Degraded);
        Assert.Equal(2, rig.Scrub().Errors);
    }

    [Fact]
    public void More_objects_than_the_queue_holds_are_healed_all_the_same()
    {
        var random = new Random(29);
        using var options = new StorageRigOptions(spareDevices: 1);
        using var rig = new HealingRig(options, queueBound: 3);
        Dictionary<string, byte[]> contents = HealingTests.PutSome(rig, random, 30);
        Dictionary<string, byte[]?[]> before = HealingTests.ShardsOf(rig, contents.Keys);
        options.Destroy(5);
        rig.Heal();
        while (rig.Rig.OnLoop(() => ValueTask.FromResult(rig.Healing.Check.IsRunning)))
        {
            rig.WaitForWork();
        }

        HealingTests.AssertSame(before, HealingTests.ShardsOf(rig, contents.Keys), "all of them");
    }

    [Fact]
    public void A_device_that_is_away_for_a_moment_moves_nothing_unless_it_is_asked_for()
    {
        var random = new Random(30);
        using var options = new StorageRigOptions(spareDevices: 1);
        using var rig = new HealingRig(
            options, HealingRig.Fast with { CheckSeconds = 1000, CriticalShards = 0 });
        HealingTests.PutSome(rig, random, 6);
        rig.Heal(); // Gives up what is missing now: nothing.
        options.Destroy(5);
        rig.WaitForWork();
        Assert.Equal(0, rig.Healing.Counts.ShardsHealed);
        rig.Heal();
        Assert.True(rig.Healing.Counts.ShardsHealed > 0);
    }

    [Fact]
    public void A_device_that_is_taken_out_while_shards_go_to_it_ends_only_that_try()
    {
        var random = new Random(36);
        using var options = new StorageRigOptions(spareDevices: 2);
        using var rig = new HealingRig(options, HealingRig.Fast with
        {
            BytesPerSecond = 1_000_000, CriticalShards = 0,
        });
        byte[] content = HealingTests.Bytes(random, 200 * options.StripeBytes);
        rig.Rig.Put("o", content);
        int lost = rig.Rig.OnLoop(() => ValueTask.FromResult(rig.Rig.Service.Ordinals.SourceOf(
            rig.Rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!, 3).Device!.Index));
        byte[]?[] before = rig.Shards("o");
        options.Destroy(lost);
        int target = rig.Rig.OnLoop(async () =>
        {
            rig.Healing.StartNow();
            while (rig.Healing.Counts.BytesWritten == 0)
            {
                await rig.Rig.Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
            }

            return HealPlan.Make(
                rig.Healing, rig.Rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!, 0)
                .TargetOf(3).Index;
        });
        Assert.True(rig.Remove(target, force: true).IsOk);
        rig.WaitForWork();
        rig.Heal();
        Assert.Equal(before, rig.Shards("o"));
        Assert.Equal(content, rig.Rig.Get("o").Content);
    }

    /// <summary>
    /// Its shards went elsewhere while it was away, and compaction gave its copies back; what its
    /// journal still says of them must not count when the catalog is made anew.
    /// </summary>
    [Fact]
    public void A_catalog_made_anew_knows_where_shards_were_moved()
    {
        using var options = new StorageRigOptions(spareDevices: 1);
        byte[] content = HealingTests.Bytes(new Random(37), 20 * options.StripeBytes);
        byte[]?[] before;
        int lost;
        using (var rig = new HealingRig(options))
        {
            Assert.True(rig.Rig.Put("o", content).IsOk);
            before = rig.Shards("o");
            lost = rig.Rig.OnLoop(() => ValueTask.FromResult(rig.Rig.Service.Ordinals.SourceOf(
                rig.Rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!, 3).Device!.Index));
        }

        string path = options.DevicePaths[lost];
        Directory.Move(path, path + ".away");
        using (var rig = new HealingRig(options))
        {
            rig.Heal();
            Assert.Equal(before, rig.Shards("o"));
        }

        Directory.Move(path + ".away", path);
        foreach (string segment in options.SegmentsOf(lost))
        {
            if (segment.EndsWith(".shards", StringComparison.Ordinal))
            {
                File.Delete(segment);
            }
        }

        options.LoseCatalog();
        using var again = new HealingRig(options);
        Assert.Equal(before, again.Shards("o"));
        Assert.Equal(content, again.Rig.Get("o").Content);
    }

    [Fact]
    public void With_no_device_to_go_to_it_stays_degraded_and_says_so()
    {
        var random = new Random(23);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = HealingTests.PutSome(rig, random, 6);
        options.Destroy(5);
        rig.Heal();
        HealStatus status = rig.Rig.OnLoop(
            () => ValueTask.FromResult(HealReports.Heal(rig.Healing)));
        Assert.Equal(contents.Count, status.SkippedTotal);
        Assert.Contains(
            "no healthy device", status.Skipped[0].Reason, StringComparison.Ordinal);
        Assert.Equal(0, status.Attempts);
        HealingTests.AssertContents(rig, contents);
    }

    [Fact]
    public void A_device_is_emptied_and_taken_out()
    {
        var random = new Random(24);
        using var options = new StorageRigOptions(spareDevices: 1);
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = HealingTests.PutSome(rig, random, 20);
        Dictionary<string, byte[]?[]> before = HealingTests.ShardsOf(rig, contents.Keys);
        Result<DeviceChangeResult> removed = rig.Remove(4);
        Assert.True(removed.IsOk, removed.Fault?.Message);
        Assert.Equal(12, rig.Rig.Service.Devices.All.Count);
        options.Destroy(4);
        HealingTests.AssertSame(before, HealingTests.ShardsOf(rig, contents.Keys), "moved");
        Assert.True(rig.Rig.Put("later", HealingTests.Bytes(random, 100_000)).IsOk);
        Assert.Equal(12, rig.PositionsHere("later"));

        // What was only moved was not computed anew: each shard was read once.
        Assert.True(rig.Healing.Counts.BytesRead < 2 * rig.Healing.Counts.BytesWritten);
    }

    [Fact]
    public void Emptying_is_refused_where_a_class_would_not_find_enough_devices()
    {
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        rig.Rig.Put("o", HealingTests.Bytes(new Random(25), 100_000));
        Result<DeviceChangeResult> removed = rig.Remove(0);
        Assert.Equal(FaultCode.Unavailable, removed.Fault?.Code);
        Assert.Contains("spread over 12", removed.Fault!.Message, StringComparison.Ordinal);
        Assert.Equal(12, rig.PositionsHere("o"));
        Assert.True(rig.Rig.Service.Devices.All[0].TakesWrites);
        Assert.Equal(FaultCode.NotFound, rig.Remove(40).Fault?.Code);
    }

    [Fact]
    public void A_further_device_takes_part()
    {
        var random = new Random(26);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        string path = Directory.CreateDirectory(
            Path.Combine(options.Scratch, "further")).FullName;
        Result<DeviceChangeResult> added = rig.Add(14, path);
        Assert.True(added.IsOk, added.Fault?.Message);
        Assert.Equal(FaultCode.Exists, rig.Add(14, path).Fault?.Code);
        Assert.Equal(FaultCode.Exists, rig.Add(13, path).Fault?.Code);
        bool used = false;
        for (int i = 0; i < 30 && !used; i++)
        {
            rig.Rig.Put($"o{i}", HealingTests.Bytes(random, 10_000));
            used = rig.Rig.OnLoop(() => ValueTask.FromResult(Enumerable.Range(0, 12).Any(
                position => rig.Rig.Service.Ordinals.SourceOf(
                    rig.Rig.Service.Catalog.Find(ObjectName.Parse($"o{i}").Value)!, position)
                    .Device!.Index == 14)));
        }

        Assert.True(used);
    }

    [Fact]
    public void A_device_that_comes_back_late_counts_again_and_its_stale_shards_do_not()
    {
        var random = new Random(27);
        using var options = new StorageRigOptions();
        Dictionary<string, byte[]> contents;
        using (var rig = new HealingRig(options))
        {
            contents = HealingTests.PutSome(rig, random, 10);
            rig.Rig.Checkpoint();
        }

        string away = options.DevicePaths[6] + ".away";
        Directory.Move(options.DevicePaths[6], away);
        using (var rig = new HealingRig(options))
        {
            // Replaced, removed and new while it is away.
            contents["large0"] = HealingTests.Bytes(random, 200_000);
            contents["small0"] = HealingTests.Bytes(random, 2000);
            Assert.True(rig.Rig.Put("large0", contents["large0"]).IsOk);
            Assert.True(rig.Rig.Put("small0", contents["small0"]).IsOk);
            Assert.True(rig.Rig.Remove("large1").IsOk);
            Assert.True(rig.Rig.Remove("small1").IsOk);
            contents.Remove("large1");
            contents.Remove("small1");

            Directory.Move(away, options.DevicePaths[6]);
            Result<DeviceChangeResult> back = rig.Add(6, options.DevicePaths[6], mayFormat: false);
            Assert.True(back.IsOk, back.Fault?.Message);
            rig.WaitForWork();
            Assert.Equal(2, rig.Healing.Counts.ShardsHealed); // Only what was put meanwhile.
            Assert.Equal(
                contents.Keys.Order(StringComparer.Ordinal),
                rig.Rig.Names().Order(StringComparer.Ordinal));
            Assert.All(contents.Keys, name => Assert.Equal(12, rig.PositionsHere(name)));
            Assert.Equal(0, rig.Scrub().Errors);
            foreach (int lost in new[] { 0, 1, 2, 3 })
            {
                options.Destroy(lost);
            }

            HealingTests.AssertContents(rig, contents);
        }
    }

    [Fact]
    public void Only_the_device_that_was_there_may_come_back_to_an_index()
    {
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        rig.Rig.Put("o", HealingTests.Bytes(new Random(28), 100_000));
        options.Destroy(2);
        Directory.CreateDirectory(options.DevicePaths[2]);
        Assert.Equal(12, rig.Rig.OnLoop(() =>
        {
            rig.Rig.Service.RefreshDevices();
            return ValueTask.FromResult(rig.Rig.Service.Devices.All.Count);
        }));
        Result<DeviceChangeResult> other = rig.Add(2, options.DevicePaths[2]);
        Assert.Equal(FaultCode.Exists, other.Fault?.Code);
        Assert.True(rig.Replace(2, options.DevicePaths[2]).Fault is null);
        rig.WaitForWork();
        Assert.Equal(12, rig.PositionsHere("o"));
    }
}
