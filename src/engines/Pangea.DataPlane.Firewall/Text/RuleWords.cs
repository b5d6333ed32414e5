using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>The words of the rule text and the numbers behind them.</summary>
internal static class RuleWords
{
    public static readonly Dictionary<string, byte> Protocols =
        new Dictionary<string, byte>
        {
            ["icmp"] = 1,
            ["igmp"] = 2,
            ["tcp"] = 6,
            ["udp"] = 17,
            ["gre"] = 47,
            ["esp"] = 50,
            ["ah"] = 51,
            ["icmpv6"] = 58,
            ["ospf"] = 89,
            ["vrrp"] = 112,
            ["sctp"] = 132,
        };

    public static readonly Dictionary<string, PacketFamily> Families =
        new Dictionary<string, PacketFamily>
        {
            ["ipv4"] = PacketFamily.Ipv4,
            ["ipv6"] = PacketFamily.Ipv6,
            ["non-ip"] = PacketFamily.Other,
        };

    /// <summary>Types of ICMP (RFC 792).</summary>
    public static readonly Dictionary<string, byte> IcmpTypes =
        new Dictionary<string, byte>
        {
            ["echo-reply"] = 0,
            ["unreachable"] = 3,
            ["redirect"] = 5,
            ["echo"] = 8,
            ["time-exceeded"] = 11,
            ["parameter-problem"] = 12,
            ["timestamp"] = 13,
        };

    /// <summary>Types of ICMPv6 (RFC 4443, RFC 2710, RFC 4861).</summary>
    public static readonly Dictionary<string, byte> IcmpV6Types =
        new Dictionary<string, byte>
        {
            ["unreachable"] = 1,
            ["too-big"] = 2,
            ["time-exceeded"] = 3,
            ["parameter-problem"] = 4,
            ["echo"] = 128,
            ["echo-reply"] = 129,
            ["mld-query"] = 130,
            ["mld-report"] = 131,
            ["mld-done"] = 132,
            ["router-solicitation"] = 133,
            ["router-advertisement"] = 134,
            ["neighbour-solicitation"] = 135,
            ["neighbour-advertisement"] = 136,
            ["redirect"] = 137,
            ["mld2-report"] = 143,
        };

    public static readonly Dictionary<string, MalformedKind> MalformedKinds =
        Enum.GetValues<MalformedKind>().Where(kind => kind != MalformedKind.None)
            .ToDictionary(Dashed);

    public static string? NameOf<T>(Dictionary<string, T> words, T value)
        where T : struct
    {
        foreach ((string word, T number) in words)
        {
            if (number.Equals(value))
            {
                return word;
            }
        }

        return null;
    }

    /// <summary>VlanDepth is "vlan-depth".</summary>
    private static string Dashed(MalformedKind kind) =>
        string.Concat(kind.ToString().Select((c, i) =>
            i > 0 && char.IsUpper(c) ? $"-{char.ToLowerInvariant(c)}"
                : $"{char.ToLowerInvariant(c)}"));
}
