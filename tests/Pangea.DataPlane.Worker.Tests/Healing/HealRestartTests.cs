using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>
/// Goal: healing goes on where it was, and failures are tried again later and never for nothing.
/// </summary>
public sealed class HealRestartTests
{
    [Fact]
    public void A_half_healed_object_goes_on_after_a_restart_and_not_from_zero()
    {
        const int stripes = 400;
        var random = new Random(31);
        using var options = new StorageRigOptions { StripeBytes = 64 * 1024 };
        byte[] content = HealingTests.Bytes(random, stripes * options.StripeBytes);
        byte[]?[] before;
        long written;
        using (var rig = new HealingRig(options, HealingRig.Fast with
        {
            BytesPerSecond = 4 * 1024 * 1024, CriticalShards = 0,
        }))
        {
            rig.Rig.Put("o", content);
            before = rig.Shards("o");
            options.Destroy(8);
            Directory.CreateDirectory(options.DevicePaths[8]);
            Assert.True(rig.Replace(8, options.DevicePaths[8]).IsOk);
            rig.Rig.OnLoop(async () =>
            {
                while (rig.Healing.Journal.Find(rig.Rig.Service.Catalog.Find(
                    ObjectName.Parse("o").Value)!.Id)?.Progress is not [{ Stripes: > 150 }])
                {
                    await rig.Rig.Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(2));
                }

                return await rig.Rig.Service.Checkpoints.RunOnceAsync();
            });
            written = rig.Healing.Counts.BytesWritten;
        }

        const long frame = 8192 + 4096;
        using (var rig = new HealingRig(options))
        {
            rig.WaitForWork();
            Assert.Equal(before, rig.Shards("o"));
            Assert.InRange(rig.Healing.Counts.StripesResumed, 151, stripes - 1);
            Assert.Equal(
                (stripes - rig.Healing.Counts.StripesResumed) * frame,
                rig.Healing.Counts.BytesWritten);
            Assert.True(rig.Healing.Counts.BytesWritten + written < 1.2 * stripes * frame);
            Assert.Equal(content, rig.Rig.Get("o").Content);
            Assert.Equal(0, rig.Scrub().Errors);
        }
    }

    [Fact]
    public void Progress_whose_frames_are_gone_is_not_believed()
    {
        const int stripes = 60;
        var random = new Random(32);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        rig.Rig.Put("o", HealingTests.Bytes(random, stripes * options.StripeBytes));
        byte[]?[] before = rig.Shards("o");
        rig.Rig.OnLoop(() =>
        {
            var entry = rig.Rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!;
            Storage.StorageDevice device = rig.Rig.Service.Ordinals.SourceOf(entry, 0).Device!;
            rig.Healing.Journal.Set(Worker.Healing.NewNote(entry.Id) with
            {
                BadPositions = 1,
                Progress = [new HealProgress(0, device.Id, 30, [new(0, 30, 2, 4096)])],
            });
            rig.Healing.Report(entry.Id, 1);
            return ValueTask.FromResult(true);
        });
        rig.WaitForWork();
        Assert.Equal(0, rig.Healing.Counts.StripesResumed);
        Assert.Equal(before, rig.Shards("o"));
        Assert.Equal(0, rig.Scrub().Errors);
    }

    [Fact]
    public void A_device_that_takes_no_more_is_noted_and_tried_again_when_something_changes()
    {
        var random = new Random(33);
        bool isFull = false;
        int device = -1;
        using var options = new StorageRigOptions();
        options.Plan = call =>
            isFull && call.Kind == ReactorCallKind.Write
                && options.DeviceOf(call.File) == device
                ? InjectedFault.Fail(Errno.ENOSPC)
                : InjectedFault.None;
        using var rig = new HealingRig(options);
        rig.Rig.Put("large", HealingTests.Bytes(random, 10 * options.StripeBytes));
        rig.Rig.Put("small", HealingTests.Bytes(random, 5000));
        byte[]?[] large = rig.Shards("large");
        byte[]?[] small = rig.Shards("small");
        options.Destroy(9);
        Directory.CreateDirectory(options.DevicePaths[9]);
        device = 9;
        Assert.True(rig.Replace(9, options.DevicePaths[9]).IsOk);
        isFull = true;
        rig.Heal();
        HealStatus status = rig.Rig.OnLoop(
            () => ValueTask.FromResult(HealReports.Heal(rig.Healing)));
        isFull = false;
        rig.Heal();
        for (int turn = 0; turn < 100 && rig.PositionsHere("large") < 12; turn++)
        {
            Thread.Sleep(100); // A device that failed is left alone for some seconds.
            rig.Heal();
        }

        Assert.NotEqual(0, status.SkippedTotal + status.Failures + rig.Healing.Counts.Failures);
        Assert.Equal(large, rig.Shards("large"));
        Assert.Equal(small, rig.Shards("small"));
    }

    [Fact]
    public void Damage_that_is_known_survives_a_restart_without_another_scrub()
    {
        var random = new Random(34);
        using var options = new StorageRigOptions();
        byte[]?[] before;
        using (var rig = new HealingRig(options))
        {
            rig.Rig.Put("o", HealingTests.Bytes(random, 5 * options.StripeBytes));
            before = rig.Shards("o");
            rig.Damage("o", 3, random);
            rig.Rig.OnLoop(() =>
            {
                // Noted, and not healed before the end.
                rig.Healing.Journal.Set(
                    Worker.Healing.NewNote(rig.Rig.Service.Catalog.Find(
                        ObjectName.Parse("o").Value)!.Id) with { BadPositions = 8 });
                return ValueTask.FromResult(true);
            });
            rig.Rig.Checkpoint();
        }

        using (var rig = new HealingRig(options))
        {
            rig.WaitForWork();
            Assert.Equal(before, rig.Shards("o"));
        }
    }

    [Fact]
    public void A_scrub_goes_on_where_it_was()
    {
        var random = new Random(35);
        using var options = new StorageRigOptions();
        long stoppedAt;
        using (var rig = new HealingRig(options))
        {
            HealingTests.PutSome(rig, random, 40);
            stoppedAt = rig.Rig.OnLoop(async () =>
            {
                rig.Healing.Scrubber.Start(0, restart: true);
                while (rig.Healing.Scrubber.State.Objects < 15)
                {
                    await rig.Rig.Service.Reactor.DelayAsync(TimeSpan.FromMicroseconds(100));
                }

                rig.Healing.Scrubber.Stop();
                return rig.Healing.Scrubber.State.Objects;
            });
            rig.Rig.Checkpoint();
        }

        Assert.InRange(stoppedAt, 15, 40);
        using (var rig = new HealingRig(options))
        {
            ScrubState state = rig.Rig.OnLoop(async () =>
            {
                Assert.Equal(stoppedAt, rig.Healing.Scrubber.State.Objects);
                Assert.False(rig.Healing.Scrubber.State.IsRunning);
                rig.Healing.Scrubber.Start(0, restart: false);
                while (rig.Healing.Scrubber.State.IsRunning)
                {
                    await rig.Rig.Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
                }

                return rig.Healing.Scrubber.State;
            });
            Assert.Equal(41, state.Objects);
            Assert.Equal(1, state.Passes);
            Assert.Equal(0, state.Errors);
        }
    }
}
