using System.Security.Cryptography;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// A process waits to take the worker's place: confined as that is, without anything of value, and
/// there whenever there is a worker.
/// </summary>
public sealed class StandbyTests
{
    private const string NotRoot = "needs root: to look into other users' processes";
    private static readonly string[] s_small = ["--redundancy", "2+1"];
    private static readonly string[] s_confinement =
    [
        "Uid", "Gid", "Groups", "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
    ];

    [SkippableFact]
    public void It_waits_in_the_workers_jail_with_nothing_but_its_channel()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        StandbyStatus standby = WaitForStandby(appliance);
        int worker = appliance.WorkerPid();
        string expected = Assert.Single(Confinement(worker));
        Assert.Equal(expected, Assert.Single(Confinement(standby.Pid)));
        Assert.Equal(Limits(worker), Limits(standby.Pid));
        Assert.Equal(appliance.Workers()[0].Landlock, standby.Landlock);
        foreach (string kind in (string[])["mnt", "ipc"])
        {
            Assert.NotEqual(Namespace(appliance.SupervisorPid, kind), Namespace(standby.Pid, kind));
        }

        string[] links = Links(standby.Pid);
        Assert.Single(links, link => link.StartsWith("socket:"));
        Assert.DoesNotContain(links, link => link.StartsWith(appliance.Directory));
        Assert.DoesNotContain(links, link => link.Contains("io_uring"));
        Assert.False(Directory.Exists(Path.Combine(appliance.StatePath, "rehearsal")));

        string table = appliance.Run("worker", "list", "-o", "wide").Output;
        Assert.Matches($@"standby +{standby.Pid} ", table);
    }

    [SkippableFact]
    public void Promoted_it_is_confined_in_every_thread_as_the_worker_before_was()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        int first = appliance.WorkerPid();
        WorkerStatus before = appliance.Workers()[0];
        string confinement = Assert.Single(Confinement(first, "Seccomp", "Seccomp_filters"));
        string limits = Limits(first);
        string[] links = OfNote(appliance, first);
        StandbyStatus standby = WaitForStandby(appliance);
        Promote(appliance, standby);
        WorkerStatus after = appliance.Workers()[0];
        Assert.Equal(
            confinement, Assert.Single(Confinement(standby.Pid, "Seccomp", "Seccomp_filters")));
        Assert.Contains("Seccomp 2", confinement);
        Assert.Equal(limits, Limits(standby.Pid));
        Assert.Equal(links, OfNote(appliance, standby.Pid));
        Assert.Equal(
            (before.Landlock, before.Cores, before.Seccomp),
            (after.Landlock, after.Cores, after.Seccomp));
        Assert.DoesNotContain("10", Nicenesses(standby.Pid));
        Assert.Equal(0, appliance.Run("ls").ExitCode);
    }

    [Fact]
    public void Objects_are_whole_after_ten_kills_and_ten_promotions()
    {
        using Appliance appliance = Appliance.Start(s_small);
        List<(string Name, string Path)> objects = [];
        for (int round = 0; round < 10; round++)
        {
            string path = Path.Combine(appliance.Directory, $"source{round}");
            File.WriteAllBytes(path, RandomNumberGenerator.GetBytes((round * 200_000) + 1000));
            CommandResult put = appliance.Run("put", path, "--name", $"object{round}");
            Assert.True(put.ExitCode == 0, put.Error + appliance.Log);
            objects.Add(($"object{round}", path));
            Promote(appliance, WaitForStandby(appliance));
        }

        Assert.Equal(10, Count(appliance.Log, "standby.promoted"));
        Assert.Equal(10, Count(appliance.Log, "worker.lost"));
        foreach ((string name, string path) in objects)
        {
            string target = Path.Combine(appliance.Directory, "restored");
            CommandResult get = appliance.Run("get", name, "--output", target);
            Assert.True(get.ExitCode == 0, get.Error + appliance.Log);
            Assert.True(
                File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(target)), name);
        }

        // The one that died last can be asked what it did, as ever.
        Assert.Equal(0, appliance.Run("worker", "postmortem", "0").ExitCode);
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void One_that_is_killed_is_replaced_after_growing_pauses_and_the_worker_serves_on()
    {
        using Appliance appliance = Appliance.Start(s_small);
        int worker = appliance.WorkerPid();
        for (int i = 0; i < 3; i++)
        {
            int killed = WaitForStandby(appliance).Pid;
            Appliance.Signal(killed, "KILL");
            appliance.WaitFor(
                "another standby",
                () => appliance.Workers() is [{ Standby: { } other }] && other.Pid != killed);
        }

        appliance.WaitFor("three losses", () => Count(appliance.Log, "standby.lost") == 3);
        Assert.Equal(3, Count(appliance.Log, "status=\"signal 9\""));
        Assert.Equal(worker, appliance.WorkerPid());
        Assert.Equal(0, Assert.Single(appliance.Workers()).Restarts);
        Assert.DoesNotContain("worker.lost", appliance.Log);
    }

    [Fact]
    public void Both_killed_at_once_are_both_replaced()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string path = Path.Combine(appliance.Directory, "source");
        File.WriteAllBytes(path, RandomNumberGenerator.GetBytes(300_000));
        Assert.Equal(0, appliance.Run("put", path, "--name", "kept").ExitCode);
        int standby = WaitForStandby(appliance).Pid;
        int worker = appliance.WorkerPid();
        Appliance.Signal(standby, "KILL");
        Appliance.Signal(worker, "KILL");
        appliance.WaitFor(
            "two others",
            () => appliance.Workers() is
                [{ State: WorkerState.Ready, Pid: { } pid, Standby: { } other }]
                && pid != worker && pid != standby && other.Pid != standby);
        string target = Path.Combine(appliance.Directory, "restored");
        Assert.Equal(0, appliance.Run("get", "kept", "--output", target).ExitCode);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(target));
        Assert.Equal(0, appliance.Stop());
    }

    /// <summary>A start that comes in the middle of the rehearsal ends that.</summary>
    [Fact]
    public void One_that_still_rehearses_takes_over_all_the_same()
    {
        using Appliance appliance = Appliance.Start(s_small);
        StandbyStatus? standby = null;
        appliance.WaitFor(
            "a standby", () => (standby = appliance.Workers() is [{ Standby: { } s }] ? s : null)
                is not null);
        Promote(appliance, standby!);
        Assert.Equal(0, appliance.Run("ls").ExitCode);
        Assert.Equal(0, appliance.Stop());
        Assert.False(Directory.Exists(Path.Combine(appliance.StatePath, "rehearsal")));
    }

    [Fact]
    public void A_restart_that_is_asked_for_takes_it_too()
    {
        using Appliance appliance = Appliance.Start(s_small);
        StandbyStatus standby = WaitForStandby(appliance);
        Assert.Equal(0, appliance.Run("worker", "restart", "0").ExitCode);
        Assert.Equal(standby.Pid, appliance.WorkerPid());
        Assert.DoesNotContain("worker.lost", appliance.Log);
    }

    [Fact]
    public void The_configuration_turns_it_off_and_on_without_a_restart()
    {
        using Appliance appliance = Appliance.Create(s_small);
        string file = Path.Combine(appliance.Directory, "pangea.yaml");
        File.WriteAllText(file, "workers: {storage: {standby: false}}");
        appliance.StartSupervisor("--config", file);
        appliance.WaitUntilReady();
        int worker = appliance.WorkerPid();
        File.WriteAllText(file, "workers: {storage: {standby: true}}");
        CommandResult on = appliance.Run("config", "reload");
        Assert.Contains("workers.storage.standby", on.Output);
        int standby = WaitForStandby(appliance).Pid;
        File.WriteAllText(file, "workers: {storage: {standby: false}}");
        Assert.Equal(0, appliance.Run("config", "reload").ExitCode);
        appliance.WaitFor("its end", () => !Directory.Exists($"/proc/{standby}"));
        Assert.Null(appliance.Workers()[0].Standby);
        Assert.Equal(worker, appliance.WorkerPid());
        Assert.DoesNotContain("standby.lost", appliance.Log);

        File.WriteAllText(file, "workers: {storage: {standby: maybe}}");
        CommandResult refused = appliance.Run("config", "reload");
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains(file, refused.Error);
    }

    /// <summary>A jail that was made without a device is of no use to who needs it.</summary>
    [Fact]
    public void A_device_that_is_added_replaces_it()
    {
        using Appliance appliance = Appliance.Start(s_small);
        int old = WaitForStandby(appliance).Pid;
        string device = Path.Combine(appliance.Directory, "more");
        Directory.CreateDirectory(device);
        CommandResult added = appliance.Run("device", "add", device);
        Assert.True(added.ExitCode == 0, added.Error + appliance.Log);
        Assert.NotEqual(old, appliance.WorkerPid());
        appliance.WaitFor("its end", () => !Directory.Exists($"/proc/{old}"));
        Promote(appliance, WaitForStandby(appliance));
        using RpcClient client = appliance.Connect();
        SystemStatusResult status = client.Call(RpcMethods.SystemStatus, Nothing.Value).Value;
        Assert.Equal(DeviceState.Ok, Assert.Single(
            status.Devices, each => each.Path == device).State);
        Assert.DoesNotContain("standby.lost", appliance.Log);
    }

    [Fact]
    public void It_ends_with_the_supervisor_in_order_or_not()
    {
        using Appliance appliance = Appliance.Start(s_small);
        int first = WaitForStandby(appliance).Pid;
        Assert.Equal(0, appliance.Stop());
        Assert.False(Directory.Exists($"/proc/{first}"));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        int second = WaitForStandby(appliance).Pid;
        appliance.KillSupervisor();
        for (int i = 0; i < 500 && Directory.Exists($"/proc/{second}"); i++)
        {
            Thread.Sleep(20);
        }

        Assert.False(Directory.Exists($"/proc/{second}"));
    }

    /// <summary>Kills the worker; the standby must be the next one.</summary>
    private static void Promote(Appliance appliance, StandbyStatus standby)
    {
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitFor(
            "the promotion",
            () => appliance.Workers() is [{ State: WorkerState.Ready, Pid: { } pid }]
                && pid == standby.Pid);
    }

    private static StandbyStatus WaitForStandby(Appliance appliance)
    {
        appliance.WaitUntilStandby();
        return appliance.Workers()[0].Standby!;
    }

    /// <summary>What the kernel says of each thread; one line where all say the same.</summary>
    private static IEnumerable<string> Confinement(int pid, params string[] more) =>
        Directory.GetDirectories($"/proc/{pid}/task")
            .Select(task => string.Join('\n', File.ReadLines(Path.Combine(task, "status"))
                .Select(line => line.Split(':', 2))
                .Where(parts => s_confinement.Contains(parts[0]) || more.Contains(parts[0]))
                .Select(parts => $"{parts[0]} {parts[1].Trim()}")))
            .Distinct();

    private static string Limits(int pid) => File.ReadAllText($"/proc/{pid}/limits");

    private static string? Namespace(int pid, string kind) =>
        new FileInfo($"/proc/{pid}/ns/{kind}").LinkTarget;

    private static string[] Links(int pid) =>
    [
        .. Directory.GetFileSystemEntries($"/proc/{pid}/fd")
            .Select(path => new FileInfo(path).LinkTarget).OfType<string>(),
    ];

    /// <summary>What it has of the appliance, and its rings and channels.</summary>
    private static string[] OfNote(Appliance appliance, int pid) =>
    [
        .. Links(pid)
            .Where(link => (link.StartsWith(appliance.Directory) && !link.Contains("segments/"))
                || link.Contains("io_uring") || link.StartsWith("socket:")
                || link.StartsWith("/memfd:pangea"))
            .Select(link => link.StartsWith("socket:") ? "socket" : link)
            .Order(),
    ];

    private static string[] Nicenesses(int pid) =>
    [
        .. Directory.GetDirectories($"/proc/{pid}/task")
            .Select(task => File.ReadAllText(Path.Combine(task, "stat")))
            .Select(text => text[(text.LastIndexOf(')') + 2)..].Split(' ')[16]),
    ];

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
