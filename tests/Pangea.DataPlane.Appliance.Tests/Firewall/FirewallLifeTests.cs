using System.Net.Sockets;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Xdp.Tests;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: what the firewall filters does not depend on the supervisor's life, and nobody locks
/// himself out for good.
/// </summary>
public sealed class FirewallLifeTests
{
    /// <summary>
    /// Forbidden packets come without pause while the supervisor is stopped, killed and replaced;
    /// not one arrives, and counters and bans go on.
    /// </summary>
    [SkippableFact]
    public void Nothing_gets_through_while_the_supervisor_restarts()
    {
        using GuardedAppliance guarded = new();
        Appliance appliance = guarded.Appliance;
        guarded.Start();
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        using Socket closed = guarded.Listen(GuardedAppliance.ClosedPort);
        guarded.Hosts.Await(open);
        guarded.Call(FirewallMethods.Ban, new FirewallBanParameters
        {
            Address = "203.0.113.9",
            Comment = "stays",
        });
        guarded.Call(FirewallMethods.Ban, new FirewallBanParameters
        {
            Address = "2001:db8:9::/64",
        });
        guarded.Call(FirewallRuleMethods.Add, new FirewallRuleAddParameters
        {
            Text = "deny udp port 1 name by-call",
        });
        using Flood flood = guarded.StartFlood();
        long dropped = guarded.Dropped();
        int program = guarded.Interface().ProgramId!.Value;
        foreach (string end in (string[])["stop", "kill", "upgrade", "kill"])
        {
            switch (end)
            {
                case "stop":
                    Assert.Equal(0, appliance.Stop());
                    Assert.True(guarded.IsAttached());
                    guarded.Start();
                    break;
                case "kill":
                    appliance.KillSupervisor();
                    Assert.True(guarded.IsAttached());
                    guarded.Start();
                    break;
                default:
                    CommandResult upgraded = appliance.Run("upgrade");
                    Assert.True(upgraded.ExitCode == 0, upgraded.Error + appliance.Log);
                    appliance.WaitUntilReady();
                    break;
            }

            FirewallInterface at = guarded.Interface();
            Assert.Equal("native", at.Mode);
            Assert.NotEqual(program, at.ProgramId);
            program = at.ProgramId!.Value;
            long now = guarded.Dropped();
            Assert.True(now > dropped, $"{end}: {now} after {dropped}");
            dropped = now;
            Assert.Equal(["open", "by-call"], Names(guarded));
            FirewallBan[] bans =
            [
                .. guarded.Call(FirewallMethods.Bans, new FirewallBansParameters()).Bans,
            ];
            Assert.Equal(["203.0.113.9", "2001:db8:9::/64"], bans.Select(each => each.Address));
            Assert.Equal("stays", end == "upgrade" ? bans[0].Comment : "stays");
            Assert.False(closed.Poll(0, SelectMode.SelectRead), end);
        }

        Assert.True(open.Poll(0, SelectMode.SelectRead));
        Assert.Single(guarded.Hosts.Guarded.Run(() => Directory.GetDirectories(
            Directory.GetDirectories("/sys/fs/bpf/pangea").Single(), "filter-*")));
    }

    [SkippableFact]
    public void A_change_that_nobody_confirms_is_taken_back()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        using Socket closed = guarded.Listen(GuardedAppliance.ClosedPort);
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        guarded.Hosts.Await(open);
        FirewallChangeResult change = guarded.Call(
            FirewallRuleMethods.Replace,
            new FirewallRuleReplaceParameters { Text = "default deny\n", ConfirmSeconds = 2 });
        Assert.NotNull(change.ConfirmBefore);
        Assert.False(guarded.Hosts.Arrives(open));
        Result<FirewallChangeResult> second = guarded.TryCall(
            FirewallRuleMethods.Add, new FirewallRuleAddParameters { Text = "allow udp" });
        Assert.Equal(FaultCode.BadState, second.Fault!.Code);
        Assert.NotEqual(0, guarded.Appliance.Run("upgrade").ExitCode);
        guarded.Appliance.WaitFor("rollback", () => guarded.Status().ConfirmBefore is null);
        Assert.True(guarded.Hosts.Arrives(open));
        Assert.Equal(["open"], Names(guarded));

        // Confirmed in time it stays, also over a restart.
        guarded.Call(FirewallRuleMethods.Add, new FirewallRuleAddParameters
        {
            Text = "allow udp port 4007 name more",
            ConfirmSeconds = 600,
        });
        guarded.Call(FirewallRuleMethods.Confirm, Nothing.Value);
        Assert.True(guarded.Hosts.Arrives(closed));
        guarded.Appliance.KillSupervisor();
        guarded.Start();
        Assert.Equal(["open", "more"], Names(guarded));

        // Taken back at once where somebody asks for it.
        guarded.Call(FirewallRuleMethods.Remove, new FirewallRuleRemoveParameters
        {
            Name = "more",
            ConfirmSeconds = 600,
        });
        Assert.False(guarded.Hosts.Arrives(closed));
        guarded.Call(FirewallRuleMethods.Rollback, Nothing.Value);
        Assert.True(guarded.Hosts.Arrives(closed));
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_waiting_change_does_not_outlive_the_supervisor(bool isCrash)
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        guarded.Hosts.Await(open);
        guarded.Call(
            FirewallRuleMethods.Replace,
            new FirewallRuleReplaceParameters { Text = "default deny\n", ConfirmSeconds = 3600 });
        Assert.False(guarded.Hosts.Arrives(open));
        if (isCrash)
        {
            guarded.Appliance.KillSupervisor();
        }
        else
        {
            // In good order it comes back with the end, not only with the next start.
            Assert.Equal(0, guarded.Appliance.Stop());
            Assert.True(guarded.Hosts.Arrives(open));
        }

        guarded.Start();
        Assert.True(guarded.Hosts.Arrives(open));
        Assert.Equal(["open"], Names(guarded));
        Assert.Null(guarded.Status().ConfirmBefore);
    }

    [SkippableFact]
    public void The_end_and_a_start_without_the_section_detach_where_they_are_to()
    {
        using GuardedAppliance guarded = new("interfaces: { guard: auto }\nonStop: detach");
        guarded.Start();
        Assert.True(guarded.IsAttached());
        Assert.Equal(0, guarded.Appliance.Stop());
        Assert.False(guarded.IsAttached());
        Assert.False(guarded.HasPins());

        guarded.Configure("interfaces: { guard: auto }");
        guarded.Start();
        Assert.Equal(0, guarded.Appliance.Stop());
        Assert.True(guarded.IsAttached());
        File.WriteAllText(guarded.ConfigurationPath, "");
        guarded.Start();
        Assert.False(guarded.IsAttached());
        Assert.False(guarded.HasPins());
        Assert.False(guarded.Status().Enabled);
    }

    [SkippableFact]
    public void A_wrong_file_of_rules_ends_the_first_start_and_no_later_one()
    {
        using GuardedAppliance guarded = new(rules: "default sometimes\n");
        guarded.Appliance.StartSupervisor();
        Assert.Equal(2, guarded.Appliance.WaitForEnd());
        Assert.Contains($"{guarded.RulesPath}:1:9:", guarded.Appliance.Log);
        Assert.False(guarded.IsAttached());
        File.WriteAllText(guarded.RulesPath, GuardedAppliance.Rules);
        guarded.Start();
        Assert.Equal(0, guarded.Appliance.Stop());
        File.WriteAllText(guarded.RulesPath, "default sometimes\n");
        guarded.Start();
        Assert.Contains("firewall.rulesRefused", guarded.Appliance.Log);
        Assert.Equal(["open"], Names(guarded));
        Assert.Equal("state", guarded.Status().RulesFrom);
    }

    /// <summary>Root may remove every name at any moment; the supervisor still holds all.</summary>
    [SkippableFact]
    public void Names_that_root_removes_open_nothing()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        using Socket closed = guarded.Listen(GuardedAppliance.ClosedPort);
        guarded.Hosts.Await(open);
        guarded.Hosts.Guarded.Run(() => Directory.Delete("/sys/fs/bpf/pangea", true));
        Assert.False(guarded.Hosts.Arrives(closed));
        guarded.Call(FirewallRuleMethods.Add, new FirewallRuleAddParameters
        {
            Text = "deny udp port 1",
        });
        Result<FirewallChangeResult> other = guarded.TryCall(
            FirewallRuleMethods.Add, new FirewallRuleAddParameters { Text = "allow vlan 7" });
        Assert.Equal(FaultCode.Io, other.Fault?.Code);
        Assert.Contains("detach", other.Fault!.Hint);
        Assert.Equal(2, guarded.Status().Rules);
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.True(guarded.Hosts.Arrives(open));

        guarded.Call(FirewallMethods.Detach, new FirewallDetachParameters());
        Assert.False(guarded.IsAttached());
        guarded.Call(
            FirewallMethods.Attach, new FirewallAttachParameters { Interface = "guard" });
        guarded.Call(FirewallRuleMethods.Add, new FirewallRuleAddParameters
        {
            Text = "allow vlan 7",
        });
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.True(guarded.HasPins());
    }

    private static IEnumerable<string?> Names(GuardedAppliance guarded) => guarded.Call(
        FirewallRuleMethods.List, new FirewallRuleListParameters()).Rules.Select(each => each.Name);
}
