using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>Full, foreign, vanished: what kinds of places a device can be.</summary>
public sealed class DevicePlaceTests
{
    [SkippableFact]
    public void A_full_device_says_so_takes_tombstones_and_recovers_by_compaction()
    {
        using MountedPlace place = MountedPlace.TmpFs(8);
        var model = new ModelCatalog();
        LogRig.Run(place.Path, async rig =>
        {
            await rig.ReplayAsync();
            Result<LogAddress> last = default;
            for (int i = 0; i < 2000; i++)
            {
                ObjectId id = ObjectId.New();
                last = await rig.Log.AppendCommitAsync(
                    LogRig.Commit(id), new byte[64], new byte[30_000]);
                if (!last.IsOk)
                {
                    break;
                }

                model.Objects[id] = new ModelObject(last.Value, 0, 0, []);
            }

            Assert.Equal(FaultCode.NoSpace, last.Fault?.Code);
            Assert.Equal(DeviceState.Full, rig.Device.State);
            Assert.True(model.Objects.Count > 100, $"{model.Objects.Count} objects fitted");
            await model.VerifyAsync(rig, 0);
            Result<LogAddress> tombstone = await rig.Log.AppendTombstoneAsync("name", 5);
            Assert.True(tombstone.IsOk, tombstone.Fault?.ToString());
            Result<LogAddress> refused = await rig.Log.AppendCommitAsync(
                LogRig.Commit(ObjectId.New()), new byte[64], new byte[30_000]);
            Assert.Equal(FaultCode.NoSpace, refused.Fault?.Code);

            model.RemoveSome(rig.Log, new Random(3), keepOneIn: 50);
            while (rig.Log.ChooseForCompaction(0.5) is { } chosen)
            {
                Assert.True((await rig.Log.CompactAsync(chosen, model, 0)).IsOk);
                await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied());
            }

            await model.VerifyAsync(rig, 0);
            Result<LogAddress> again = await rig.Log.AppendCommitAsync(
                LogRig.Commit(ObjectId.New()), new byte[64], new byte[30_000]);
            Assert.True(again.IsOk, again.Fault?.ToString());
        });
    }

    [SkippableTheory]
    [MemberData(nameof(LogRig.Reactors), MemberType = typeof(LogRig))]
    public void A_block_device_keeps_objects_through_restarts_and_compaction(ReactorChoice choice)
    {
        using MountedPlace place = MountedPlace.LoopDevice(32);
        var model = new ModelCatalog();
        for (int start = 0; start < 3; start++)
        {
            LogRig.Run(place.Path, async rig =>
            {
                Assert.True(rig.Device.IsOpen, rig.Device.Reason);
                model.CheckReplay(await rig.ReplayAsync(), start);
                foreach (ModelObject kept in model.Objects.Values)
                {
                    rig.Log.Claim(kept.Commit);
                }

                await model.VerifyAsync(rig, start);
                for (int i = 0; i < 300; i++)
                {
                    ObjectId id = ObjectId.New();
                    byte[] inline = Enumerable.Repeat((byte)i, 20_000).ToArray();
                    Result<LogAddress> added = await rig.Log.AppendCommitAsync(
                        LogRig.Commit(id), new byte[64], inline);
                    Assert.True(added.IsOk, added.Fault?.ToString());
                    model.Objects[id] = new ModelObject(added.Value, (byte)i, 0, []);
                }

                model.RemoveSome(rig.Log, new Random(start), keepOneIn: 20);
                int compacted = 0;
                while (rig.Log.ChooseForCompaction(0.5) is { } chosen)
                {
                    Assert.True((await rig.Log.CompactAsync(chosen, model, 0)).IsOk);
                    await rig.Log.RemoveEmptiedAsync(rig.Log.TakeEmptied());
                    compacted++;
                }

                Assert.True(compacted > 0);
                await model.VerifyAsync(rig, start);
            }, choice);
        }
    }

    [SkippableFact]
    public void A_full_block_device_says_so()
    {
        using MountedPlace place = MountedPlace.LoopDevice(16);
        LogRig.Run(place.Path, async rig =>
        {
            await rig.ReplayAsync();
            Result<LogAddress> last = default;
            do
            {
                last = await rig.AppendShardAsync(ObjectId.New(), 200 * 1024, 1);
            }
            while (last.IsOk);

            Assert.Equal(FaultCode.NoSpace, last.Fault!.Code);
            Assert.Equal(DeviceState.Full, rig.Device.State);
            Assert.True((await rig.Log.AppendTombstoneAsync("name", 1)).IsOk);
        });
    }

    [SkippableFact]
    public void A_block_device_with_something_else_on_it_is_left_alone()
    {
        using MountedPlace place = MountedPlace.LoopDevice(16);
        using (FileStream device = File.OpenWrite(place.Path))
        {
            device.Write("precious data of somebody else"u8);
        }

        LogRig.Run(place.Path, rig =>
        {
            Assert.False(rig.Device.IsOpen);
            Assert.Contains("something else", rig.Device.Reason);
            return Task.CompletedTask;
        });
        using FileStream after = File.OpenRead(place.Path);
        var head = new byte[8];
        after.ReadExactly(head);
        Assert.Equal("precious"u8.ToArray(), head);
    }

    [SkippableFact]
    public void A_directory_of_the_format_before_is_refused_with_the_reason()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        File.WriteAllText(
            Path.Combine(directory.Path, DeviceSuperblock.FileName),
            $$"""{"format":1,"device":"{{ObjectId.New()}}","state":"{{LogRig.StateId}}"}""");

        LogRig.Run(directory.Path, rig =>
        {
            Assert.False(rig.Device.IsOpen);
            Assert.Contains("format 1", rig.Device.Reason);
            return Task.CompletedTask;
        });
    }

    [SkippableFact]
    public void A_directory_that_vanishes_is_missing_and_nothing_else_breaks()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        string path = Directory.CreateDirectory(Path.Combine(directory.Path, "device")).FullName;
        LogRig.Run(path, async rig =>
        {
            await rig.ReplayAsync();
            Assert.True((await rig.Log.AppendVoidAsync(ObjectId.New())).IsOk);
            Directory.Delete(path, recursive: true);
            rig.Device.Refresh();

            Assert.Equal(DeviceState.Missing, rig.Device.State);
            Assert.False(rig.Device.TakesWrites);
        });
    }

    [SkippableFact]
    public void A_copy_of_a_device_is_rejected_wherever_it_comes_in()
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, rig =>
        {
            using var devices = new DeviceSet([rig.Device]);
            StorageDevice copy = StorageDevice.Open(
                1, directory.Path,
                Files.Open(directory.Path, OpenFlags.Read | OpenFlags.Directory).Value,
                LogRig.StateId, rig.Reactor, rig.Pool);
            devices.Add(copy);

            Assert.Equal(DeviceState.Failed, copy.State);
            Assert.Contains("copy of device 0", copy.Reason);
            Assert.Equal(DeviceState.Ok, rig.Device.State);
            return Task.CompletedTask;
        });
    }

    [SkippableTheory]
    [MemberData(nameof(LogRig.Reactors), MemberType = typeof(LogRig))]
    public void Appends_in_steady_state_allocate_nothing(ReactorChoice choice)
    {
        using TestDirectory directory = LogRig.NewDirectory();
        LogRig.Run(directory.Path, async rig =>
        {
            await rig.ReplayAsync();
            var manifest = new byte[600];
            var inline = new byte[640];
            long allocated = long.MaxValue;
            // The first rounds fill pools and compile; a segment made on the way allocates.
            for (int round = 0; round < 30 && allocated > 0; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 60; i++)
                {
                    ValueTask<Result<LogAddress>> first = rig.Log.AppendCommitAsync(
                        LogRig.Commit(default), manifest, inline);
                    ValueTask<Result<LogAddress>> second = rig.Log.AppendCommitAsync(
                        LogRig.Commit(default), manifest, inline);
                    Assert.True((await first).IsOk & (await second).IsOk);
                }

                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            }

            Assert.Equal(0, allocated);
        }, choice, options: new DeviceLogOptions { SegmentBytesFirst = 16 * 1024 * 1024 });
    }
}
