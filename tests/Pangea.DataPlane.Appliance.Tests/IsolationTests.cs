using System.Diagnostics;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: a worker that was taken over can do nothing but serve. Method: an ordinary appliance is
/// started, and its worker is made to try, from outside.
/// </summary>
public sealed class IsolationTests
{
    private const string NotRoot = "needs root: only root may trace a worker of another user";
    private const string NoStrace = "needs strace (Debian package strace)";
    private const string NotPermitted = "returned -1";
    private const string NoAccess = "returned -13";
    private const string KilledBySigSys = "killed by 31";
    private const int AtFdCwd = -100;
    private const int CreateAndWrite = 0x41;

    private static readonly string[] s_small = ["--redundancy", "2+1"];

    /// <summary>Numbers of x86-64; the program that uses them knows no other.</summary>
    [SkippableFact]
    public void A_worker_cannot_reach_the_network_the_file_system_or_other_processes()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using var injection = new SystemCallInjection();
        using Appliance appliance = Appliance.Start(s_small);
        int pid = appliance.WorkerPid();

        // Sockets of any kind, signals to the supervisor and to everybody, a second ring.
        Assert.Equal(NotPermitted, injection.Do(pid, 41, 2, 1, 0));
        Assert.Equal(NotPermitted, injection.Do(pid, 41, 1, 1, 0));
        Assert.Equal(NotPermitted, injection.Do(pid, 62, appliance.SupervisorPid, 9));
        Assert.Equal(NotPermitted, injection.Do(pid, 234, appliance.SupervisorPid, 1, 9));
        Assert.Equal(NotPermitted, injection.Do(pid, 62, -1, 9));
        Assert.Equal(NotPermitted, injection.Do(pid, 425, 8, 0));

        // A child process, as opposed to a thread, and a limit of its own.
        Assert.Equal(NotPermitted, injection.Do(pid, 56, 17, 0, 0, 0, 0));
        Assert.Equal(NotPermitted, injection.Do(pid, 160, 7, 1));

        // Paths: what everybody may read, the root, a place where everybody may write.
        Assert.Equal(NoAccess, injection.Do(pid, 257, AtFdCwd, "@/etc/passwd", 0, 0));
        Assert.Equal(NoAccess, injection.Do(pid, 257, AtFdCwd, "@/", 0, 0));
        Assert.Equal(
            NoAccess, injection.Do(pid, 257, AtFdCwd, "@/var/tmp/x", CreateAndWrite, 384));
        Assert.Equal(NoAccess, injection.Do(pid, 257, AtFdCwd, "@/bin/sh", 0, 0));

        // It lives, and serves.
        Assert.Equal(pid, appliance.WorkerPid());
        Assert.Equal(0, appliance.Run("ls").ExitCode);
        Assert.DoesNotContain("worker.lost", appliance.Log);
    }

    [SkippableTheory]
    [InlineData("execve", 59)]
    [InlineData("ptrace", 101)]
    [InlineData("mount", 165)]
    [InlineData("unshare", 272)]
    [InlineData("setuid", 105)]
    [InlineData("bpf", 321)]
    public void A_call_that_nobody_makes_by_mistake_ends_the_worker(string name, int call)
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using var injection = new SystemCallInjection();
        using Appliance appliance = Appliance.Start(s_small);
        int pid = appliance.WorkerPid();
        Assert.True(KilledBySigSys == injection.Do(pid, call, 0, 0, 0, 0), name);
        appliance.WaitFor("sign of the loss", () => appliance.Log.Contains("worker.lost"));
        appliance.WaitUntilReady();
        Assert.NotEqual(pid, appliance.WorkerPid());
    }

    [SkippableFact]
    public void A_worker_sees_no_process_but_itself_and_has_limits()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        using Appliance appliance = Appliance.Start(s_small);
        int pid = appliance.WorkerPid();
        foreach (string kind in (string[])["mnt", "ipc"])
        {
            Assert.NotEqual(
                new FileInfo($"/proc/{appliance.SupervisorPid}/ns/{kind}").LinkTarget,
                new FileInfo($"/proc/{pid}/ns/{kind}").LinkTarget);
        }

        string proc = File.ReadLines($"/proc/{pid}/mountinfo")
            .Last(line => line.Split(' ')[4] == "/proc");
        Assert.Contains("hidepid=invisible", proc);
        string[] limits = File.ReadAllLines($"/proc/{pid}/limits");
        Assert.Matches(@"Max core file size +0 +0 ", Of(limits, "Max core"));
        Assert.Matches(@"Max msgqueue size +0 +0 ", Of(limits, "Max msgqueue"));
        Assert.Matches(@"Max processes +4096 +4096 ", Of(limits, "Max processes"));
    }

    /// <summary>
    /// Goal: the table of allowed calls is no wish list. Method: a worker is traced while it does
    /// ordinary work; a rule that is not marked as rare must show up.
    /// </summary>
    [SkippableFact]
    public void Every_rule_that_is_not_marked_rare_is_needed()
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        Skip.IfNot(File.Exists("/usr/bin/strace"), NoStrace);
        using Appliance appliance = Appliance.Start(s_small);
        HashSet<string> seen = Trace(appliance, () => Work(appliance));
        string[] unused =
        [
            .. Worker.Isolation.WorkerIsolation.StorageRules(0)
                .Where(rule => rule is { Verdict: Linux.Jailing.CallVerdict.Allow, IsRare: false })
                .Select(rule => rule.Name)
                .Where(name => !seen.Contains(name)),
        ];
        Assert.True(unused.Length == 0, $"not needed: {string.Join(", ", unused)}");
        Assert.DoesNotContain("worker.lost", appliance.Log);
    }

    /// <summary>The same work, for the calls that the filter refuses: there must be none.</summary>
    [SkippableTheory]
    [InlineData("io_uring")]
    [InlineData("plain")]
    public void Ordinary_work_makes_no_call_that_is_refused(string ring)
    {
        Skip.IfNot(UserAccount.IsRoot, NotRoot);
        Skip.IfNot(File.Exists("/usr/bin/strace"), NoStrace);
        using Appliance appliance = Appliance.Start(s_small, new() { ["PANGEA_RING"] = ring });
        HashSet<string> known =
        [
            .. Worker.Isolation.WorkerIsolation.StorageRules(0).Select(rule => rule.Name),
        ];
        HashSet<string> seen = Trace(appliance, () => Work(appliance));
        Assert.NotEmpty(seen);
        string[] unknown = [.. seen.Where(name => !known.Contains(name))];
        Assert.True(unknown.Length == 0, $"refused: {string.Join(", ", unknown)}");
    }

    [Fact]
    public void A_filter_that_is_switched_off_is_said()
    {
        using Appliance appliance = Appliance.Start(s_small, new() { ["PANGEA_SECCOMP"] = "off" });
        Assert.Contains("no filter of system calls: PANGEA_SECCOMP=off", appliance.Log);
        Assert.Equal("none", Assert.Single(appliance.Workers()).Seccomp);
    }

    private static string Of(string[] lines, string begin) =>
        lines.Single(line => line.StartsWith(begin));

    /// <summary>Puts, gets, lists and removes, small and large, side by side.</summary>
    private static void Work(Appliance appliance)
    {
        string source = Path.Combine(appliance.Directory, "source");
        byte[] content = new byte[5_000_000];
        new Random(1).NextBytes(content);
        for (int i = 0; i < 4; i++)
        {
            File.WriteAllBytes(source, content[..(i % 2 == 0 ? 1000 : content.Length)]);
            Assert.Equal(0, appliance.Run("put", source, "--name", $"a{i}").ExitCode);
            using Process put = appliance.StartCommand("put", "-", "--name", $"b{i}");
            put.StandardInput.BaseStream.Write(content);
            put.StandardInput.Close();
            put.WaitForExit();
            Assert.Equal(0, put.ExitCode);
            string target = Path.Combine(appliance.Directory, "target");
            Assert.Equal(0, appliance.Run("get", $"b{i}", "--output", target).ExitCode);
            Assert.Equal(0, appliance.Run("ls").ExitCode);
            Assert.Equal(0, appliance.Run("rm", $"a{i}").ExitCode);
        }
    }

    /// <summary>Names of the calls that any thread of the worker made meanwhile.</summary>
    private static HashSet<string> Trace(Appliance appliance, Action work)
    {
        string path = Path.Combine(appliance.Directory, "trace");
        using Process strace = Process.Start(
            new ProcessStartInfo(
                "/usr/bin/strace", ["-f", "-qq", "-o", path, "-p", $"{appliance.WorkerPid()}"])
            {
                RedirectStandardError = true,
            })!;
        appliance.WaitFor("tracer", () => File.Exists(path));
        work();
        Appliance.Signal(strace.Id, "INT");
        strace.WaitForExit();
        HashSet<string> names = [];
        foreach (string line in File.ReadLines(path))
        {
            string call = line[(line.IndexOf(' ') + 1)..].TrimStart();
            bool resumed = call.StartsWith("<... ", StringComparison.Ordinal);
            call = resumed ? call[5..] : call;
            int end = call.IndexOfAny(['(', ' ']);
            if (end > 0 && char.IsAsciiLetter(call[0]))
            {
                names.Add(call[..end]);
            }
        }

        return names;
    }
}
