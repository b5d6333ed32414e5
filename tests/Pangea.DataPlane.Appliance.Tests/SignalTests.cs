using System.Diagnostics;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>Signals at the worst moments: none is lost, and none ends what it should not.</summary>
public sealed class SignalTests
{
    private const string Blocked = "SigBlk";

    /// <summary>SIGHUP, SIGINT, SIGUSR2 and SIGTERM as /proc counts them.</summary>
    private const ulong Ours = (1UL << 0) | (1UL << 1) | (1UL << 11) | (1UL << 14);

    private static readonly string[] s_small = ["--redundancy", "2+1"];

    /// <summary>
    /// Goal: no instant of an upgrade at which SIGHUP ends the appliance. Method: one comes every
    /// millisecond while the program is replaced three times; the time from the exec to the
    /// handlers of a runtime is fifty times as long.
    /// </summary>
    [Fact]
    public void A_storm_of_hang_ups_ends_neither_supervisor_nor_warden_during_upgrades()
    {
        using Appliance appliance = Appliance.Start(s_small);
        Store(appliance);
        int supervisor = appliance.SupervisorPid;
        int[] targets =
        [
            supervisor, .. UserAccount.IsRoot ? (int[])[ParentOf(appliance.WorkerPid())] : [],
        ];
        using Process storm = Storm(targets);
        for (int start = 2; start <= 4; start++)
        {
            if (start == 3)
            {
                Appliance.Signal(supervisor, "USR2");
            }
            else
            {
                CommandResult upgraded = appliance.Run("upgrade");
                Assert.True(upgraded.ExitCode == 0, upgraded.Error + appliance.Log);
            }

            appliance.WaitFor(
                $"start {start}",
                () => appliance.Log.Split("supervisor.started").Length == start + 1);
            appliance.WaitUntilReady();
        }

        Assert.False(storm.HasExited, appliance.Log); // It ends with the first target that ends.
        storm.Kill();
        storm.WaitForExit();
        Assert.Contains("config.reloaded", appliance.Log);
        Assert.DoesNotContain("warden.lost", appliance.Log);
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
        Assert.Equal(0, appliance.Stop());
    }

    /// <summary>
    /// A termination is obeyed whenever it comes: by the old program, or by the one after it.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(150)]
    [InlineData(400)]
    [InlineData(700)]
    public void A_termination_during_an_upgrade_ends_the_appliance(int afterMs)
    {
        using Appliance appliance = Appliance.Start(s_small);
        Store(appliance);
        Appliance.Signal(appliance.SupervisorPid, "USR2");
        Thread.Sleep(afterMs);
        Assert.Equal(0, appliance.Stop());
        Assert.False(File.Exists(appliance.SocketPath), appliance.Log);
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
    }

    /// <summary>What the supervisor reads is blocked in all its threads, in no child.</summary>
    [SkippableFact]
    public void Workers_do_not_inherit_the_blocked_signals()
    {
        Skip.IfNot(UserAccount.IsRoot, "needs root: to look into other users' processes");
        using Appliance appliance = Appliance.Start(s_small);
        AssertMasks(appliance);
        Assert.Equal(0, appliance.Run("upgrade").ExitCode);
        appliance.WaitFor(
            "second start", () => appliance.Log.Split("supervisor.started").Length == 3);
        appliance.WaitUntilReady();
        AssertMasks(appliance);
    }

    private static void AssertMasks(Appliance appliance)
    {
        Assert.All(Masks(appliance.SupervisorPid), mask => Assert.Equal(Ours, mask & Ours));
        Assert.All(Masks(appliance.WorkerPid()), mask => Assert.Equal(0UL, mask & Ours));
    }

    private static List<ulong> Masks(int pid) =>
    [
        .. Directory.GetDirectories($"/proc/{pid}/task")
            .Select(task => Field(Path.Combine(task, "status"), Blocked))
            .Select(digits => Convert.ToUInt64(digits, 16)),
    ];

    private static int ParentOf(int pid) => int.Parse(Field($"/proc/{pid}/status", "PPid"));

    private static string Field(string path, string name) =>
        File.ReadAllLines(path).First(line => line.StartsWith(name))[(name.Length + 1)..].Trim();

    private static void Store(Appliance appliance)
    {
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        CommandResult put = appliance.Run("put", source, "--name", "a");
        Assert.True(put.ExitCode == 0, put.Error + appliance.Log);
    }

    /// <summary>A SIGHUP to each process every millisecond, until one of them has ended.</summary>
    private static Process Storm(int[] pids)
    {
        string script =
            "import os,signal,time\n"
            + $"pids={Text(pids)}\n"
            + "while True:\n"
            + "  for pid in pids: os.kill(pid, signal.SIGHUP)\n"
            + "  time.sleep(0.001)\n";
        return Process.Start(new ProcessStartInfo("/usr/bin/python3", ["-c", script])
        {
            RedirectStandardError = true,
        })!;
    }

    private static string Text(int[] pids) => $"[{string.Join(',', pids)}]";
}
