using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>What a rule may not say, wherever it comes from.</summary>
public static class RuleCheck
{
    private static readonly byte[] s_withPorts = [6, 17, 132];

    /// <summary>What is wrong, in one sentence, or null. Sets are not looked into.</summary>
    public static string? Error(Rule rule)
    {
        if (rule.Limit?.Error() is string limit)
        {
            return limit;
        }

        if (rule.Action == RuleAction.Limit && rule.Limit is null)
        {
            return "a limit rule needs a rate";
        }

        if (rule.Action == RuleAction.Deny && rule.Limit is not null)
        {
            return "a deny rule has no rate; allow with a rate drops what is over it";
        }

        if (rule.Syn && rule.Protocol != 6)
        {
            return "syn needs tcp";
        }

        bool hasPorts = rule.SourcePorts.Count > 0 || rule.DestinationPorts.Count > 0;
        if (hasPorts && rule.Protocol is byte protocol && !s_withPorts.Contains(protocol))
        {
            return "a port needs tcp, udp, sctp or no protocol at all";
        }

        if (rule.IcmpTypes.Count > 0 && rule.Protocol is not (RuleMatch.Icmp or RuleMatch.IcmpV6))
        {
            return "a type needs icmp or icmpv6";
        }

        if (hasPorts && rule.Fragment == FragmentMatch.Later)
        {
            return "a later fragment has no ports, the rule would match nothing";
        }

        return FamilyError(rule);
    }

    private static string? FamilyError(Rule rule)
    {
        bool isIp = rule.Protocol is not null || rule.From is not null || rule.To is not null
            || rule.SourcePorts.Count > 0 || rule.DestinationPorts.Count > 0;
        if (rule.Family == PacketFamily.Other && isIp)
        {
            return "frames that are not IP have no address, protocol or port";
        }

        foreach (bool isV6 in (ReadOnlySpan<bool>)[false, true])
        {
            PacketFamily family = isV6 ? PacketFamily.Ipv6 : PacketFamily.Ipv4;
            bool from = CanBe(rule.From, isV6);
            bool to = CanBe(rule.To, isV6);
            if (from && to && (rule.Family is null || rule.Family == family))
            {
                return null;
            }
        }

        return rule.Family == PacketFamily.Other
            ? null
            : "the addresses and the family exclude each other, the rule would match nothing";
    }

    private static bool CanBe(AddressList? list, bool isV6) =>
        list is null || list.SetNames.Count > 0
        || list.Prefixes.Any(prefix => prefix.IsV6 == isV6);
}
