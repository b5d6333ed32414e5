using System.Diagnostics;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Which descriptors each process of an appliance has, and what garbage on the channels between
/// them does.
/// </summary>
public sealed class DescriptorTests
{
    private const string NotRoot = "needs root: to look into other users' processes";
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    [SkippableFact]
    public void No_process_has_a_descriptor_that_is_not_for_it()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        appliance.WaitUntilStandby();
        int worker = appliance.WorkerPid();
        string state = appliance.StatePath;
        string[] devices =
        [
            .. Enumerable.Range(0, 3).Select(appliance.DevicePath),
            Path.Combine(state, "catalog"),
        ];

        // The worker: its devices, its catalog and what is in them, one channel, one segment.
        string[] ofWorker = Links(worker);
        Assert.Equal(devices.Order(), ofWorker.Where(devices.Contains).Distinct().Order());
        Assert.DoesNotContain(ofWorker, link => link.StartsWith(appliance.Directory)
            && !devices.Any(place => link == place || link.StartsWith(place + "/")));
        Assert.Single(ofWorker, link => link.StartsWith("socket:"));
        Assert.Single(ofWorker, link => link.StartsWith("/memfd:pangea-worker"));

        // The warden: one channel, and nothing of the state.
        string[] ofWarden = Links(ParentOf(worker));
        Assert.Single(ofWarden, link => link.StartsWith("socket:"));
        Assert.DoesNotContain(ofWarden, link => link.StartsWith(appliance.Directory));

        // The supervisor: state, locks, devices; listener, warden, worker and standby, once the
        // clients of this test have gone.
        string[] ofSupervisor = [];
        appliance.WaitFor("the end of clients", () =>
        {
            ofSupervisor = Links(appliance.SupervisorPid);
            return ofSupervisor.Count(link => link.StartsWith("socket:")) == 4;
        });
        string[] known =
        [
            .. devices, state, Path.Combine(state, "lock"), appliance.SocketPath + ".lock",
        ];
        Assert.DoesNotContain(
            ofSupervisor, link => link.StartsWith(appliance.Directory) && !known.Contains(link));
    }

    [SkippableTheory]
    [InlineData("no message at all\\n", "worker.insane")]
    [InlineData("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"key.rotate\"}\\n", "worker.refused")]
    public void Garbage_from_a_worker_is_refused_and_the_appliance_goes_on(
        string text, string expected)
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        SendFrom(appliance.WorkerPid(), WorkerChannel, text);
        appliance.WaitFor("refusal", () => appliance.Log.Contains(expected));
        appliance.WaitUntilReady();
        Assert.Equal(0, appliance.Run("ls").ExitCode);
        using var keys = System.Text.Json.JsonDocument.Parse(
            appliance.Run("key", "list", "--json").Output);
        Assert.Equal(1, keys.RootElement.GetProperty("keys").GetArrayLength());
    }

    /// <summary>
    /// The other direction: what arrives in the worker is no call of its supervisor's. It refuses
    /// or ends, nothing that was stored is lost, and what comes afterwards is served.
    /// </summary>
    [SkippableTheory]
    [InlineData("b'no message at all\\n'")]
    [InlineData("bytes(range(256)) * 64 + b'\\n'")]
    [InlineData("b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"worker.start\",\"params\":{}}\\n'")]
    [InlineData("b'{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\\n'")]
    [InlineData("b'[' * 100000 + b'\\n'")]
    [InlineData("b'x' * (20 << 20)")]
    public void Garbage_to_a_worker_loses_nothing_and_the_appliance_goes_on(string bytes)
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        Assert.Equal(0, appliance.Run("put", source, "--name", "a").ExitCode);
        int worker = appliance.WorkerPid();
        string theirs = new FileInfo($"/proc/{worker}/fd/{WorkerChannel}").LinkTarget!;

        // Sent from the supervisor's end, which the channel's neighbour is.
        int supervisor = appliance.SupervisorPid;
        Write(supervisor, PeerOf(supervisor, theirs), bytes);
        appliance.WaitFor("worker that serves", () => appliance.Run("ls").ExitCode == 0);
        CommandResult got = appliance.Run("get", "a", "--output", "-");
        Assert.True(got.ExitCode == 0, got.Error + appliance.Log);
        Assert.Equal("the content", got.Output);
        Assert.Equal(supervisor, appliance.SupervisorPid);
        Assert.Equal(0, appliance.Stop());
    }

    /// <summary>
    /// A supervisor that was taken over gets no program and no user of its choice started.
    /// </summary>
    [SkippableTheory]
    [InlineData("garbage\\n")]
    [InlineData("[]\\n")]
    [InlineData("[\"launch\",\"jail\",\"--user\",\"0:0\",\"--\",\"worker\",\"--channel\"]\\n")]
    [InlineData("[\"launch\",\"supervise\"]\\n")]
    [InlineData("[\"open\",\"/etc\"]\\n")]
    [InlineData("[\"open\",\"/opt\"]\\n")]
    [InlineData("[\"open\",\"/var/lib\"]\\n")]
    [InlineData("[\"open\",\"/\"]\\n")]
    [InlineData("[\"inspect\",\"/home\",\"x\"]\\n")]
    public void The_warden_refuses_what_no_supervisor_asks_for(string text)
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start([.. s_small, "--standby", "false"]);
        int warden = ParentOf(appliance.WorkerPid());
        int children = ChildrenOf(warden);
        string answer = SendFrom(
            appliance.SupervisorPid, ChannelOf(appliance.SupervisorPid, warden), text, read: true);
        Assert.StartsWith("[\"fault\"", answer);
        Assert.Equal(children, ChildrenOf(warden));
    }

    /// <summary>
    /// Writes as much as is taken until the other end has gone; a python expression.
    /// </summary>
    private static void Write(int pid, int fd, string bytes)
    {
        string script =
            "import ctypes,os,socket,time; c=ctypes.CDLL(None,use_errno=True); "
            + $"p=os.pidfd_open({pid}); f=c.syscall(438,p,{fd},0); "
            + $"assert f>=0,ctypes.get_errno(); s=socket.socket(fileno=f); b={bytes}\n"
            + "until=time.monotonic()+10\n"
            + "while b and time.monotonic()<until:\n"
            + "  try: b=b[s.send(b,socket.MSG_DONTWAIT|socket.MSG_NOSIGNAL):]\n"
            + "  except BlockingIOError: time.sleep(0.001)\n"
            + "  except OSError: break\n";
        using Process python = Process.Start("/usr/bin/python3", ["-c", script]);
        python.WaitForExit();
        Assert.Equal(0, python.ExitCode);
    }

    /// <summary>Writes with another process's descriptor (pidfd_getfd(2)).</summary>
    private static string SendFrom(int pid, int fd, string text, bool read = false)
    {
        string script =
            "import ctypes,os; c=ctypes.CDLL(None,use_errno=True); "
            + $"p=os.pidfd_open({pid}); f=c.syscall(438,p,{fd},0); "
            + $"assert f>=0,ctypes.get_errno(); os.write(f,b'''{text}'''); "
            + (read ? "print(os.read(f,4096).decode())" : "");
        using Process python = Process.Start(
            new ProcessStartInfo("/usr/bin/python3", ["-c", script])
            {
                RedirectStandardOutput = true,
            })!;
        string output = python.StandardOutput.ReadToEnd();
        python.WaitForExit();
        Assert.Equal(0, python.ExitCode);
        return output;
    }

    private const int WorkerChannel = 3;

    /// <summary>The supervisor's end towards its warden: what ss(8) calls the peer.</summary>
    private static int ChannelOf(int supervisor, int warden)
    {
        string theirs = new FileInfo($"/proc/{warden}/fd/{WorkerChannel}").LinkTarget!;
        return PeerOf(supervisor, theirs);
    }

    private static int PeerOf(int supervisor, string theirs)
    {
        Skip.IfNot(File.Exists("/usr/bin/ss"), "needs ss (Debian package iproute2)");
        string inode = theirs["socket:[".Length..^1];
        using Process ss = Process.Start(new ProcessStartInfo("/usr/bin/ss", ["-xaH"])
        {
            RedirectStandardOutput = true,
        })!;
        string peer = ss.StandardOutput.ReadToEnd().Split('\n')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Single(fields => fields.Length >= 8 && fields[5] == inode)[7];
        ss.WaitForExit();
        return Directory.GetFileSystemEntries($"/proc/{supervisor}/fd")
            .Where(path => new FileInfo(path).LinkTarget == $"socket:[{peer}]")
            .Select(path => int.Parse(Path.GetFileName(path)))
            .Single();
    }

    private static string[] Links(int pid) =>
        [.. Directory.GetFileSystemEntries($"/proc/{pid}/fd")
            .Select(path => new FileInfo(path).LinkTarget)
            .OfType<string>()];

    private static int ParentOf(int pid) => int.Parse(
        File.ReadAllLines($"/proc/{pid}/status")
            .First(line => line.StartsWith("PPid:"))["PPid:".Length..]);

    private static int ChildrenOf(int pid) =>
        File.ReadAllText($"/proc/{pid}/task/{pid}/children")
            .Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
}
