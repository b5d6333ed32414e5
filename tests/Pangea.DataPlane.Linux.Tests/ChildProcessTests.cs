using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Linux.Tests;

public sealed class ChildProcessTests
{
    [Fact]
    public void Runs_a_program_with_the_given_arguments_environment_and_descriptors()
    {
        (UnixSocket ours, UnixSocket theirs) = UnixSocket.Pair().Value;
        using (ours)
        {
            using ChildProcess child = Shell(
                "printf '%s %s' \"$1\" \"$NAME\" >&3; exit 7",
                ["argument"],
                ["NAME=value"],
                [new(theirs.Fd, 3)]);
            theirs.Dispose();
            Assert.Equal("argument value", ReadToEnd(ours));
            Assert.Equal(new ExitStatus(7, -1), Wait(child));
        }
    }

    /// <summary>
    /// Our descriptors may have the numbers that the child's are to get; here the two are swapped.
    /// </summary>
    [Fact]
    public void Descriptors_whose_numbers_cross_arrive_right()
    {
        (UnixSocket a, UnixSocket aChild) = UnixSocket.Pair().Value;
        (UnixSocket b, UnixSocket bChild) = UnixSocket.Pair().Value;
        int first = aChild.Fd.Number;
        int second = bChild.Fd.Number;
        using (a)
        using (b)
        {
            using ChildProcess child = Start(
                "/usr/bin/python3",
                [
                    "python3", "-c",
                    "import os, sys\nfor n in sys.argv[1:]: os.write(int(n), b'to ' + n.encode())",
                    $"{first}", $"{second}",
                ],
                [],
                [new(aChild.Fd, second), new(bChild.Fd, first)]);
            aChild.Dispose();
            bChild.Dispose();
            Assert.Equal($"to {second}", ReadToEnd(a));
            Assert.Equal($"to {first}", ReadToEnd(b));
            Assert.Equal(0, Wait(child).Code);
        }
    }

    [Fact]
    public void Nothing_of_ours_leaks_into_the_child()
    {
        (UnixSocket ours, UnixSocket theirs) = UnixSocket.Pair().Value;
        using (ours)
        {
            string mine = LinkOf(ours.Fd);
            string passed = LinkOf(theirs.Fd);
            using ChildProcess child = Shell(
                "list=$(ls -l /proc/$$/fd); echo \"$list\" >&3", [], [], [new(theirs.Fd, 3)]);
            theirs.Dispose();
            string[] lines = ReadToEnd(ours).Split('\n');
            Assert.DoesNotContain(lines, line => line.EndsWith(mine));
            Assert.Single(lines, line => line.EndsWith($"3 -> {passed}"));
            Assert.Single(lines, line => line.EndsWith(passed));
            Assert.Equal(0, Wait(child).Code);
        }
    }

    /// <summary>
    /// The runtime ignores SIGPIPE; a child that inherited that would not die of it.
    /// </summary>
    [Fact]
    public void Signals_are_at_their_defaults()
    {
        using ChildProcess child = Shell("kill -PIPE $$; exit 3", [], [], []);
        Assert.Equal(new ExitStatus(-1, 13), Wait(child));
    }

    [Fact]
    public void Is_killed_through_its_pidfd_and_reaped_once()
    {
        using ChildProcess child = Start("/bin/sleep", ["sleep", "1000"], [], []);
        Assert.Null(child.TryReap());
        Assert.True(child.Kill(ChildProcess.SigKill).IsOk);
        Assert.Equal(new ExitStatus(-1, ChildProcess.SigKill), Wait(child));
        Assert.Equal(new ExitStatus(-1, ChildProcess.SigKill), child.TryReap());
        Assert.Equal(Errno.ESRCH, child.Kill(ChildProcess.SigKill).Errno);
        Assert.False(Directory.Exists($"/proc/{child.Pid}"));
    }

    [Fact]
    public void A_program_that_is_not_there_is_a_fault()
    {
        Fault? fault = ChildProcess.Start("/nowhere/program", ["program"], [], []).Fault;
        Assert.Equal((FaultCode.NotFound, Errno.ENOENT.Value), (fault?.Code, fault?.Errno));
        Assert.Contains("/nowhere/program", fault?.Message);
    }

    [Fact]
    public void Accounts_are_found_by_name_and_by_number()
    {
        Assert.Equal((0u, 0u), Ids(UserAccount.Find("root").Value));
        Assert.Equal((1234u, 1234u), Ids(UserAccount.Find("1234").Value));
        Assert.Equal((1234u, 99u), Ids(UserAccount.Find("1234:99").Value));
        Assert.Equal(FaultCode.NotFound, UserAccount.Find("no-such-user").Fault?.Code);
        Assert.Equal(FaultCode.InvalidParameters, UserAccount.Find("12:x").Fault?.Code);
        Assert.False(UserAccount.Find(uint.MaxValue.ToString()).IsOk);
    }

    /// <summary>On a thread of its own, because affinity is the thread's.</summary>
    [Fact]
    public void A_thread_is_confined_to_a_core_and_children_inherit_it()
    {
        string seen = "";
        var thread = new Thread(() =>
        {
            int core = CoreAffinity.Get().Value[^1];
            Assert.True(CoreAffinity.Set(core).IsOk);
            Assert.Equal([core], CoreAffinity.Get().Value);
            (UnixSocket ours, UnixSocket theirs) = UnixSocket.Pair().Value;
            using ChildProcess child = Shell(
                "grep Cpus_allowed_list /proc/self/status >&3", [], [], [new(theirs.Fd, 3)]);
            theirs.Dispose();
            seen = ReadToEnd(ours).Split(':')[1].Trim() == $"{core}" ? "inherited" : "lost";
            ours.Dispose();
            Wait(child);
        });
        thread.Start();
        thread.Join();
        Assert.Equal("inherited", seen);
        Assert.False(CoreAffinity.Set(1023).IsOk);
        Assert.False(CoreAffinity.Set(-1).IsOk);
    }

    private static (uint Uid, uint Gid) Ids(UserAccount account) => (account.Uid, account.Gid);

    private static ChildProcess Shell(
        string script, string[] arguments, string[] environment, DescriptorMapping[] descriptors) =>
        Start("/bin/sh", ["sh", "-c", script, "sh", .. arguments], environment, descriptors);

    private static ChildProcess Start(
        string path, string[] arguments, string[] environment, DescriptorMapping[] descriptors)
    {
        Result<ChildProcess> started = ChildProcess.Start(
            path, arguments, ["PATH=/usr/bin:/bin", .. environment], descriptors);
        Assert.True(started.IsOk, started.Fault?.ToString());
        return started.Value;
    }

    private static string LinkOf(OwnedFd fd) =>
        new FileInfo($"/proc/self/fd/{fd.Number}").LinkTarget
        ?? throw new InvalidOperationException();

    private static ExitStatus Wait(ChildProcess child)
    {
        ExitStatus? status = null;
        Assert.True(SpinWait.SpinUntil(
            () => (status = child.TryReap()) is not null, TimeSpan.FromSeconds(30)));
        return status!.Value;
    }

    private static string ReadToEnd(UnixSocket socket)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (socket.Receive(buffer, [], wait: true) is { IsOk: true, Value: > 0 and var count })
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, (int)count));
        }

        return text.ToString();
    }
}
