using System.Diagnostics;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>How directories and block devices are opened, and which of them there are.</summary>
public sealed class DeviceTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory(
        "pangea-device-");

    private readonly List<string> _loops = [];

    private string StatePath => Path.Combine(_directory.FullName, "var");

    public void Dispose()
    {
        _loops.ForEach(loop => Run("losetup", "-d", loop));
        _directory.Delete(recursive: true);
    }

    [Fact]
    public void Embedded_devices_are_made_again_and_configured_ones_never()
    {
        ApplianceConfiguration embedded = Configuration();
        Assert.Equal(3, OpenAll(embedded).Count(device => device.Opened is not null));
        Directory.Delete(embedded.Devices[1]);
        Assert.Equal(3, OpenAll(embedded).Count(device => device.Opened is not null));

        Directory.Delete(embedded.Devices[1]);
        List<OpenedDevice> devices = OpenAll(embedded with { CreatesDevices = false });
        Assert.Equal(DeviceState.Missing, devices[1].State);
        Assert.Contains(embedded.Devices[1], devices[1].Reason);
        Assert.False(Directory.Exists(embedded.Devices[1]));
    }

    [Fact]
    public void A_file_in_place_of_a_device_is_a_failed_device()
    {
        ApplianceConfiguration configuration = Configuration();
        OpenAll(configuration);
        Directory.Delete(configuration.Devices[0]);
        File.WriteAllText(configuration.Devices[0], "not a directory");
        Assert.Equal(DeviceState.Failed, OpenAll(configuration)[0].State);
    }

    [SkippableFact]
    public void A_directory_with_somebody_elses_files_keeps_its_owner()
    {
        Skip.IfNot(UserAccount.IsRoot, "only root gives files away");
        UserAccount user = UserAccount.Find("7:8").Value;
        string path = Path.Combine(_directory.FullName, "home");
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "letter"), "dear");
        Open(path, user);
        Assert.Equal(0u, OwnerOf(path));
        File.WriteAllText(Path.Combine(path, "pangea-device.json"), "{}");
        Open(path, user);
        Assert.Equal(7u, OwnerOf(path));
        Assert.Equal(7u, OwnerOf(Path.Combine(path, "letter")));
    }

    [SkippableFact]
    public void A_blank_block_device_is_opened_for_us_alone()
    {
        string loop = MakeLoop();
        using (OwnedFd fd = DeviceOpener.Open(loop, null).Value.Fd)
        {
            Assert.Equal(FaultCode.Busy, DeviceOpener.Open(loop, null).Fault?.Code);
            FileAccessMode mode = Files.AccessMode(fd).Value;
            Assert.True(mode is { Readable: true, Writable: true, Direct: true });
        }

        string link = Path.Combine(_directory.FullName, "disk");
        File.CreateSymbolicLink(link, loop);
        OpenedPath again = DeviceOpener.Open(link, null).Value;
        Assert.Equal(DeviceKind.Block, again.Identity.Kind);
        again.Fd.Dispose();
    }

    [SkippableFact]
    public void A_block_device_with_a_file_system_is_refused_mounted_or_not()
    {
        string loop = MakeLoop();
        Skip.IfNot(Run("mkfs.ext4", "-q", loop), "no mkfs.ext4 here");
        Fault? fault = DeviceOpener.Open(loop, null).Fault;
        Assert.Equal(FaultCode.Exists, fault?.Code);
        Assert.Contains("dd if=/dev/zero", fault?.Hint);

        string mount = Path.Combine(_directory.FullName, "mount");
        Directory.CreateDirectory(mount);
        Skip.IfNot(Run("mount", loop, mount), "mounting is not allowed here");
        try
        {
            // Its first bytes are made ours, so that the mount alone speaks against it.
            using (OwnedFd raw = Files.Open(loop, OpenFlags.Write).Value)
            {
                Assert.True(Files.WriteAt(raw, "{}"u8, 0).IsOk);
            }

            fault = DeviceOpener.Open(loop, null).Fault;
            Assert.Equal(FaultCode.Busy, fault?.Code);
            Assert.Contains("mounted", fault?.Message);
        }
        finally
        {
            Assert.True(Run("umount", mount));
        }

        DeviceOpener.Open(loop, null).Value.Fd.Dispose();
    }

    [Fact]
    public void Changes_at_run_time_go_over_the_configuration()
    {
        ApplianceConfiguration configuration = Configuration() with
        {
            Devices = ["/a", "/b", "/c", "/d"],
        };
        using StateDirectory state = StateDirectory.Open(StatePath).Value;
        var table = new DeviceTable(configuration, state);
        Assert.Equal(4, table.FreeIndex);
        Assert.Null(table.Put(4, "/e with blanks"));
        Assert.Null(table.Put(1, "/b2"));
        Assert.Null(table.Remove(2));
        Assert.Null(table.SetDraining(table.Find("/d").Value, draining: true));
        Assert.Equal(2, table.FreeIndex);

        DevicePlace[] expected =
        [
            new(0, "/a", DeviceSource.Configuration, false),
            new(1, "/b2", DeviceSource.State, false),
            new(3, "/d", DeviceSource.Configuration, true),
            new(4, "/e with blanks", DeviceSource.State, false),
        ];
        Assert.Equal(expected, table.Places);
        Assert.Equal(expected, new DeviceTable(configuration, state).Places);

        // A configuration that was brought up to date names each device once.
        ApplianceConfiguration later = configuration with
        {
            Devices = ["/a", "/b2", "/e with blanks", "/d"],
        };
        Assert.Equal(
            ["/a", "/b2", "/d", "/e with blanks"],
            new DeviceTable(later, state).Places.Select(place => place.Path));
        Assert.Null(table.Put(1, "/b"));
        Assert.Null(table.Remove(4));
        Assert.Equal(
            ["2 none", "3 drain /d"], File.ReadLines(Path.Combine(StatePath, "device-changes")));
    }

    /// <summary>Lines of chance beside good ones: the good ones count, nothing throws.</summary>
    [Fact]
    public void Damaged_lines_among_the_changes_are_passed_over()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        string[] words =
            ["0", "3", "64", "-1", "99999999999", "use", "drain", "none", "/x", "x", "", "\t", "é"];
        using StateDirectory state = StateDirectory.Open(StatePath).Value;
        string file = Path.Combine(StatePath, "device-changes");
        for (int i = 0; i < 2_000; i++)
        {
            File.WriteAllText(file, string.Join(' ', Enumerable.Range(0, random.Next(5))
                .Select(_ => words[random.Next(words.Length)])) + "\n9 use /nine\n");
            Exception? thrown = Record.Exception(() => Assert.Contains(
                new DeviceTable(Configuration(), state).Places, place => place.Path == "/nine"));
            Assert.True(thrown is null, $"seed {seed}: {File.ReadAllText(file)}\n{thrown}");
        }
    }

    private static void Open(string path, UserAccount user) =>
        DeviceOpener.Open(path, user).Value.Fd.Dispose();

    private static uint OwnerOf(string path)
    {
        using OwnedFd file = Files.Open(path, OpenFlags.Read).Value;
        return Files.Status(file).Value.Uid;
    }

    private ApplianceConfiguration Configuration() => ConfigurationSources.Load(
        ["--redundancy", "2+1", "--state", StatePath], _ => null).Value;

    /// <summary>What each place of the configuration gave; nothing stays open.</summary>
    private static List<OpenedDevice> OpenAll(ApplianceConfiguration configuration)
    {
        using StateDirectory state = StateDirectory.Open(configuration.StateDirectory).Value;
        using var devices = new WorkerDevices(
            configuration, state, new DeviceTable(configuration, state),
            new OwnSteps(configuration.User));
        devices.OpenAll();
        return [.. devices.All];
    }

    private string MakeLoop()
    {
        Skip.IfNot(UserAccount.IsRoot, "only root makes loop devices");
        string image = Path.Combine(_directory.FullName, $"image{_loops.Count}");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(16 * 1024 * 1024);
        }

        using Process losetup = Start("losetup", "--find", "--show", image);
        string loop = losetup.StandardOutput.ReadToEnd().Trim();
        losetup.WaitForExit();
        Skip.If(losetup.ExitCode != 0, "the kernel gives no loop device here");
        _loops.Add(loop);
        return loop;
    }

    private static bool Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin" },
        })!;
}
