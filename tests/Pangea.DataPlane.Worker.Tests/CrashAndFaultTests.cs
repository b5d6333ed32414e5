using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: whatever fails at whatever moment, an acknowledged object is whole and an unacknowledged
/// one is not half there. Method: fail the first, second, ... n-th operation until a put passes
/// untouched; and put the directories into the states that a crash leaves behind.
/// </summary>
public sealed class CrashAndFaultTests
{
    private const int StripeBytes = 64 * 1024;

    // EIO with the loop computing, ENOSPC with threads beside it.
    public static TheoryData<int, int> ErrnosAndThreads => new() { { 5, 0 }, { 28, 2 } };

    [Theory]
    [MemberData(nameof(ErrnosAndThreads))]
    public void One_failing_operation_never_loses_the_object_nor_leaves_half_of_it(
        int errno, int threads)
    {
        byte[] old = PutGetTests.Mixed(StripeBytes + 9);
        byte[] content = PutGetTests.Mixed((3 * StripeBytes) + 100);
        for (long nth = 1; ; nth++)
        {
            // 4+2 keeps the number of operations, and so of rounds, small; the rules are the same.
            using var options = new StorageRigOptions(dataShards: 4, parityShards: 2)
            {
                ComputeThreads = threads,
            };
            using (var first = new StorageRig(options))
            {
                Assert.True(first.Put("a", old).IsOk);
            }

            // Counted from the put on, not from the recovery's reads.
            long calls = long.MinValue;
            options.Plan = call => call.Kind is not ReactorCallKind.Poll
                && ++calls == nth ? InjectedFault.Fail(new Errno(errno)) : InjectedFault.None;
            bool put;
            using (var rig = new StorageRig(options))
            {
                calls = 0;
                Result<ObjectPutResult> result = rig.Put("a", content);
                put = result.IsOk;
                bool untouched = calls < nth;
                options.Plan = null;
                calls = long.MinValue;
                (Result<ObjectGetResult> get, byte[] back) = rig.Get("a");
                Assert.True(get.IsOk, $"operation {nth}: {get.Fault}");
                Assert.True(back.AsSpan().SequenceEqual(put ? content : old), $"operation {nth}");
                Assert.Empty(options.FilesIn("tmp"));
                Assert.Equal(0, rig.LeasedSlabs);
                if (untouched)
                {
                    return;
                }
            }

            using var again = new StorageRig(options);
            Assert.True(
                again.Get("a").Content.AsSpan().SequenceEqual(put ? content : old),
                $"operation {nth}");
        }
    }

    [Fact]
    public void Short_reads_and_writes_change_nothing()
    {
        using var options = new StorageRigOptions
        {
            Plan = FaultInjectingReactor.AlwaysShort(8192),
        };
        using var rig = new StorageRig(options);
        byte[] content = PutGetTests.Mixed((3 * StripeBytes) + 100);

        Result<ObjectPutResult> put = rig.Put("a", content);

        Assert.True(put.IsOk, put.Fault?.ToString());
        Assert.Equal(content, rig.Get("a").Content);
    }

    [Fact]
    public void Four_full_devices_are_too_many_and_three_are_not()
    {
        using var options = new StorageRigOptions();
        var full = new HashSet<OwnedFd>();
        using (var probe = new StorageRig(options))
        {
            Assert.True(probe.Put("before", [1, 2, 3]).IsOk);
        }

        foreach (int devices in new[] { 3, 4 })
        {
            full.Clear();
            options.Plan = call =>
            {
                if (call.Kind != ReactorCallKind.Write
                    || (!full.Contains(call.File) && full.Count >= devices))
                {
                    return InjectedFault.None;
                }

                full.Add(call.File);
                return InjectedFault.Fail(Errno.ENOSPC);
            };
            using var rig = new StorageRig(options);
            Result<ObjectPutResult> put = rig.Put($"with {devices} full", PutGetTests.Mixed(1000));
            options.Plan = null;
            if (devices == 3)
            {
                Assert.True(put.IsOk, put.Fault?.ToString());
                Assert.Equal(9, put.Value.DevicesCommitted);
            }
            else
            {
                Assert.Equal(FaultCode.NoSpace, put.Fault!.Code);
                Assert.Contains("8 of 12", put.Fault.Message, StringComparison.Ordinal);
                Assert.Equal(["before", "with 3 full"], rig.Names());
            }

            Assert.Empty(options.FilesIn("tmp"));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(11)]
    public void A_crash_between_the_renames_is_finished_at_the_next_start(int renamed)
    {
        using var options = new StorageRigOptions();
        byte[] content = PutGetTests.Mixed(3 * StripeBytes);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", content).IsOk);
        }

        foreach (string file in options.FilesIn("objects").Skip(renamed))
        {
            File.Move(file, file.Replace("/objects/", "/tmp/", StringComparison.Ordinal));
        }

        using var again = new StorageRig(options);

        Assert.Equal(content, again.Get("a").Content);
        Assert.Equal(12, options.FilesIn("objects").Length);
        Assert.Contains(
            again.Remarks, remark => remark.Contains("interrupted", StringComparison.Ordinal));
    }

    [Fact]
    public void A_crash_before_the_first_rename_leaves_nothing()
    {
        using var options = new StorageRigOptions();
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", PutGetTests.Mixed(3 * StripeBytes)).IsOk);
        }

        foreach (string file in options.FilesIn("objects"))
        {
            File.Move(file, file.Replace("/objects/", "/tmp/", StringComparison.Ordinal));
        }

        using var again = new StorageRig(options);

        Assert.Empty(again.Names());
        Assert.Empty(options.FilesIn("tmp"));
        Assert.Empty(options.FilesIn("objects"));
    }

    [Fact]
    public void A_device_that_was_away_during_a_removal_does_not_bring_the_object_back()
    {
        using var options = new StorageRigOptions();
        byte[] kept = PutGetTests.Mixed(500);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("gone", PutGetTests.Mixed(70_000)).IsOk);
            Assert.True(rig.Put("kept", kept).IsOk);
        }

        Hide(options, 3, away: true);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Remove("gone").IsOk);
            Assert.True(rig.Put("kept", kept).Value.DevicesCommitted == 11);
        }

        Hide(options, 3, away: false);
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(["kept"], rig.Names());
            Assert.Equal(kept, rig.Get("kept").Content);
        }

        // All devices were here: the tombstones have done their work.
        Assert.Empty(options.FilesIn("tombstones"));
        Assert.Equal(11, options.FilesIn("objects").Length);
    }

    [Fact]
    public void A_newer_version_of_which_too_little_is_here_does_not_hide_a_whole_one()
    {
        using var options = new StorageRigOptions();
        byte[] first = PutGetTests.Mixed(100_000);
        string kept = Path.Combine(options.Scratch, "kept");
        Directory.CreateDirectory(kept);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", first).IsOk);
            foreach (string file in options.FilesIn("objects"))
            {
                string device = Path.GetFileName(
                    Path.GetDirectoryName(Path.GetDirectoryName(file))!);
                File.Copy(file, Path.Combine(kept, $"{device}-{Path.GetFileName(file)}"));
            }

            Assert.True(rig.Put("a", PutGetTests.Mixed(50_000)).IsOk);
        }

        // A put that was refused, whose files could not be removed on two devices, beside the old
        // version.
        foreach (string file in options.FilesIn("objects").Skip(2))
        {
            File.Delete(file);
        }

        foreach (string file in Directory.GetFiles(kept))
        {
            string[] parts = Path.GetFileName(file).Split('-');
            File.Copy(file,
                Path.Combine(options.Scratch, "..", "devices", parts[0], "objects", parts[1]));
        }

        using (var rig = new StorageRig(options))
        {
            Assert.Equal(first, rig.Get("a").Content);
            // Its other devices might come back.
            Assert.Equal(14, options.FilesIn("objects").Length);
            Assert.True(rig.Remove("a").IsOk);
            Assert.Empty(options.FilesIn("objects"));
        }

        using var again = new StorageRig(options);
        Assert.Empty(again.Names());
    }

    [Fact]
    public void A_file_that_cannot_be_published_now_is_not_thrown_away()
    {
        using var options = new StorageRigOptions();
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", PutGetTests.Mixed(1000)).IsOk);
        }

        string[] files = options.FilesIn("objects");
        string unpublished = files[0].Replace("/objects/", "/tmp/", StringComparison.Ordinal);
        File.Move(files[0], unpublished);
        Directory.CreateDirectory(files[0]); // Its name is taken by something that is in the way.

        using (new StorageRig(options))
        {
            Assert.True(File.Exists(unpublished));
        }
    }

    [Fact]
    public void Many_unusable_objects_make_few_remarks()
    {
        using var options = new StorageRigOptions(dataShards: 1, parityShards: 1);
        using (new StorageRig(options))
        {
        }

        for (int i = 0; i < 200; i++)
        {
            File.WriteAllBytes(
                Path.Combine(options.DevicePaths[0], "objects", ObjectId.New().ToString()),
                new byte[8192]);
        }

        using var rig = new StorageRig(options);

        Assert.Equal(51, rig.Remarks.Count);
        Assert.Equal("and 150 remarks more", rig.Remarks[^1]);
        Assert.Equal(200, options.FilesIn("objects").Length);
    }

    [Fact]
    public void An_empty_place_of_a_device_in_use_is_not_formatted()
    {
        using var options = new StorageRigOptions();
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", [1, 2, 3]).IsOk);
        }

        Hide(options, 4, away: true);
        Directory.CreateDirectory(options.DevicePaths[4]);
        options.MayFormat = false;
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(Storage.DeviceState.Missing, rig.Service.Devices.All[4].State);
            Assert.Contains(
                "in use before", rig.Service.Devices.All[4].Reason, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(options.DevicePaths[4]));
            Assert.Equal(11, rig.Put("b", [4]).Value.DevicesCommitted);
        }
    }

    [Fact]
    public void A_copy_of_a_device_is_refused()
    {
        using var options = new StorageRigOptions();
        using (new StorageRig(options))
        {
        }

        File.Copy(
            Path.Combine(options.DevicePaths[3], "pangea-device.json"),
            Path.Combine(options.DevicePaths[8], "pangea-device.json"),
            overwrite: true);
        using var rig = new StorageRig(options);

        Assert.Contains(
            "is a copy of device 3", rig.Service.Devices.All[8].Reason, StringComparison.Ordinal);
        Assert.Equal(11, rig.Put("a", [1]).Value.DevicesCommitted);
    }

    [Fact]
    public void A_device_of_another_appliance_and_a_strangers_directory_are_refused()
    {
        using var options = new StorageRigOptions();
        File.WriteAllText(Path.Combine(options.DevicePaths[0], "holiday.jpg"), "not ours");
        File.WriteAllBytes(
            Path.Combine(options.DevicePaths[1], "pangea-device.json"),
            new Storage.DeviceSuperblock(Storage.DeviceId.New(), "another state").Encode());
        using var rig = new StorageRig(options);

        Result<ObjectPutResult> put = rig.Put("a", [1, 2, 3]);

        Assert.Equal(10, put.Value.DevicesCommitted);
        Assert.Contains("holiday.jpg", rig.Service.Devices.All[0].Reason, StringComparison.Ordinal);
        Assert.Contains(
            "another state", rig.Service.Devices.All[1].Reason, StringComparison.Ordinal);
        Assert.Equal(
            ["holiday.jpg"],
            Directory.GetFileSystemEntries(options.DevicePaths[0]).Select(Path.GetFileName));
    }

    private static void Hide(StorageRigOptions options, int device, bool away)
    {
        string path = options.DevicePaths[device];
        Directory.Move(away ? path : path + ".away", away ? path + ".away" : path);
    }
}
