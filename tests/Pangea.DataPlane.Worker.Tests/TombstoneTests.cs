using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: the catalog does not grow by what was removed, and still nothing that was removed comes
/// back, whichever devices were away meanwhile.
/// </summary>
public sealed class TombstoneTests
{
    private const int Away = 3;
    private const ulong AllFour = 0b1111;

    [Fact]
    public void A_removal_that_every_device_knows_is_forgotten_and_stays()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
        long removedMs;
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("o", new byte[5000]).IsOk);
            Assert.True(rig.Remove("o").IsOk);
            removedMs = Removed(rig)!.RemovedMs;
            Look(rig, keepMs: 1_000_000);
            Assert.NotNull(Removed(rig));
            Look(rig, keepMs: -1);
            Assert.Null(Removed(rig));
            Assert.Empty(rig.Names());
            Assert.True(rig.Checkpoint().IsOk);
        }

        using (var rig = new StorageRig(options))
        {
            Assert.Empty(rig.Names());
            Assert.Equal(removedMs, rig.OnLoop(
                () => ValueTask.FromResult(rig.Service.Tombstones.FloorMs)));
        }

        options.LoseCatalog();
        using var anew = new StorageRig(options);
        Assert.Empty(anew.Names());
    }

    [Fact]
    public void A_device_that_was_away_is_told_and_only_then_it_is_forgotten()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
        string path = options.DevicePaths[Away];
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("o", new byte[5000]).IsOk);
            Assert.True(rig.Put("large", new byte[300_000]).IsOk);
        }

        Directory.Move(path, path + ".away");
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Remove("o").IsOk);
            Assert.True(rig.Remove("large").IsOk);
            Look(rig, keepMs: -1);
            Assert.Equal(3, System.Numerics.BitOperations.PopCount(Removed(rig)!.DeviceMask));
            Assert.True(rig.Checkpoint().IsOk);
        }

        Directory.Move(path + ".away", path);
        using (var rig = new StorageRig(options))
        {
            Assert.Empty(rig.Names());
            Look(rig, keepMs: 1_000_000);
            Assert.Equal(AllFour, Removed(rig)!.DeviceMask);
        }

        // Its own log says so now.
        options.LoseCatalog();
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(AllFour, Removed(rig)!.DeviceMask);
            Look(rig, keepMs: -1);
            Assert.Null(Removed(rig));
            Assert.True(rig.Checkpoint().IsOk);
        }

        using var last = new StorageRig(options);
        Assert.Empty(last.Names());
    }

    [Fact]
    public void A_device_that_was_lost_for_good_keeps_removals_remembered()
    {
        using var options = new StorageRigOptions(
            dataShards: 2, parityShards: 2, spareDevices: 1);
        using var rig = new StorageRig(options);
        Assert.True(rig.Put("o", new byte[5000]).IsOk);
        rig.OnLoop(() =>
        {
            // Some device of years ago, which may come back with everything it had.
            _ = rig.Service.Catalog.OrdinalOf(12345);
            return ValueTask.FromResult(true);
        });
        Assert.True(rig.Remove("o").IsOk);
        Look(rig, keepMs: -1);
        Assert.NotNull(Removed(rig));
    }

    /// <summary>Tombstones in the logs outlive the memory of them.</summary>
    [Fact]
    public void A_new_version_is_later_than_every_removal_that_was_forgotten()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
        long future = StorageService.NowMs + 1_000_000;
        byte[] content = [1, 2, 3];
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("o", new byte[5000]).IsOk);
            rig.OnLoop(async () =>
            {
                // Removed before the clock was set back.
                ObjectEntry entry = rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!;
                return await ObjectRemoval.BuryVersionAsync(
                    rig.Service, entry with { CreatedMs = future });
            });
            Look(rig, keepMs: -2_000_000);
            Assert.Null(Removed(rig));
            Assert.True(rig.Put("o", content).IsOk);
            Assert.Equal(content, rig.Get("o").Content);
        }

        options.LoseCatalog();
        using var anew = new StorageRig(options);
        Assert.Equal(content, anew.Get("o").Content);
    }

    private static void Look(StorageRig rig, long keepMs) => rig.OnLoop(async () =>
    {
        rig.Service.Tombstones.KeepMs = keepMs;
        await rig.Service.Tombstones.RunOnceAsync();
        return true;
    });

    private static RemovedName? Removed(StorageRig rig) =>
        rig.OnLoop(() => ValueTask.FromResult(rig.Service.Catalog.FindRemoved("o")));
}
