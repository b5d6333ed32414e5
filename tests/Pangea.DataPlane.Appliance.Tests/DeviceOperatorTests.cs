using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: devices that are added, replaced, taken out or missing, as an operator meets them, with
/// processes that die in between. The appliances are of 2+1 on directories of their own.
/// </summary>
public sealed class DeviceOperatorTests
{
    [Fact]
    public void Changes_outlive_the_appliance_however_it_ends()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        string file = Store(appliance, "before", 2_000_000);
        string added = NewDirectory(appliance, "added");
        string replacing = NewDirectory(appliance, "replacing");
        Succeeds(appliance, "device", "add", added);
        Succeeds(appliance, "device", "remove", "0", "--wait");
        Succeeds(appliance, "device", "replace", "2", replacing, "--wait");
        string[] expected = [appliance.DevicePath(1), replacing, added];
        Assert.Equal(expected, Paths(appliance));
        string[] ids = Ids(appliance);

        appliance.KillSupervisor();
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal(expected, Paths(appliance));
        Assert.Equal(ids, Ids(appliance));
        Assert.Equal([1, 2, 3], Devices(appliance).Select(device => device.Index));
        AssertWhole(appliance, "before", file);
        Store(appliance, "after", 100_000);
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void A_device_that_is_missing_at_the_start_is_used_once_it_appears()
    {
        using Appliance appliance = Appliance.Create();
        string[] paths = [.. Enumerable.Range(0, 4).Select(i => NewDirectory(appliance, $"d{i}"))];
        string configuration = Path.Combine(appliance.Directory, "pangea.yaml");
        File.WriteAllText(
            configuration,
            "storage:\n  redundancy: 2+1\n  devices:\n"
                + string.Concat(paths.Select(path => $"    - {path}\n")));
        appliance.StartSupervisor("--config", configuration);
        appliance.WaitUntilReady();
        string file = Store(appliance, "whole", 3_000_000);
        string id = Devices(appliance)[3].Id!;
        Assert.Equal(0, appliance.Stop());

        // As a disk that is unplugged during a boot and plugged in again later.
        string away = paths[3] + "-away";
        Directory.Move(paths[3], away);
        appliance.StartSupervisor("--config", configuration);
        appliance.WaitUntilReady();
        Assert.Equal(DeviceState.Missing, Devices(appliance)[3].State);
        AssertWhole(appliance, "whole", file);
        Directory.Move(away, paths[3]);
        appliance.WaitFor(
            "the device", () => Devices(appliance)[3] is { State: DeviceState.Ok } device
                && device.Id == id);
        appliance.WaitFor("the note", () => appliance.Log.Contains("device.returned index=3"));

        // As a file system that is not mounted: its empty directory is no device, its return is.
        Assert.Equal(0, appliance.Stop());
        Directory.Move(paths[3], away);
        Directory.CreateDirectory(paths[3]);
        appliance.StartSupervisor("--config", configuration);
        appliance.WaitUntilReady();
        Assert.Equal(DeviceState.Missing, Devices(appliance)[3].State);
        Assert.Empty(Directory.GetFileSystemEntries(paths[3]));
        Directory.Delete(paths[3]);
        Directory.Move(away, paths[3]);
        appliance.WaitFor("the device", () => Devices(appliance)[3].State == DeviceState.Ok);
        AssertWhole(appliance, "whole", file);
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void Emptying_a_device_goes_on_with_the_next_worker()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        var files = new Dictionary<string, string>();
        for (int i = 0; i < 6; i++)
        {
            files.Add($"object{i}", Store(appliance, $"object{i}", 6_000_000 + i));
        }

        Succeeds(appliance, "device", "add", NewDirectory(appliance, "added"));
        CommandResult begun = appliance.Run("device", "remove", "1");
        Assert.Equal(0, begun.ExitCode);
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitUntilReady();
        appliance.WaitFor(
            "the device to be out", () => Devices(appliance).All(device => device.Index != 1));
        using RpcClient client = appliance.Connect();
        foreach ((string name, string file) in files)
        {
            ObjectStatResult stat = client.Call(
                RpcMethods.ObjectStat, new ObjectNameParameters { Name = name }).Value;
            Assert.Equal(3, stat.ShardsAvailable);
            AssertWhole(appliance, name, file);
        }

        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void A_device_of_another_appliance_is_refused_and_stays_as_it_is()
    {
        using Appliance other = Appliance.Start(["--redundancy", "2+1"]);
        string file = Store(other, "theirs", 1_000_000);
        Assert.Equal(0, other.Stop());
        using Appliance appliance = Appliance.Start(
            ["--redundancy", "2+1", "--device-places", other.Directory]);
        string[] before = Contents(other.DevicePath(0));
        CommandResult added = appliance.Run("device", "add", other.DevicePath(0));
        Assert.NotEqual(0, added.ExitCode);
        Assert.Contains("belongs to the appliance state", added.Error);
        Assert.NotEqual(
            0, appliance.Run("device", "replace", "0", other.DevicePath(0)).ExitCode);
        Assert.Equal(before, Contents(other.DevicePath(0)));
        other.StartSupervisor();
        other.WaitUntilReady();
        AssertWhole(other, "theirs", file);
    }

    private static string[] Contents(string path) =>
    [
        .. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(file => $"{file} {Convert.ToHexString(
                System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)))}"),
    ];

    private static IReadOnlyList<DeviceStatus> Devices(Appliance appliance)
    {
        using RpcClient client = appliance.Connect();
        return client.Call(StorageMethods.DeviceList, new Nothing()).Value.Devices;
    }

    private static string[] Paths(Appliance appliance) =>
        [.. Devices(appliance).Select(device => device.Path)];

    private static string[] Ids(Appliance appliance) =>
        [.. Devices(appliance).Select(device => device.Id ?? "")];

    private static string NewDirectory(Appliance appliance, string name) =>
        Directory.CreateDirectory(Path.Combine(appliance.Directory, name)).FullName;

    private static void Succeeds(Appliance appliance, params string[] command)
    {
        CommandResult run = appliance.Run(command);
        Assert.True(run.ExitCode == 0, $"{run.Error}\n{appliance.Log}");
    }

    /// <summary>Stores random bytes; returns the file that they came from.</summary>
    private static string Store(Appliance appliance, string name, int bytes)
    {
        byte[] content = new byte[bytes];
        Random.Shared.NextBytes(content);
        string file = Path.Combine(appliance.Directory, "source-" + name);
        File.WriteAllBytes(file, content);
        Succeeds(appliance, "put", file, "--name", name);
        return file;
    }

    private static void AssertWhole(Appliance appliance, string name, string file)
    {
        string target = Path.Combine(appliance.Directory, "target-" + name);
        Succeeds(appliance, "get", name, "-o", target);
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(target));
    }
}
