using System.Globalization;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: lost shards come back while a real appliance serves, and neither a killed worker nor a
/// restart of everything makes it begin again.
/// </summary>
public sealed class HealTests
{
    private const int FileBytes = 100_000_000;

    [Fact]
    public void A_replaced_device_is_refilled_across_a_killed_worker_without_starting_again()
    {
        using Appliance appliance = Start(bytesPerSecond: 2_000_000);
        string source = PutRandom(appliance, "large", FileBytes);
        string small = PutRandom(appliance, "small", 5000);
        string fresh = Directory.CreateDirectory(
            Path.Combine(appliance.Directory, "fresh")).FullName;
        Directory.Delete(appliance.DevicePath(4), recursive: true);
        using (RpcClient client = appliance.Connect())
        {
            DeviceChangeResult replaced = client.Call(
                StorageMethods.DeviceReplace,
                new DeviceReplaceParameters { Device = "4", Path = fresh }).Value;
            Assert.True(replaced.Formatted);
            appliance.WaitFor(
                "a third of the work",
                () => client.Call(StorageMethods.HealStatus, Nothing.Value)
                    .Value.BytesWritten > FileBytes / 8 / 3);
        }

        // Progress is noted every two seconds, and the catalog's checkpoint is due each second.
        Thread.Sleep(3500);
        int worker = appliance.WorkerPid();
        Appliance.Signal(worker, "KILL");
        appliance.WaitFor("another worker", () =>
            appliance.Workers() is [{ State: WorkerState.Ready, Pid: { } pid }] && pid != worker);
        using (RpcClient client = appliance.Connect())
        {
            appliance.WaitFor("a device that is full again", () => IsFilled(client, 4));
            HealStatus status = client.Call(StorageMethods.HealStatus, Nothing.Value).Value;
            Assert.InRange(status.BytesWritten, 1, (long)(FileBytes / 8 * 0.85));
            Assert.Equal(0, status.SkippedTotal);
        }

        foreach (int device in new[] { 0, 1, 2, 3 })
        {
            Directory.Delete(appliance.DevicePath(device), recursive: true);
        }

        AssertSame(appliance, "large", source);
        AssertSame(appliance, "small", small);
    }

    [Fact]
    public void A_device_that_is_being_emptied_is_emptied_on_after_a_killed_worker()
    {
        using Appliance appliance = Start(bytesPerSecond: 4_000_000);
        string source = PutRandom(appliance, "large", FileBytes / 3);
        string further = Directory.CreateDirectory(
            Path.Combine(appliance.Directory, "further")).FullName;
        using (RpcClient client = appliance.Connect())
        {
            Assert.Equal(12, client.Call(
                StorageMethods.DeviceAdd,
                new DeviceAddParameters { Path = further }).Value.Index);
            Assert.True(client.Call(
                StorageMethods.DeviceRemove,
                new DeviceRemoveParameters { Device = "7" }).Value.Draining);
        }

        int worker = appliance.WorkerPid();
        Appliance.Signal(worker, "KILL");
        appliance.WaitFor("another worker", () =>
            appliance.Workers() is [{ State: WorkerState.Ready, Pid: { } pid }] && pid != worker);
        using (RpcClient client = appliance.Connect())
        {
            appliance.WaitFor("a device less", () =>
                client.Call(StorageMethods.DeviceList, Nothing.Value).Value.Devices
                    .All(device => device.Index != 7));
        }

        foreach (int device in new[] { 0, 1, 2, 3, 7 })
        {
            Directory.Delete(appliance.DevicePath(device), recursive: true);
        }

        AssertSame(appliance, "large", source);
    }

    [Fact]
    public void A_scrub_finds_flipped_bytes_and_what_it_finds_is_healed()
    {
        using Appliance appliance = Start(bytesPerSecond: 0);
        string source = PutRandom(appliance, "a", 3_000_000);
        int damaged = 0;
        foreach (int device in new[] { 1, 5, 6, 10 })
        {
            string segment = Directory.GetFiles(
                Path.Combine(appliance.DevicePath(device), "segments"), "*.shards").Single();
            using FileStream file = File.OpenWrite(segment);
            file.Position = 3 * 4096; // The second block of the first payload.
            file.WriteByte(0xA5);
            file.Flush(flushToDisk: true);
            damaged++;
        }

        using RpcClient client = appliance.Connect();
        client.Call(StorageMethods.ScrubStart, new ScrubStartParameters { BytesPerSecond = 0 });
        appliance.WaitFor("the end of the pass", () =>
            client.Call(StorageMethods.ScrubStatus, Nothing.Value).Value.Passes == 1);
        Assert.Equal(
            damaged, client.Call(StorageMethods.ScrubStatus, Nothing.Value).Value.ErrorsFound);
        appliance.WaitFor("healed shards", () =>
            client.Call(StorageMethods.HealStatus, Nothing.Value).Value.ShardsHealed == damaged);
        foreach (int device in new[] { 0, 2, 3, 4 })
        {
            Directory.Delete(appliance.DevicePath(device), recursive: true);
        }

        AssertSame(appliance, "a", source);
    }

    private static Appliance Start(long bytesPerSecond)
    {
        string configuration = Path.GetTempFileName();
        File.WriteAllText(configuration, string.Create(CultureInfo.InvariantCulture, $"""
            storage:
              checkpointSeconds: 1
              heal:
                bytesPerSecond: {bytesPerSecond}
                criticalShards: 0
            """));
        Appliance appliance = Appliance.Start(["--config", configuration]);
        File.Delete(configuration);
        return appliance;
    }

    private static bool IsFilled(RpcClient client, int index)
    {
        Result<DeviceListResult> list = client.Call(StorageMethods.DeviceList, Nothing.Value);
        Result<HealStatus> heal = client.Call(StorageMethods.HealStatus, Nothing.Value);
        return list.IsOk && heal.IsOk && heal.Value.BytesWritten > 0
            && list.Value.Devices.Single(device => device.Index == index).Healing is null;
    }

    private static string PutRandom(Appliance appliance, string name, int bytes)
    {
        string path = Path.Combine(appliance.Directory, $"source-{name}");
        byte[] content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        File.WriteAllBytes(path, content);
        CommandResult put = appliance.Run("put", path, "--name", name);
        Assert.True(put.ExitCode == 0, put.Error);
        return path;
    }

    private static void AssertSame(Appliance appliance, string name, string source)
    {
        string target = Path.Combine(appliance.Directory, $"target-{name}");
        CommandResult got = appliance.Run("get", name, "--output", target);
        Assert.True(got.ExitCode == 0, got.Error);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));
    }
}
