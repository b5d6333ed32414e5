using Pangea.DataPlane.Ces;
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
                Assert.Equal(0, rig.LeasedSlabs);
                if (untouched)
                {
                    return;
                }
            }

            // From the last checkpoint on, and from the devices alone.
            for (int start = 0; start < 2; start++)
            {
                using var again = new StorageRig(options);
                Assert.True(
                    again.Get("a").Content.AsSpan().SequenceEqual(put ? content : old),
                    $"operation {nth}, start {start}");
                options.LoseCatalog();
            }
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
        var full = new HashSet<int>();
        using (var probe = new StorageRig(options))
        {
            Assert.True(probe.Put("before", [1, 2, 3]).IsOk);
        }

        foreach (int devices in new[] { 3, 4 })
        {
            full.Clear();
            options.Plan = call =>
            {
                int device = call.Kind == ReactorCallKind.Write
                    ? options.DeviceOf(call.File)
                    : -1;
                if (device < 0 || (!full.Contains(device) && full.Count >= devices))
                {
                    return InjectedFault.None;
                }

                full.Add(device);
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
        }
    }

    /// <summary>
    /// The commit is on so many devices when the power goes: with k it can be restored and is kept,
    /// with fewer it was never acknowledged and goes for good.
    /// </summary>
    [Theory]
    [InlineData(0, 1000)]
    [InlineData(1, 1000)]
    [InlineData(7, 1000)]
    [InlineData(8, 1000)]
    [InlineData(11, 1000)]
    [InlineData(0, 3 * StripeBytes)]
    [InlineData(7, 3 * StripeBytes)]
    [InlineData(8, 3 * StripeBytes)]
    public void A_crash_between_the_commits_of_devices(int committed, int length)
    {
        using var options = new StorageRigOptions();
        byte[] old = PutGetTests.Mixed(70_000);
        byte[] content = PutGetTests.Mixed(length);
        byte[][] before;
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", old).IsOk);
            before = Journals(options);
            Assert.True(rig.Put("a", content).IsOk);
            Assert.True(rig.Put("b", content).IsOk);
        }

        for (int device = committed; device < 12; device++)
        {
            File.WriteAllBytes(JournalOf(options, device), before[device]);
        }

        for (int start = 0; start < 3; start++)
        {
            options.LoseCatalog();
            using var again = new StorageRig(options);
            bool isKept = committed >= 8;
            Assert.Equal(isKept ? ["a", "b"] : ["a"], again.Names());
            Assert.Equal(isKept ? content : old, again.Get("a").Content);
        }
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

        options.LoseCatalog();
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(["kept"], rig.Names());
            Assert.Equal(kept, rig.Get("kept").Content);
        }
    }

    [Fact]
    public void A_newer_version_of_which_too_little_is_here_does_not_hide_a_whole_one()
    {
        using var options = new StorageRigOptions();
        byte[] first = PutGetTests.Mixed(100_000);
        byte[] second = PutGetTests.Mixed(150_000);
        byte[][] before;
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", first).IsOk);
            before = Journals(options);
            Assert.True(rig.Put("a", second).IsOk);
        }

        // Seven devices have the newer version. Three are away and may have it too.
        for (int device = 7; device < 12; device++)
        {
            if (device < 9)
            {
                File.WriteAllBytes(JournalOf(options, device), before[device]);
            }
            else
            {
                Hide(options, device, away: true);
            }
        }

        options.LoseCatalog();
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(first, rig.Get("a").Content);
            Assert.Contains(
                rig.Remarks, remark => remark.Contains("passed over", StringComparison.Ordinal));
        }

        // They have it: what was passed over is found again although the catalog went on.
        for (int device = 9; device < 12; device++)
        {
            Hide(options, device, away: false);
        }

        using (var rig = new StorageRig(options))
        {
            Assert.Equal(second, rig.Get("a").Content);
            Assert.True(rig.Remove("a").IsOk);
        }

        options.LoseCatalog();
        using var again = new StorageRig(options);
        Assert.Empty(again.Names());
    }

    [Fact]
    public void Many_unusable_objects_make_few_remarks()
    {
        using var options = new StorageRigOptions(dataShards: 1, parityShards: 1);
        string key = options.KeyText;
        using (var rig = new StorageRig(options))
        {
            for (int i = 0; i < 200; i++)
            {
                Assert.True(rig.Put($"object {i}", [1, 2, 3]).IsOk);
            }
        }

        options.LoseCatalog();
        options.KeyText = KeyRing.Of(MasterKey.Generate()).FormatSecrets();
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(51, rig.Remarks.Count);
            Assert.Equal("and 150 remarks more", rig.Remarks[^1]);
            Assert.Empty(rig.Names());
        }

        // Nothing was thrown away: with the key they are all there.
        options.LoseCatalog();
        options.KeyText = key;
        using var again = new StorageRig(options);
        Assert.Equal(200, again.Names().Count);
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

    /// <summary>The one journal segment of a device with little on it.</summary>
    private static string JournalOf(StorageRigOptions options, int device) =>
        options.SegmentsOf(device).Single(
            file => File.ReadAllBytes(file).AsSpan(0, 64).IndexOf("PGSEGM01"u8) == 0
                && IsJournal(file));

    private static bool IsJournal(string file) =>
        File.ReadAllBytes(file).AsSpan(4096).IndexOf("PGEN"u8) >= 0;

    private static byte[][] Journals(StorageRigOptions options) =>
        [.. Enumerable.Range(0, 12).Select(
            device => File.ReadAllBytes(JournalOf(options, device)))];
}
