using System.Net;
using System.Net.Sockets;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Xdp.Tests;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: the firewall of a running appliance does to real packets what its rules say, changes while
/// packets come, and goes without a trace.
/// </summary>
public sealed class FirewallTests
{
    [SkippableTheory]
    [InlineData("native", "192.0.2.1")]
    [InlineData("native", "2001:db8::1")]
    [InlineData("generic", "192.0.2.1")]
    [InlineData("generic", "2001:db8::1")]
    public void Guards_an_interface_and_leaves_nothing_behind(string mode, string address)
    {
        using GuardedAppliance guarded = new($"interfaces: {{ guard: {mode} }}");
        using Socket open = guarded.Hosts.Listen(
            IPAddress.Parse(address), GuardedAppliance.OpenPort);
        using Socket closed = guarded.Hosts.Listen(
            IPAddress.Parse(address), GuardedAppliance.ClosedPort);
        guarded.Hosts.Await(closed);
        guarded.Start();
        Assert.Equal(mode, guarded.Interface().Mode);
        Assert.Null(guarded.Interface().Reason);
        guarded.Hosts.Await(open);
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.True(guarded.Dropped() > 0);
        FirewallRule rule = guarded.Call(
            FirewallRuleMethods.List, new FirewallRuleListParameters()).Rules.Single();
        Assert.Equal("open", rule.Name);
        Assert.True(rule.Packets > 0);
        FirewallEvent sample = guarded.Call(
            FirewallMethods.Events, new FirewallEventsParameters()).Events
            .First(each => each.Packet.Contains("4007"));
        Assert.Equal(("drop", "guard"), (sample.Verdict, sample.Interface));

        FirewallDetachResult detached = guarded.Call(
            FirewallMethods.Detach, new FirewallDetachParameters());
        Assert.Equal(["guard"], detached.Interfaces);
        Assert.False(guarded.IsAttached());
        Assert.False(guarded.HasPins());
        Assert.True(guarded.Hosts.Arrives(closed));
        Assert.Equal("none", guarded.Interface().Mode);
        guarded.Call(
            FirewallMethods.Attach, new FirewallAttachParameters { Interface = "guard" });
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.Equal(0, guarded.Appliance.Stop());
    }

    /// <summary>
    /// Rule sets of different geometries follow each other while packets come; none that every one
    /// of them drops gets through, and of those that every one allows none is lost for a rule.
    /// </summary>
    [SkippableFact]
    public void Rules_are_replaced_under_traffic()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        using Socket closed = guarded.Listen(GuardedAppliance.ClosedPort);
        guarded.Hosts.Await(open);
        using Flood flood = guarded.StartFlood();
        for (int i = 0; i < 12; i++)
        {
            string more = string.Concat(Enumerable.Range(0, i * 300).Select(
                n => $"deny from 10.{i}.{n / 256}.{n % 256}\n"));
            string other = i % 2 == 0 ? "allow tcp port 22 vlan 7\n" : "allow icmp type echo\n";
            FirewallChangeResult changed = guarded.Call(
                FirewallRuleMethods.Replace,
                new FirewallRuleReplaceParameters
                {
                    Text = GuardedAppliance.Rules + "\n" + other + more,
                });
            Assert.Equal(i + 2, changed.Generation);

            // A veth hands the tags of its peer over beside the frame.
            string reason = Assert.Single(guarded.Status().Interfaces).Reason ?? "";
            Assert.Equal(i % 2 == 0, reason.Contains("rxvlan off", StringComparison.Ordinal));
        }

        Assert.False(closed.Poll(0, SelectMode.SelectRead));
        Assert.True(guarded.Dropped() > 0);
        FirewallRule rule = guarded.Call(
            FirewallRuleMethods.List, new FirewallRuleListParameters()).Rules[0];
        Assert.Equal(0, rule.Drops);
        Assert.InRange(rule.Packets, 1, flood.Sent + 100);
    }

    [SkippableFact]
    public void A_wrong_rule_set_changes_nothing_and_says_everything_that_is_wrong()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        const string wrong = "default deny\nallow udp port 99999\nallow from 10.0.0.1/8\n";
        Result<FirewallChangeResult> refused = guarded.TryCall(
            FirewallRuleMethods.Replace, new FirewallRuleReplaceParameters { Text = wrong });
        Assert.Equal(FaultCode.InvalidParameters, refused.Fault!.Code);
        Assert.Contains("rules:2:", refused.Fault.Message);
        Assert.Contains("rules:3:", refused.Fault.Message);
        FirewallChangeResult check = guarded.Call(
            FirewallRuleMethods.Replace,
            new FirewallRuleReplaceParameters { Text = wrong, CheckOnly = true });
        Assert.Equal([2, 3], check.Errors.Select(each => each.Line));
        Assert.False(check.Applied);
        Assert.Equal(1, guarded.Status().Generation);

        // The same of the configured file.
        File.WriteAllText(guarded.RulesPath, wrong);
        CommandResult reload = guarded.Appliance.Run("config", "reload");
        Assert.Equal(2, reload.ExitCode);
        Assert.Contains($"{guarded.RulesPath}:2:", reload.Error);
        Assert.Equal(1, guarded.Status().Generation);
        File.WriteAllText(guarded.RulesPath, GuardedAppliance.Rules + "\nallow tcp port 22\n");
        CommandResult good = guarded.Appliance.Run("config", "reload", "--json");
        Assert.Contains("firewall.rules", good.Output);
        Assert.Equal(2, guarded.Status().Rules);
    }

    [SkippableFact]
    public void A_reload_brings_interfaces_and_takes_them_away()
    {
        using GuardedAppliance guarded = new("interfaces: { guard: native }");
        guarded.Start();
        guarded.Configure("interfaces: { guard: generic, later0: auto }");
        Assert.Equal(0, guarded.Appliance.Run("config", "reload").ExitCode);
        Assert.Equal("generic", guarded.Interface().Mode);
        Assert.Equal("none", guarded.Interface("later0").Mode);
        Assert.False(guarded.Interface("later0").Present);
        guarded.Configure("interfaces: { later0: auto }");
        Assert.Equal(0, guarded.Appliance.Run("config", "reload").ExitCode);
        Assert.DoesNotContain(guarded.Status().Interfaces, each => each.Name == "guard");
        Assert.False(guarded.IsAttached());

        guarded.Configure("interfaces: { guard: fast }");
        CommandResult wrong = guarded.Appliance.Run("config", "reload");
        Assert.Contains("pangea.yaml:3:", wrong.Error);
        Assert.Contains("\"fast\" is none of auto", wrong.Error);
    }

    [SkippableFact]
    public void An_interface_that_is_deleted_and_comes_back_is_guarded_again()
    {
        using GuardedAppliance guarded = new(
            rules: "default deny\nallow udp port 4009 on guard name open\n");
        guarded.Start();
        using (Socket open = guarded.Listen(GuardedAppliance.OpenPort))
        {
            guarded.Hosts.Await(open);
        }

        int before = guarded.Interface().Index!.Value;
        guarded.Hosts.Guarded.Run(
            () => NamespaceThread.Command("ip", "link", "delete", "guard"));
        guarded.Appliance.WaitFor("absence", () => !guarded.Interface().Present);
        Assert.Equal("none", guarded.Interface().Mode);
        guarded.Hosts.Guarded.Run(() =>
        {
            NamespaceThread.Command(
                "ip", "link", "add", "filler0", "type", "veth", "peer", "name", "filler1");
            NamespaceThread.Command(
                "ip", "link", "add", "guard", "type", "veth", "peer", "name", "other",
                "netns", $"{guarded.Hosts.Other.ThreadId}");
            NamespaceThread.Command("ip", "address", "add", "192.0.2.1/24", "dev", "guard");
            NamespaceThread.Command("ip", "link", "set", "guard", "up");
        });
        guarded.Hosts.Other.Run(() =>
        {
            NamespaceThread.Command("ip", "address", "add", "192.0.2.2/24", "dev", "other");
            NamespaceThread.Command("ip", "link", "set", "other", "up");
        });
        guarded.Appliance.WaitFor("return", () => guarded.Interface().Mode == "native");
        Assert.NotEqual(before, guarded.Interface().Index);

        // The rule that names it means the new one.
        using Socket again = guarded.Listen(GuardedAppliance.OpenPort);
        using Socket closed = guarded.Listen(GuardedAppliance.ClosedPort);
        guarded.Hosts.Await(again);
        Assert.False(guarded.Hosts.Arrives(closed));
    }

    [SkippableFact]
    public void A_ban_holds_from_the_next_packet_on_and_ends()
    {
        using GuardedAppliance guarded = new();
        guarded.Start();
        using Socket open = guarded.Listen(GuardedAppliance.OpenPort);
        guarded.Hosts.Await(open);
        guarded.Call(FirewallMethods.Ban, new FirewallBanParameters
        {
            Address = "192.0.2.2",
            ForSeconds = 600,
            Comment = "too loud",
        });
        Assert.False(guarded.Hosts.Arrives(open));
        FirewallBan ban = guarded.Call(FirewallMethods.Bans, new FirewallBansParameters())
            .Bans.Single();
        Assert.Equal(("192.0.2.2", "too loud", "operator"), (ban.Address, ban.Comment, ban.Origin));
        FirewallTestVerdict verdict = guarded.Call(FirewallMethods.Test, new FirewallTestParameters
        {
            Frames = [new FirewallTestFrame { Hex = Frame }],
            Interface = "guard",
        }).Verdicts.Single();
        Assert.Equal(("drop", "ban"), (verdict.Verdict, verdict.Reason));
        guarded.Call(
            FirewallMethods.Unban, new FirewallUnbanParameters { Address = "192.0.2.2" });
        Assert.True(guarded.Hosts.Arrives(open));
        guarded.Call(FirewallMethods.Ban, new FirewallBanParameters
        {
            Address = "192.0.2.2",
            ForSeconds = 1,
        });
        Assert.False(guarded.Hosts.Arrives(open));
        guarded.Hosts.Await(open);
        Assert.Equal(
            FaultCode.InvalidParameters,
            guarded.TryCall(
                FirewallMethods.Ban,
                new FirewallBanParameters { Address = "192.0.2.0/24" }).Fault!.Code);
    }

    /// <summary>UDP from 192.0.2.2 to 192.0.2.1, port 4009.</summary>
    private const string Frame = "0200000000010200000000020800"
        + "4500001e000000004011f6cbc0000202c0000201" + "10000fa9000a00004142";
}
