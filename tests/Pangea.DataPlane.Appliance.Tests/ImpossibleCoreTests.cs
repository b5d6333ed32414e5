using System.Diagnostics;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Cores that cannot be had, each really so on this machine: the appliance does not start, and says
/// which and why.
/// </summary>
public sealed class ImpossibleCoreTests
{
    private const int Usage = 2;

    [Theory]
    [InlineData("900", "there is no core 900; this machine has ")]
    [InlineData("0,0", "names core 0 twice")]
    [InlineData("0-", "is no list of cores")]
    public void A_core_that_is_missing_or_named_twice_is_refused(string cores, string said) =>
        AssertRefused([], cores, said);

    [SkippableFact]
    public void A_core_that_the_affinity_closes_is_refused()
    {
        const string taskSet = "/usr/bin/taskset";
        Skip.IfNot(File.Exists(taskSet), "needs taskset (Debian package util-linux)");
        IReadOnlyList<int> mine = CoreAffinity.Get().Value;
        Skip.If(mine.Count < 2, "needs two cores");
        AssertRefused(
            [taskSet, "--cpu-list", $"{mine[0]}"],
            $"{mine[1]}",
            $"core {mine[1]} is closed to this process by its affinity or cpuset, which allow "
                + $"{mine[0]}");
    }

    /// <summary>
    /// Taking a core offline would take it from everybody: what the kernel says about it is covered
    /// by a mount that this appliance alone sees.
    /// </summary>
    [SkippableFact]
    public void A_core_that_is_offline_is_refused()
    {
        const string unshare = "/usr/bin/unshare";
        Skip.IfNot(UserAccount.IsRoot && File.Exists(unshare), "needs root and unshare");
        IReadOnlyList<int> mine = CoreAffinity.Get().Value;
        Skip.If(mine.Count < 2, "needs two cores");
        using Appliance appliance = Appliance.Create();
        string online = Path.Combine(appliance.Directory, "online");
        File.WriteAllText(online, $"{mine[0]}\n");
        string[] behind =
        [
            unshare, "--mount", "/bin/sh", "-c",
            $"mount --bind {online} /sys/devices/system/cpu/online && exec \"$@\"", "sh",
        ];
        using Process tried = Process.Start(behind[0], [.. behind[1..], "/bin/true"]);
        tried.WaitForExit();
        Skip.IfNot(tried.ExitCode == 0, "mounts are forbidden here");
        AssertRefused(
            behind, $"{mine[1]}", $"core {mine[1]} is offline; online are {mine[0]}");
    }

    private static void AssertRefused(string[] wrapper, string cores, string said)
    {
        using Appliance appliance = Appliance.Create(["--redundancy", "2+1"]);
        appliance.Wrapper = wrapper;
        appliance.StartSupervisor("--cores", cores);
        Assert.Equal(Usage, appliance.WaitForEnd());
        Assert.Contains(said, appliance.Log);
        Assert.False(Directory.Exists(appliance.StatePath), "nothing was made");
    }
}
