using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>Why a packet got its verdict, in words.</summary>
/// <param name="Verdict">What the twin said.</param>
/// <param name="Packet">The packet in one line.</param>
/// <param name="Decision">What decided, in one sentence.</param>
/// <param name="By">The rule or pin that decided, in its text; null without one.</param>
/// <param name="AlsoMatching">Later rules that match too and had no say; the first
/// few.</param>
public sealed record Explanation(
    PacketVerdict Verdict, string Packet, string Decision, string? By,
    IReadOnlyList<string> AlsoMatching)
{
    private const int AlsoMatchingMax = 10;

    /// <summary>Explains a verdict that a filter gave under a policy.</summary>
    public static Explanation Of(
        CompiledPolicy policy, in PacketKey key, string? interfaceName, PacketVerdict verdict)
    {
        List<string> also = [];
        Rule? decider = verdict.Reason is PolicyReason.Rule or PolicyReason.Rate
            ? policy.RuleAt(verdict.Slot)
            : null;
        bool isBehind = decider is null;
        bool isParsed = key.Malformed == MalformedKind.None;
        for (int i = 0; isParsed && i < policy.Rules.Count && also.Count < AlsoMatchingMax; i++)
        {
            Rule rule = policy.Rules[i];
            if (isBehind && RuleMatch.Matches(policy.RuleSet, rule, key, interfaceName))
            {
                also.Add(RuleText.Print(rule));
            }

            isBehind |= ReferenceEquals(rule, decider);
        }

        return new Explanation(
            verdict,
            Describe(key),
            Reason(verdict, interfaceName),
            Decider(policy, verdict, decider),
            also);
    }

    /// <summary>The packet in one line, as far as it could be read.</summary>
    public static string Describe(in PacketKey key)
    {
        if (key.Malformed != MalformedKind.None)
        {
            return $"{key.FrameBytes} bytes, malformed ({RuleText.Word(key.Malformed)})";
        }

        string tags = (key.Vlan == PacketKey.NoVlan ? "" : $" vlan {key.Vlan}")
            + (key.InnerVlan == PacketKey.NoVlan ? "" : $" inner-vlan {key.InnerVlan}");
        if (RuleMatch.Source(key) is not IpPrefix source)
        {
            return $"{key.FrameBytes} bytes, {(key.Essential ? "ARP" : "not IP")}{tags}";
        }

        string from = key.HasPorts ? $"{source} port {key.SourcePort}" : $"{source}";
        string to = key.HasPorts
            ? $"{RuleMatch.Destination(key)} port {key.DestinationPort}"
            : $"{RuleMatch.Destination(key)}";
        string protocol = RuleWords.NameOf(RuleWords.Protocols, (byte)key.Protocol)
            ?? $"proto {key.Protocol}";
        string more = (key.Syn ? " syn" : "")
            + (key.Icmp == PacketKey.NoIcmp ? "" : $" type {key.Icmp & 255}"
                + (key.IcmpCode == 0 ? "" : $"/{key.IcmpCode}"))
            + (key.Fragment == FragmentKind.None ? "" : $" fragment {key.Fragment}");
        return $"{key.FrameBytes} bytes, {protocol}{more} from {from} to {to}{tags}";
    }

    private static string? Decider(CompiledPolicy policy, PacketVerdict verdict, Rule? decider)
    {
        if (decider is not null)
        {
            return RuleText.Print(decider);
        }

        for (int i = 0; verdict.Reason == PolicyReason.Pinned && i < policy.PinSlots.Count; i++)
        {
            if (policy.PinSlots[i] == verdict.Slot)
            {
                return RuleText.Print(policy.RuleSet.Pins[i]);
            }
        }

        return null;
    }

    private static string Reason(PacketVerdict verdict, string? interfaceName)
    {
        string outcome = verdict.Dropped ? "drops" : "passes";
        string why = verdict.Reason switch
        {
            PolicyReason.Essential =>
                "it is ARP or neighbour discovery, which no rule may drop",
            PolicyReason.Malformed => $"it is malformed: {RuleText.Word(verdict.Malformed)}",
            PolicyReason.Pinned => "one of its addresses is pinned",
            PolicyReason.Ban => "its source is banned",
            PolicyReason.Rate => "it is over the limit of the rule",
            PolicyReason.Rule => "the rule is the first that matches",
            _ when interfaceName is null => "no rule matches; this is the default",
            _ => $"no rule matches; this is the default on {interfaceName}",
        };
        return verdict.Monitored
            ? $"passes in monitor mode, else dropped: {why}"
            : $"{outcome}: {why}";
    }
}
