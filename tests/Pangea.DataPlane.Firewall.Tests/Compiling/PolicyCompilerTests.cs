using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Generating;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Tests.Compiling;

public sealed class PolicyCompilerTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_rule_keeps_its_slot_through_changes()
    {
        CompiledPolicy first = Compile("deny from 10.0.0.0/8\ndeny from 11.0.0.0/8\nallow udp");
        CompiledPolicy second = Compile(
            "allow udp rate 5/s comment \"now limited\"\nallow sctp\ndeny from 11.0.0.0/8", first);
        Assert.Equal([0u, 1u, 2u], first.RuleSlots);
        Assert.Equal([2u, 3u, 1u], second.RuleSlots);
        Assert.Equal([3u], second.FreshSlots);
        SlotTable restored = SlotTable.Restore(second.Slots.Owners);
        Assert.Equal(second.Slots.Count, restored.Count);

        // The slot of a rule that went is given away one change later, when nothing counts to it.
        CompiledPolicy third = Compile(
            "allow udp rate 5/s\nallow sctp\ndeny from 11.0.0.0/8\nallow icmp", second);
        Assert.Equal([2u, 3u, 1u, 0u], third.RuleSlots);
        Assert.Equal([0u], third.FreshSlots);
    }

    [Fact]
    public void A_named_rule_keeps_its_slot_whatever_it_says()
    {
        CompiledPolicy first = Compile("deny from 10.0.0.0/8\ndeny tcp name a");
        CompiledPolicy second = Compile("allow udp port 53 name a", first);
        Assert.Equal([1u], second.RuleSlots);
        Assert.Empty(second.FreshSlots);
    }

    [Fact]
    public void A_set_that_fits_keeps_the_geometry_and_a_larger_one_grows_it()
    {
        CompiledPolicy first = Compile("deny tcp port 22 from 10.0.0.0/24\nallow udp");
        CompiledPolicy less = Compile("deny tcp port 23", first);
        CompiledPolicy more = Compile("deny tcp port 22 vlan 7", first);
        Assert.Equal(first.Geometry, less.Geometry);
        Assert.NotEqual(first.Geometry, more.Geometry);
        Assert.True(more.Geometry.Has(PolicyFeature.Vlan));
    }

    [Fact]
    public void Who_is_banned_stays_so_under_rules_that_ban_nobody()
    {
        CompiledPolicy first = Compile("limit udp rate 5/s ban 1h after 1 in 1s");
        CompiledPolicy larger = Compile("deny tcp port 22 vlan 7 from 10.0.0.0/8", first);
        Assert.NotEqual(first.Geometry, larger.Geometry);
        Assert.True(larger.Geometry.Has(PolicyFeature.Bans));
        Assert.False(larger.Geometry.Has(PolicyFeature.Violations));
    }

    [Fact]
    public void Features_are_only_those_that_the_rules_use()
    {
        Assert.Equal(PolicyFeature.None, Compile("default deny\nallow").Geometry.Features);
        Assert.Equal(
            PolicyFeature.Source4, Compile("deny from 10.0.0.0/8,0.0.0.0/0").Geometry.Features);
        Assert.Equal(
            PolicyFeature.Complex | PolicyFeature.Protocol | PolicyFeature.DestinationPort,
            Compile("deny tcp port 22").Geometry.Features);
        Assert.Equal(
            PolicyFeature.Police | PolicyFeature.Limits | PolicyFeature.Shape
                | PolicyFeature.Protocol | PolicyFeature.Violations | PolicyFeature.Bans,
            Compile("limit tcp syn rate 5/s ban 1s after 1 in 1s").Geometry.Features);
    }

    [Fact]
    public void An_unknown_interface_is_a_warning_and_an_expired_rule_is_gone()
    {
        CompiledPolicy policy = Compile(
            "deny on gone0\nallow expires 2025-12-31\ndeny udp expires 2026-02-01T00:00:00Z");
        Assert.Contains("'gone0'", Assert.Single(policy.Warnings), StringComparison.Ordinal);
        Assert.Equal(2, policy.Rules.Count);
        Assert.Equal(s_now.AddMonths(1), policy.NextExpiry);
    }

    [Fact]
    public void Too_many_complex_or_limiting_rules_are_refused_with_the_limit()
    {
        string complex = string.Join('\n', Enumerable.Range(0, Limits.FirewallComplexRulesMax + 1)
            .Select(port => $"deny tcp port {port}"));
        Fault? fault = TryCompile(complex, null).Fault;
        Assert.Equal(FaultCode.TooLarge, fault?.Code);
        Assert.Contains("at most 1024", fault!.Message, StringComparison.Ordinal);
        string police = string.Join('\n', Enumerable.Range(0, Limits.FirewallLimitRulesMax + 1)
            .Select(port => $"limit tcp port {port} rate 1/s"));
        Assert.Equal(FaultCode.TooLarge, TryCompile(police, null).Fault?.Code);
    }

    [Fact]
    public void The_image_says_what_it_is()
    {
        CompiledPolicy policy = Compile("monitor\ndefault deny\ndeny from 10.0.0.0/8");
        PolicyHeader header = System.Runtime.InteropServices.MemoryMarshal.Read<PolicyHeader>(
            policy.ImageBytes.Span);
        Assert.Equal(PolicyConstants.ImageMagic, header.Magic);
        Assert.Equal((uint)policy.ImageBytes.Length, header.ImageBytes);
        Assert.Equal((1u, 1u), (header.Flags, header.DefaultDeny));
        Assert.Equal(policy.Geometry.Features, header.Features);
    }

    [Fact]
    public void Reports_rules_that_never_decide()
    {
        RuleSet set = Parse(
            """
            deny from 10.0.0.0/8
            allow from 10.1.0.0/16
            allow tcp port 1-100
            allow tcp port 22 from 11.0.0.0/8
            deny tcp port 80 priority 5
            allow tcp port 90-101
            limit tcp port 22 rate 1/s
            deny from 10.2.0.0/16,12.0.0.0/8
            """);
        Assert.Equal(
            [
                ("allow from 10.1.0.0/16", "deny from 10.0.0.0/8", true),
                ("allow tcp from 11.0.0.0/8 port 22", "allow tcp port 1-100", false),
            ],
            RuleReport.Shadowed(set, s_now).Select(found => (
                RuleText.Print(found.Rule), RuleText.Print(found.By), found.Contradicts)));
    }

    internal static CompiledPolicy Compile(string text, CompiledPolicy? before = null)
    {
        Result<CompiledPolicy> policy = TryCompile(text, before);
        Assert.True(policy.IsOk, policy.Fault?.ToString());
        return policy.Value;
    }

    private static RuleSet Parse(string text)
    {
        RuleTextResult result = RuleText.Parse(text, "test");
        Assert.True(result.Set is not null, string.Join('\n', result.Errors));
        return result.Set!;
    }

    private static Result<CompiledPolicy> TryCompile(string text, CompiledPolicy? before) =>
        PolicyCompiler.Compile(Parse(text), new CompileOptions
        {
            Now = s_now,
            Interfaces = RuleSetGenerator.Interfaces,
            Slots = before?.Slots ?? SlotTable.Empty,
            Geometry = before?.Geometry,
        });
}
