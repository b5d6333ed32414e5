using System.Diagnostics;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// What is left of root in the processes of an appliance that root started, seen from outside.
/// </summary>
public sealed class PrivilegeTests
{
    private const string NotRoot = "needs root: nobody else has privilege to give up";
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    [SkippableFact]
    public void Every_thread_of_the_supervisor_is_the_service_user_without_capabilities()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start([.. s_small, "--user", "61183:61182"]);
        AssertDropped(appliance.SupervisorPid);

        // And still does what it is for.
        string device = Path.Combine(appliance.Directory, "added");
        Directory.CreateDirectory(device);
        CommandResult added = appliance.Run("device", "add", device);
        Assert.True(added.ExitCode == 0, added.Error + appliance.Log);
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitFor("death", () => appliance.Log.Contains("worker.lost"));
        Assert.Contains("status=\"signal 9\"", appliance.Log);
        appliance.WaitUntilReady();
        Assert.Equal(0, appliance.Run("worker", "restart", "0").ExitCode);
        Assert.Equal(0, appliance.Run("key", "rotate").ExitCode);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        CommandResult put = appliance.Run("put", source, "--name", "a");
        Assert.True(put.ExitCode == 0, put.Error + appliance.Log);
        AssertDropped(appliance.SupervisorPid);
        Assert.Contains("supervisor.dropped uid=61183 capabilities=none", appliance.Log);
        Assert.Equal(0, appliance.Stop());
        Assert.False(File.Exists(appliance.SocketPath));

        // The state is the service user's now, and the next start opens it as before.
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
    }

    /// <summary>Root without the capabilities that no step of the warden takes.</summary>
    [SkippableFact]
    public void The_warden_keeps_what_its_table_says_and_no_more()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        int warden = ParentOf(appliance.WorkerPid());
        Assert.Equal(appliance.SupervisorPid, ParentOf(warden));

        // CHOWN, DAC_OVERRIDE, SETGID, SETUID, SETPCAP, SYS_ADMIN, SYS_RESOURCE of
        // capabilities(7).
        const ulong table = (1 << 0) | (1 << 1) | (1 << 6) | (1 << 7) | (1 << 8) | (1 << 21)
            | (1 << 24);
        foreach (Dictionary<string, string> thread in Threads(warden))
        {
            Assert.Equal("0 0 0 0", thread["Uid"]);
            Assert.Equal("1", thread["NoNewPrivs"]);
            foreach (string set in (string[])["CapPrm", "CapEff", "CapBnd"])
            {
                Assert.Equal(0UL, Convert.ToUInt64(thread[set], 16) & ~table);
            }
        }
    }

    [SkippableFact]
    public void A_lost_warden_ends_the_appliance_and_a_restart_recovers()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        int worker = appliance.WorkerPid();
        Appliance.Signal(ParentOf(worker), "KILL");
        appliance.WaitForEnd();
        Assert.Contains("warden.lost", appliance.Log);
        Assert.False(IsRunning(worker));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
    }

    [SkippableFact]
    public void A_killed_supervisor_takes_warden_and_workers_with_it()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        int worker = appliance.WorkerPid();
        int warden = ParentOf(worker);
        appliance.KillSupervisor();
        var watch = Stopwatch.StartNew();
        while (IsRunning(worker) || IsRunning(warden))
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), appliance.Log);
            Thread.Sleep(10);
        }

        appliance.StartSupervisor();
        appliance.WaitUntilReady();
    }

    [SkippableFact]
    public void A_directory_of_the_system_is_no_device()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        string link = Path.Combine(appliance.Directory, "link");
        string empty = Directory.CreateTempSubdirectory("pangea-empty-").FullName;
        string inEtc = Path.Combine("/etc", Path.GetFileName(empty));
        Directory.Delete(empty);
        Directory.CreateDirectory(inEtc);
        try
        {
            File.CreateSymbolicLink(link, inEtc);
            CommandResult added = appliance.Run("device", "add", link);
            Assert.NotEqual(0, added.ExitCode);
            Assert.Contains("belongs to the system", added.Error);
        }
        finally
        {
            Directory.Delete(inEtc);
        }
    }

    /// <summary>
    /// Nor is one that root's configuration names no place for, by whatever name; once it does, it
    /// is a device.
    /// </summary>
    [SkippableFact]
    public void A_directory_at_no_place_of_the_configuration_is_no_device()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Create(s_small);
        string elsewhere = Directory.CreateTempSubdirectory("pangea-elsewhere-").FullName;
        string file = Path.Combine(appliance.Directory, "pangea.yaml");
        string link = Path.Combine(appliance.Directory, "link");
        try
        {
            File.WriteAllText(file, "workers: {stallSeconds: 11}");
            File.CreateSymbolicLink(link, elsewhere);
            appliance.StartSupervisor("--config", file);
            appliance.WaitUntilReady();
            foreach (string path in (string[])[elsewhere, link])
            {
                CommandResult refused = appliance.Run("device", "add", path);
                Assert.NotEqual(0, refused.ExitCode);
                Assert.Contains("lies at no place for devices", refused.Error);
                Assert.Contains("storage.devicePlaces", refused.Error);
            }

            Assert.Contains("warden.refused", appliance.Log);
            File.WriteAllText(file, $"storage: {{devicePlaces: [{elsewhere}]}}");
            CommandResult added = appliance.Run("device", "add", elsewhere);
            Assert.True(added.ExitCode == 0, added.Error + appliance.Log);
            Assert.Equal(0, appliance.Stop());
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [SkippableFact]
    public void Root_without_the_right_to_change_its_user_is_refused()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        const string setPriv = "/usr/bin/setpriv";
        Skip.IfNot(File.Exists(setPriv), "needs setpriv (Debian package util-linux)");
        using Appliance appliance = Appliance.Create(s_small);
        appliance.Wrapper = [setPriv, "--bounding-set=-setuid", "--"];
        appliance.StartSupervisor();
        Assert.Equal(1, appliance.WaitForEnd());
        Assert.Contains("CAP_SETUID", appliance.Log);
    }

    [SkippableFact]
    public void A_user_that_is_not_there_is_refused()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Create([.. s_small, "--user", "no-such-user"]);
        appliance.StartSupervisor();
        Assert.NotEqual(0, appliance.WaitForEnd());
        Assert.Contains("there is no user no-such-user", appliance.Log);
        Assert.Contains("useradd", appliance.Log);
    }

    private static void AssertDropped(int pid)
    {
        List<Dictionary<string, string>> threads = Threads(pid);
        Assert.NotEmpty(threads);
        foreach (Dictionary<string, string> thread in threads)
        {
            Assert.Equal("61183 61183 61183 61183", thread["Uid"]);
            Assert.Equal("61182 61182 61182 61182", thread["Gid"]);
            Assert.Equal("", thread["Groups"]);
            Assert.Equal("1", thread["NoNewPrivs"]);
            foreach (string set in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
            {
                Assert.Equal(0UL, Convert.ToUInt64(thread[set], 16));
            }
        }
    }

    private static List<Dictionary<string, string>> Threads(int pid) =>
    [
        .. Directory.GetDirectories($"/proc/{pid}/task")
            .Select(task => StatusOf(Path.Combine(task, "status"))),
    ];

    private static Dictionary<string, string> StatusOf(string path) =>
        File.ReadAllLines(path)
            .Select(line => line.Split(':', 2))
            .ToDictionary(
                parts => parts[0],
                parts => string.Join(
                    ' ', parts[1].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)));

    private static int ParentOf(int pid) =>
        int.Parse(StatusOf($"/proc/{pid}/status")["PPid"]);

    private static bool IsRunning(int pid) =>
        Directory.Exists($"/proc/{pid}")
            && !StatusOf($"/proc/{pid}/status")["State"].StartsWith('Z');
}
