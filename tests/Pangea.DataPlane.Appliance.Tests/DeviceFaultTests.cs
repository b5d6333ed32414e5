using System.Diagnostics;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: devices and workers may fail at any moment, and what was acknowledged stays. Method: real
/// processes, real kills, real file systems that are full, read-only or gone.
/// </summary>
public sealed class DeviceFaultTests
{
    [Fact]
    public void Five_lost_devices_end_a_get_with_code_5_and_no_file()
    {
        using Appliance appliance = Appliance.Start();
        string source = WriteRandom(appliance, "source", 3_000_000);
        Assert.Equal(0, appliance.Run("put", source, "--name", "a").ExitCode);
        foreach (int device in new[] { 0, 3, 4, 9 })
        {
            Directory.Delete(appliance.DevicePath(device), recursive: true);
        }

        string target = Path.Combine(appliance.Directory, "target");
        CommandResult fourLost = appliance.Run("get", "a", "--output", target);
        Assert.True(fourLost.ExitCode == 0, fourLost.Error);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));
        File.Delete(target);

        Directory.Delete(appliance.DevicePath(7), recursive: true);
        CommandResult fiveLost = appliance.Run("get", "a", "--output", target);

        Assert.Equal(5, fiveLost.ExitCode);
        Assert.Contains("needs 8 of 12 shards, has 7", fiveLost.Error, StringComparison.Ordinal);
        Assert.Equal(["run", "source", "var"], Directory.GetFileSystemEntries(appliance.Directory)
            .Select(Path.GetFileName).Order());

        // Shown as missing until the supervisor has made its own directories anew.
        Assert.True(
            appliance.Run("status").Output.Contains("missing", StringComparison.Ordinal)
                || appliance.Log.Contains("device.returned", StringComparison.Ordinal),
            appliance.Log);
    }

    [Fact]
    public void A_missing_configured_device_is_shown_and_puts_go_on_without_it()
    {
        using Appliance appliance = Appliance.Create(["--config", "pangea.yaml"]);
        var paths = Enumerable.Range(0, 12)
            .Select(i => Path.Combine(appliance.Directory, $"disk{i}")).ToArray();
        foreach (string path in paths.Where((_, i) => i != 6))
        {
            Directory.CreateDirectory(path);
        }

        File.WriteAllText(
            Path.Combine(appliance.Directory, "pangea.yaml"),
            "storage:\n  devices:\n" + string.Concat(paths.Select(path => $"    - {path}\n")));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();

        using RpcClient client = appliance.Connect();
        Result<ObjectPutResult> put = Put(client, appliance, "a", 200_000);

        Assert.Equal(11, put.Value.DevicesCommitted);
        Assert.False(Directory.Exists(paths[6]), "a configured device must not be made silently");
        DeviceStatus device = client.Call(RpcMethods.SystemStatus, new Nothing()).Value.Devices[6];
        Assert.Equal(DeviceState.Missing, device.State);
        Assert.NotNull(device.Reason);
    }

    [Fact]
    public void A_configured_device_that_is_not_mounted_is_not_formatted()
    {
        using Appliance appliance = Appliance.Create(["--config", "pangea.yaml"]);
        string[] paths = [.. Enumerable.Range(0, 12)
            .Select(i => Path.Combine(appliance.Directory, $"disk{i}"))];
        foreach (string path in paths)
        {
            Directory.CreateDirectory(path);
        }

        File.WriteAllText(
            Path.Combine(appliance.Directory, "pangea.yaml"),
            "storage:\n  devices:\n" + string.Concat(paths.Select(path => $"    - {path}\n")));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal(0, appliance.Stop());

        Directory.Move(paths[6], paths[6] + ".unmounted");
        Directory.CreateDirectory(paths[6]);
        appliance.StartSupervisor();
        appliance.WaitUntilReady();

        Assert.Empty(Directory.GetFileSystemEntries(paths[6]));
        using RpcClient client = appliance.Connect();
        DeviceStatus device =
            client.Call(RpcMethods.SystemStatus, Nothing.Value).Value.Devices[6];
        Assert.Equal(DeviceState.Missing, device.State);
        Assert.Contains("was in use before", device.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("state.notWritten", appliance.Log, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_full_and_a_read_only_device_are_left_out_and_named()
    {
        using Appliance appliance = Appliance.Create();
        string full = Directory.CreateDirectory(appliance.DevicePath(2)).FullName;
        string readOnly = Directory.CreateDirectory(appliance.DevicePath(5)).FullName;
        Skip.IfNot(Mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", full), "mounting needs root");
        try
        {
            Assert.True(Mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", readOnly));
            appliance.StartSupervisor();
            appliance.WaitUntilReady();
            using (RpcClient first = appliance.Connect())
            {
                Assert.Equal(12, Put(first, appliance, "small", 1000).Value.DevicesCommitted);
            }

            // A file system with files open for writing cannot be made read-only.
            Assert.Equal(0, appliance.Stop());
            Assert.True(Mount("-o", "remount,ro", readOnly));
            appliance.StartSupervisor();
            appliance.WaitUntilReady();
            using RpcClient client = appliance.Connect();

            Result<ObjectPutResult> put = Put(client, appliance, "larger", 4_000_000);

            Assert.True(put.IsOk, put.Fault?.ToString());
            Assert.Equal(10, put.Value.DevicesCommitted);
            SystemStatusResult status = client.Call(RpcMethods.SystemStatus, new Nothing()).Value;
            Assert.Equal(DeviceState.Full, status.Devices[2].State);
            Assert.Equal(DeviceState.ReadOnly, status.Devices[5].State);
            Assert.Equal(ApplianceState.Degraded, status.State);
            string target = Path.Combine(appliance.Directory, "back");
            Assert.Equal(0, appliance.Run("get", "larger", "--output", target).ExitCode);
        }
        finally
        {
            appliance.KillSupervisor();
            Unmount(full);
            Unmount(readOnly);
        }
    }

    [Fact]
    public async Task A_worker_killed_at_random_moments_loses_no_acknowledged_object()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using Appliance appliance = Appliance.Start();
        string source = WriteRandom(appliance, "source", 6_000_000);
        byte[] content = File.ReadAllBytes(source);
        string target = Path.Combine(appliance.Directory, "target");
        for (int round = 0; round < 10; round++)
        {
            int pid = appliance.WorkerPid();
            bool putting = round % 2 == 0;
            Task<CommandResult> command = Task.Run(() => putting
                ? appliance.Run("put", source, "--name", "a")
                : appliance.Run("get", "a", "--output", target));
            await Task.Delay(random.Next(50, 250));
            Appliance.Signal(pid, "KILL");

            CommandResult result = await command;

            Assert.True(
                result.ExitCode is 0 or 8,
                $"round {round} seed {seed}: exit {result.ExitCode} "
                + $"{result.Error}\n{appliance.Log}");
            appliance.WaitUntilReady();
            if (round == 0)
            {
                // From here on there is an acknowledged version, and it must stay whole.
                Assert.Equal(0, appliance.Run("put", source, "--name", "a").ExitCode);
            }

            File.Delete(target);
            CommandResult get = appliance.Run("get", "a", "--output", target);
            Assert.True(
                get.ExitCode == 0, $"round {round} seed {seed}: {get.Error}\n{appliance.Log}");
            Assert.True(
                content.AsSpan().SequenceEqual(File.ReadAllBytes(target)),
                $"round {round} seed {seed}");
        }

        // One version is needed, whatever was begun besides.
        using RpcClient client = appliance.Connect();
        SystemStatusResult status = client.Call(RpcMethods.SystemStatus, Nothing.Value).Value;
        Assert.InRange(
            appliance.LiveBytes(), status.StoredBytes!.Value, 2 * status.StoredBytes.Value);
    }

    private static Result<ObjectPutResult> Put(
        RpcClient client, Appliance appliance, string name, int bytes)
    {
        string path = WriteRandom(appliance, $"source-{name}", bytes);
        using OwnedFd file = Files.Open(path, OpenFlags.Read).Value;
        return client.Call(RpcMethods.ObjectPut, new ObjectPutParameters { Name = name }, [file]);
    }

    private static string WriteRandom(Appliance appliance, string name, int bytes)
    {
        var content = new byte[bytes];
        Random.Shared.NextBytes(content);
        string path = Path.Combine(appliance.Directory, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    private static bool Mount(params string[] arguments) => Run("/bin/mount", arguments);

    private static void Unmount(string path) => Run("/bin/umount", ["-l", path]);

    private static bool Run(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
        })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
