using Xunit.Abstractions;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: a program that shares no code with ours runs the firewall, and bad input from it does no
/// harm. Method: tests/stranger/firewall_stranger.py, against the kernel and against user space.
/// </summary>
public sealed class FirewallStrangerTests(ITestOutputHelper output)
{
    [SkippableTheory]
    [InlineData("auto")]
    [InlineData("userspace")]
    public void A_stranger_runs_the_firewall(string mode)
    {
        Skip.IfNot(File.Exists("/usr/bin/python3"), "python3 is not installed");
        using GuardedAppliance guarded = new($"interfaces: {{ guard: {mode} }}");
        guarded.Start();
        RpcStrangerTests.Run(guarded.Appliance, "firewall_stranger.py", output);
        Assert.Equal(0, guarded.Appliance.Stop());
    }
}
