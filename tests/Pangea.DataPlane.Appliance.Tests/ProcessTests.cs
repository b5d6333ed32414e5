using System.Diagnostics;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// The processes of the plan, seen from outside: who runs, as whom, with what, and what after a
/// death.
/// </summary>
public sealed class ProcessTests
{
    private const string SetPriv = "/usr/bin/setpriv";
    private const string NoSetPriv = "needs setpriv (Debian package util-linux)";
    private const string Unreachable = "the build lies where an ordinary user cannot reach it";
    private const StringSplitOptions RemoveEmpty = StringSplitOptions.RemoveEmptyEntries;
    private const string NotRoot = "needs root: only root can run workers as another user";

    /// <summary>
    /// Capabilities, no_new_privs and affinity belong to threads, so each thread of the worker is
    /// asked.
    /// </summary>
    [SkippableFact]
    public void Every_thread_of_a_worker_is_without_privilege()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(["--user", "61183:61182"]);
        WorkerStatus worker = Assert.Single(appliance.Workers());
        string[] tasks = Directory.GetDirectories($"/proc/{worker.Pid}/task");
        Assert.NotEmpty(tasks);
        int[] cores = CoreAffinity.Get().Value.ToArray();
        foreach (string task in tasks)
        {
            Dictionary<string, string> status = StatusOf(Path.Combine(task, "status"));
            Assert.Equal("61183 61183 61183 61183", status["Uid"]);
            Assert.Equal("61182 61182 61182 61182", status["Gid"]);
            Assert.Equal("", status["Groups"]);
            foreach (string set in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
            {
                Assert.Equal(0UL, Convert.ToUInt64(status[set], 16));
            }

            Assert.Equal("1", status["NoNewPrivs"]);
            Assert.Equal("2", status["Seccomp"]);
            string first = $"{cores[0]}";
            string last = $"{cores[^1]}";
            string[] allowed = [$"{first},{last}", $"{first}-{last}", first, last];
            Assert.Contains(status["Cpus_allowed_list"], allowed);
        }

        string none = new('0', 16);
        Assert.All(
            (string?[])[
                worker.CapabilitiesPermitted, worker.CapabilitiesEffective,
                worker.CapabilitiesInheritable, worker.CapabilitiesAmbient,
            ],
            set => Assert.Equal(none, set));
        Assert.Equal(
            CoreList.Format(tasks.SelectMany(task => CoreList.Parse(
                StatusOf(Path.Combine(task, "status"))["Cpus_allowed_list"])).Distinct().Order()),
            worker.Cores);
        Assert.Equal(worker.Descriptors!.Sum(each => each.Count), worker.OpenDescriptors);
        Assert.InRange(worker.OpenDescriptors!.Value, LinksOf(worker.Pid!.Value).Length - 3,
            LinksOf(worker.Pid!.Value).Length + 3);
        Assert.Equal((61183, 61182), (worker.Uid, worker.Gid));
        Assert.Equal(("filter", true), (worker.Seccomp, worker.NoNewPrivileges));
        Assert.Equal((new string('0', 16), new string('0', 16)),
            (worker.Capabilities, worker.CapabilitiesBounding));
        Assert.Equal(tasks.Length, worker.Threads);
        Assert.True(worker.Landlock, appliance.Log);
        Assert.Contains(worker.Descriptors!, each => each is { Kind: "socket", Count: 1 });
        Assert.Contains("no capabilities", worker.Isolation);
    }

    [SkippableFact]
    public void A_worker_has_mounts_of_its_own_and_reaches_nothing_but_what_it_was_given()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start();
        int pid = appliance.WorkerPid();
        Assert.NotEqual(
            LinkOf($"/proc/{appliance.SupervisorPid}/ns/mnt"), LinkOf($"/proc/{pid}/ns/mnt"));
        var below = new DirectoryInfo($"/proc/{pid}/root/tmp");
        Assert.Equal(
            ["dotnet", "pangea"], below.GetFileSystemInfos().Select(entry => entry.Name).Order());
        Assert.Contains("ro,", OptionsOfMount(pid, "/tmp/pangea"));

        // No path of the state: only the device directories, which came as descriptors.
        string[] links = LinksOf(pid);
        Assert.DoesNotContain(links, link => link.EndsWith("master.key") || link.EndsWith("/lock"));
        Assert.Equal(12, links.Count(
            link => Path.GetDirectoryName(link) == Path.Combine(appliance.StatePath, "devices")));
    }

    [SkippableFact]
    public void The_supervisor_opens_no_file_of_a_device()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        string devices = Path.Combine(appliance.StatePath, "devices") + "/";
        string[] files = [.. LinksOf(appliance.SupervisorPid)
            .Where(link => link.StartsWith(devices) && link[devices.Length..].Contains('/'))];
        Assert.Empty(files);
    }

    [Fact]
    public void A_killed_worker_is_started_again_and_calls_wait_for_it()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        int first = appliance.WorkerPid();
        Appliance.Signal(first, "KILL");
        using RpcClient client = appliance.Connect();
        appliance.WaitFor("sign of the loss", () => appliance.Log.Contains("worker.lost"));
        Result<ObjectListResult> list = client.Call(
            RpcMethods.ObjectList, new ObjectListParameters());
        Assert.True(list.IsOk, $"{list.Fault}\n{appliance.Log}");
        WorkerStatus worker = Assert.Single(appliance.Workers());
        Assert.Equal((WorkerState.Ready, 1), (worker.State, worker.Restarts));
        Assert.NotEqual(first, worker.Pid);
    }

    [Fact]
    public void The_workers_die_with_a_killed_supervisor_and_the_next_one_takes_over()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        int worker = appliance.WorkerPid();
        appliance.KillSupervisor();
        Assert.True(File.Exists(appliance.SocketPath));
        appliance.WaitFor("end of the worker", () => !IsRunning(worker));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.NotEqual(worker, appliance.WorkerPid());
    }

    [Fact]
    public void A_termination_signal_ends_everything_in_order()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        int worker = appliance.WorkerPid();
        Assert.Equal(0, appliance.Stop());
        Assert.False(IsRunning(worker));
        Assert.False(File.Exists(appliance.SocketPath));
        Assert.DoesNotContain("worker.killed", appliance.Log);
        Assert.Contains("supervisor.stopped", appliance.Log);
    }

    [Fact]
    public void A_second_supervisor_on_the_same_state_or_socket_refuses()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        CommandResult state = appliance.Run(
            "supervise",
            "--state", appliance.StatePath,
            "--socket", Path.Combine(appliance.Directory, "other.sock"));
        Assert.Equal(1, state.ExitCode);
        Assert.Contains("another supervisor uses the state directory", state.Error);
        CommandResult socket = appliance.Run(
            "supervise",
            "--state", Path.Combine(appliance.Directory, "other"),
            "--socket", appliance.SocketPath);
        Assert.Equal(1, socket.ExitCode);
        Assert.Contains("another process listens", socket.Error);
        Assert.Equal(WorkerState.Ready, Assert.Single(appliance.Workers()).State);
    }

    [Fact]
    public void A_wrong_configuration_is_a_usage_error_that_names_the_place()
    {
        using Appliance appliance = Appliance.Create();
        string file = Path.Combine(appliance.Directory, "wrong.yaml");
        File.WriteAllText(file, "storage:\n  colour: red\n");
        CommandResult result = appliance.Run("supervise", "--config", file);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"{file}:2:3: unknown key \"colour\"", result.Error);
    }

    /// <summary>
    /// A stopped worker answers nothing; the supervisor must still say how things are.
    /// </summary>
    [Fact]
    public void The_status_is_seen_while_the_worker_hangs()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        int worker = appliance.WorkerPid();
        Appliance.Signal(worker, "STOP");
        try
        {
            using RpcClient client = appliance.Connect();
            Result<SystemStatusResult> status = client.Call(RpcMethods.SystemStatus, new Nothing());
            Assert.True(status.IsOk, status.Fault?.ToString());
            Assert.Equal(ApplianceState.Degraded, status.Value.State);
            Assert.Null(status.Value.Objects);
        }
        finally
        {
            Appliance.Signal(worker, "CONT");
        }
    }

    [Fact]
    public void A_worker_that_hangs_is_killed_when_the_appliance_stops()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        Appliance.Signal(appliance.WorkerPid(), "STOP");
        Assert.Equal(0, appliance.Stop());
        Assert.Contains("worker.killed", appliance.Log);
    }

    [Fact]
    public void One_client_more_than_allowed_is_told_so_and_the_others_go_on()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        var clients = new List<RpcClient>();
        try
        {
            for (int i = 0; i < Limits.ConnectionsMax; i++)
            {
                clients.Add(appliance.Connect());
            }

            using RpcClient surplus = appliance.Connect();
            Result<RpcMessage> refused = surplus.Receive();
            Assert.Equal(FaultCode.Busy, RpcErrors.Read(refused.Value)?.Code);
            Assert.All(
                (RpcClient[])[clients[0], clients[^1]],
                client => Assert.True(client.Call(RpcMethods.SystemVersion, new Nothing()).IsOk));
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    [Fact]
    public void Descriptors_of_calls_do_not_pile_up()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        using RpcClient client = appliance.Connect();
        using OwnedFd file = OwnedFd.Borrow(0);
        OwnedFd[] three = [file, file, file];
        Repeat(client, three, times: 5);
        int supervisorBefore = LinksOf(appliance.SupervisorPid).Length;
        int workerBefore = UserAccount.IsRoot ? LinksOf(appliance.WorkerPid()).Length : 0;
        Repeat(client, three, times: 200);

        // Runtime and start-up open and close a few of their own meanwhile; a leak would be 400.
        const int chance = 20;
        Assert.InRange(LinksOf(appliance.SupervisorPid).Length, 0, supervisorBefore + chance);
        if (UserAccount.IsRoot)
        {
            Assert.InRange(LinksOf(appliance.WorkerPid()).Length, 0, workerBefore + chance);
        }
    }

    /// <summary>
    /// The socket's permissions are opened wide, so that only the check of the peer is left.
    /// </summary>
    [SkippableFact]
    public void Another_user_is_refused_even_on_an_open_socket()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        Skip.IfNot(File.Exists(SetPriv), NoSetPriv);
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        const UnixFileMode everybody = (UnixFileMode)0x1FF;
        File.SetUnixFileMode(appliance.Directory, everybody);
        File.SetUnixFileMode(Path.GetDirectoryName(appliance.SocketPath)!, everybody);
        File.SetUnixFileMode(appliance.SocketPath, everybody);
        string script =
            "import socket,sys; s=socket.socket(socket.AF_UNIX); "
            + "s.connect(sys.argv[1]); print(s.recv(4096).decode())";
        using Process stranger = Process.Start(new ProcessStartInfo(
            SetPriv,
            [
                "--reuid=65534", "--regid=65534", "--clear-groups",
                "/usr/bin/python3", "-c", script, appliance.SocketPath,
            ])
        {
            RedirectStandardOutput = true,
        })!;
        string answer = stranger.StandardOutput.ReadToEnd();
        stranger.WaitForExit();
        Assert.Contains("-32012", answer);
        Assert.Contains("uid 65534", answer);
    }

    /// <summary>Without root everything works as the caller, and says so.</summary>
    [SkippableFact]
    public void Without_root_the_worker_runs_as_the_caller_and_the_log_says_so()
    {
        Skip.IfNot(UserAccount.IsRoot, "needs root to become an ordinary user");
        Skip.IfNot(File.Exists(SetPriv), NoSetPriv);
        string[] asNobody =
            [SetPriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        Skip.IfNot(CanReach(asNobody, Appliance.Program), Unreachable);
        using Appliance appliance = Appliance.Create(["--redundancy", "2+1"]);
        File.SetUnixFileMode(appliance.Directory, (UnixFileMode)0x1FF);
        appliance.Wrapper = asNobody;
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        WorkerStatus worker = Assert.Single(appliance.Workers());
        Assert.Equal(65534, worker.Uid);
        Assert.Contains("the caller", worker.Isolation);
        Assert.Equal("1", StatusOf($"/proc/{worker.Pid}/status")["NoNewPrivs"]);
        Assert.Contains("supervisor.unprivileged", appliance.Log);
    }

    /// <summary>
    /// Root in a container often may not mount; the worker then runs from the real path.
    /// </summary>
    [SkippableFact]
    public void Without_the_right_to_mount_the_worker_is_still_without_privilege()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        Skip.IfNot(File.Exists(SetPriv), NoSetPriv);
        string[] asWorker = [SetPriv, "--reuid=61183", "--regid=61183", "--clear-groups", "--"];
        Skip.IfNot(CanReach(asWorker, Appliance.Program), Unreachable);
        using Appliance appliance = Appliance.Create(["--redundancy", "2+1", "--user", "61183"]);
        appliance.Wrapper = [SetPriv, "--bounding-set=-sys_admin", "--"];
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Contains("jail.waived what=\"no private mounts", appliance.Log);
        WorkerStatus worker = Assert.Single(appliance.Workers());
        Assert.Equal(61183, worker.Uid);
        Assert.Equal(("filter", true), (worker.Seccomp, worker.NoNewPrivileges));
        Assert.True(worker.Landlock, appliance.Log);
        Dictionary<string, string> status = StatusOf($"/proc/{worker.Pid}/status");
        Assert.Equal(0UL, Convert.ToUInt64(status["CapBnd"], 16));
        Assert.Equal("1", status["NoNewPrivs"]);
    }

    /// <summary>
    /// A clone below root's home: the worker's user has no way to the program, and the jail's own
    /// mounts bring it there.
    /// </summary>
    [SkippableFact]
    public void The_program_may_lie_where_only_root_gets()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Create(["--redundancy", "2+1", "--user", "61183"]);
        string copy = Path.Combine(appliance.Directory, "program");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(Appliance.Program)!))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        appliance.SupervisorProgram = Path.Combine(copy, "pangea");
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.DoesNotContain("jail.waived", appliance.Log);
        Assert.Equal("/tmp/pangea/pangea", LinkOf($"/proc/{appliance.WorkerPid()}/exe"));
    }

    /// <summary>
    /// A jail whose user has no way to the program must still work: it brings its own mounts.
    /// </summary>
    [SkippableFact]
    public void The_state_may_lie_where_only_root_gets()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(
            ["--redundancy", "2+1", "--user", "61183:61183"]);
        UnixFileMode mode = File.GetUnixFileMode(appliance.Directory);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, mode);
        Assert.Equal(WorkerState.Ready, Assert.Single(appliance.Workers()).State);
    }

    /// <summary>The plain twin of the ring does the same work through the same processes.</summary>
    [Fact]
    public void Without_io_uring_everything_works_and_says_why()
    {
        using Appliance appliance = Appliance.Start(
            ["--redundancy", "2+1"], new() { ["PANGEA_RING"] = "plain" });
        WorkerStatus worker = Assert.Single(appliance.Workers());
        Assert.Equal("plain", worker.Ring);
        Assert.Contains("PANGEA_RING=plain", worker.RingReason);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        Assert.Equal(0, appliance.Run("put", source, "--name", "a").ExitCode);
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
    }

    /// <summary>
    /// A worker that cannot start must not take the reason with it: a client hears it too.
    /// </summary>
    [Fact]
    public void A_damaged_key_is_told_to_whoever_calls()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        Assert.Equal(0, appliance.Stop());
        string key = Path.Combine(appliance.StatePath, "keys", "master.key");
        string text = File.ReadAllText(key);
        char flipped = text[^2] == '0' ? '1' : '0';
        File.WriteAllText(key, text[..^2] + flipped + "\n");
        appliance.StartSupervisor();
        appliance.WaitFor("refusal", () => appliance.Log.Contains("worker.refusedStart"));
        CommandResult list = appliance.Run("ls");
        Assert.Equal(8, list.ExitCode);
        Assert.Contains("key file", list.Error);
        Assert.DoesNotContain(text.Split(' ')[2][..16], appliance.Log + list.Error);
    }

    /// <summary>What the worker of one user stored is the next user's after a change.</summary>
    [SkippableFact]
    public void The_workers_user_may_change_between_two_starts()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Create(["--redundancy", "2+1"]);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        foreach (string user in (string[])["61183:61183", "61182:61182"])
        {
            appliance.StartSupervisor("--user", user);
            appliance.WaitUntilReady();
            CommandResult put = appliance.Run("put", source, "--name", $"by {user}");
            Assert.True(put.ExitCode == 0, put.Error);
            CommandResult get = appliance.Run("get", "by 61183:61183", "--output", "-");
            Assert.Equal((0, "the content"), (get.ExitCode, get.Output));
            Assert.Equal(0, appliance.Stop());
        }
    }

    private static void Repeat(RpcClient client, OwnedFd[] descriptors, int times)
    {
        for (int i = 0; i < times; i++)
        {
            // Unknown object: the call goes all the way to the worker, and nobody wants the
            // descriptors.
            Result<RpcMessage> reply = client.CallRaw(
                "object.stat", "{\"name\":\"none\"}"u8, descriptors);
            Assert.Equal(FaultCode.NotFound, RpcErrors.Read(reply.Value)?.Code);
            reply = client.CallRaw("system.version", "{}"u8, descriptors);
            Assert.Equal(RpcKind.Result, reply.Value.Kind);
        }
    }

    private static bool CanReach(string[] asNobody, string path)
    {
        using Process test = Process.Start(
            asNobody[0], [.. asNobody[1..], "/usr/bin/test", "-x", path]);
        test.WaitForExit();
        return test.ExitCode == 0;
    }

    private static bool IsRunning(int pid) =>
        Directory.Exists($"/proc/{pid}")
            && !StatusOf($"/proc/{pid}/status")["State"].StartsWith('Z');

    private static Dictionary<string, string> StatusOf(string path) =>
        File.ReadAllLines(path)
            .Select(line => line.Split(':', 2))
            .ToDictionary(
                parts => parts[0],
                parts => string.Join(' ', parts[1].Split([' ', '\t'], RemoveEmpty)));

    private static string LinkOf(string path) =>
        new FileInfo(path).LinkTarget ?? throw new InvalidOperationException(path);

    private static string[] LinksOf(int pid) =>
        [.. Directory.GetFileSystemEntries($"/proc/{pid}/fd")
            .Select(path => new FileInfo(path).LinkTarget)
            .OfType<string>()];

    private static string OptionsOfMount(int pid, string target) =>
        File.ReadLines($"/proc/{pid}/mountinfo")
            .Select(line => line.Split(' '))
            .Last(parts => parts[4] == target)[5] + ",";
}
