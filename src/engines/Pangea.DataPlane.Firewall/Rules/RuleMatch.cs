using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>
/// Whether a rule matches a packet, said plainly: the specification that the image and both of its
/// readers must agree with. Slow; used to explain verdicts and to test.
/// </summary>
public static class RuleMatch
{
    internal const byte Icmp = 1;
    internal const byte IcmpV6 = 58;

    /// <param name="set">The rule's set, for the sets it names.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="key">The packet, not malformed.</param>
    /// <param name="interfaceName">Where it came in; null if that has no name.</param>
    public static bool Matches(
        RuleSet set, Rule rule, in PacketKey key, string? interfaceName) =>
        (rule.Family is null || rule.Family == key.Family)
        && (rule.Protocol is null || rule.Protocol == key.Protocol)
        && (!rule.Syn || key.Syn)
        && IcmpMatches(rule, key)
        && Fragment(rule.Fragment, key.Fragment)
        && (rule.Vlan is null || rule.Vlan == key.Vlan)
        && (rule.InnerVlan is null || rule.InnerVlan == key.InnerVlan)
        && Ports(rule.SourcePorts, key.HasPorts, key.SourcePort)
        && Ports(rule.DestinationPorts, key.HasPorts, key.DestinationPort)
        && (rule.Interfaces.Count == 0
            || (interfaceName is not null && rule.Interfaces.Contains(interfaceName)))
        && (rule.From is null || Contains(set, rule.From, Source(key)))
        && (rule.To is null || Contains(set, rule.To, Destination(key)));

    /// <summary>Whether an address is in a list; a packet that is not IP has none.</summary>
    public static bool Contains(RuleSet set, AddressList list, IpPrefix? address)
    {
        if (address is not IpPrefix whole)
        {
            return false;
        }

        foreach (IpPrefix prefix in set.PrefixesOf(list))
        {
            if (prefix.Contains(whole))
            {
                return true;
            }
        }

        return false;
    }

    public static IpPrefix? Source(in PacketKey key) =>
        Address(key.Family, key.SourceHigh, key.SourceLow);

    public static IpPrefix? Destination(in PacketKey key) =>
        Address(key.Family, key.DestinationHigh, key.DestinationLow);

    internal static bool Fragment(FragmentMatch match, FragmentKind kind) => match switch
    {
        FragmentMatch.Whole => kind == FragmentKind.None,
        FragmentMatch.Any => kind != FragmentKind.None,
        FragmentMatch.First => kind == FragmentKind.First,
        FragmentMatch.Later => kind == FragmentKind.Later,
        _ => true,
    };

    private static IpPrefix? Address(PacketFamily family, ulong high, ulong low) => family switch
    {
        PacketFamily.Ipv4 => IpPrefix.V4((uint)low, 32),
        PacketFamily.Ipv6 => IpPrefix.V6(new UInt128(high, low), 128),
        _ => null,
    };

    private static bool IcmpMatches(Rule rule, in PacketKey key)
    {
        if (rule.IcmpTypes.Count == 0)
        {
            return true;
        }

        int add = rule.Protocol == IcmpV6 ? PacketKey.IcmpV6 : 0;
        foreach (IcmpType type in rule.IcmpTypes)
        {
            if (key.Icmp == type.Type + add && (type.Code is null || type.Code == key.IcmpCode))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Ports(IReadOnlyList<PortRange> ranges, bool hasPorts, ushort port)
    {
        if (ranges.Count == 0)
        {
            return true;
        }

        foreach (PortRange range in ranges)
        {
            if (hasPorts && range.Contains(port))
            {
                return true;
            }
        }

        return false;
    }
}
