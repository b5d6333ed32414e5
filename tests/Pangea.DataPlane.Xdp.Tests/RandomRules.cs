using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Rule sets by chance, over few enough addresses, ports and tags that <see cref="RandomFrames"/>
/// meets them.
/// </summary>
internal sealed class RandomRules(Random random)
{
    internal static readonly uint[] Addresses4 =
    [
        0x0a000001, 0x0a000002, 0x0a0000ff, 0x0a000100, 0x0a010000, 0x0a800001, 0xc0a80101,
        0xc0a80102, 0xc0a8ffff, 0xc6336401, 0xcb007105, 0x08080808, 0x00000000, 0xffffffff,
        0x7f000001, 0xe0000001,
    ];

    internal static readonly UInt128[] Addresses6 =
    [
        new(0x20010db800000000, 1), new(0x20010db800000000, 2), new(0x20010db800000001, 1),
        new(0x20010db8ffffffff, 0x0000000100000000), new(0xfe80000000000000, 1),
        new(0xfe80000000000000, ulong.MaxValue), new(0, 0), new(0, 1),
        new(ulong.MaxValue, ulong.MaxValue), new(0xfd00000000000001, 0x123456789abcdef0),
    ];

    internal static readonly ushort[] Ports = [0, 1, 22, 53, 80, 443, 1023, 1024, 8080, 65535];
    internal static readonly byte[] Protocols = [1, 6, 17, 47, 50, 58, 132];
    internal static readonly int[] Tags = [0, 1, 100, 4095];

    internal static readonly Dictionary<string, uint> Interfaces = new()
    {
        ["eth0"] = 2, ["eth1"] = 3, ["veth7"] = 1031, ["big"] = 0x7fffffff,
    };

    private static readonly TimeSpan s_shortBan = TimeSpan.FromTicks(17_654_321);

    /// <summary>A rule set in which each rule comes from a seed of its own.</summary>
    internal RuleSet Next(IEnumerable<int> seeds)
    {
        bool limits = random.Next(3) != 0;
        return RuleSet.Empty with
        {
            Default = One(RuleAction.Allow, RuleAction.Deny),
            InterfaceDefaults = random.Next(3) == 0
                ? new Dictionary<string, RuleAction>
                {
                    ["eth0"] = RuleAction.Deny,
                    ["veth7"] = RuleAction.Allow,
                }
                : new Dictionary<string, RuleAction>(),
            MalformedDrop = random.Next(3) == 0
                ? (uint)random.Next() & RuleSet.MalformedAll
                : RuleSet.MalformedAll,
            Monitor = random.Next(8) == 0,
            Pins = random.Next(3) == 0
                ? [new Pin(One(Direction.From, Direction.To), Some(random.Next(1, 3)))]
                : [],
            Rules = [.. seeds.Select(seed => new RandomRules(new Random(seed)).NextRule(limits))],
        };
    }

    private Rule NextRule(bool limits)
    {
        bool police = limits && random.Next(6) == 0;
        bool simple = !police && random.Next(3) == 0;
        RuleAction action = police
            ? RuleAction.Limit
            : One(RuleAction.Allow, RuleAction.Deny);
        bool from = simple ? random.Next(2) == 0 : random.Next(3) == 0;
        Rule rule = new()
        {
            Action = action,
            From = from ? Some(random.Next(1, 4)) : null,
            To = (simple && !from) || (!simple && random.Next(4) == 0)
                ? Some(random.Next(1, 3))
                : null,
            Priority = One(Rule.PriorityDefault, Rule.PriorityDefault, random.Next(2000)),
            Monitor = random.Next(10) == 0,
            Limit = police || (limits && action == RuleAction.Allow && random.Next(4) == 0)
                ? NextLimit()
                : null,
        };
        return simple ? rule : WithFields(rule);
    }

    private Rule WithFields(Rule rule)
    {
        byte? protocol = random.Next(3) == 0 ? One(Protocols) : null;
        bool ports = random.Next(3) == 0 && protocol is null or 6 or 17 or 132;
        return rule with
        {
            Protocol = protocol,
            Family = random.Next(8) == 0
                ? One(PacketFamily.Ipv4, PacketFamily.Ipv6, PacketFamily.Other)
                : null,
            Syn = protocol == 6 && random.Next(3) == 0,
            IcmpTypes = protocol is 1 or 58 && random.Next(2) == 0
                ? [new IcmpType(
                    (byte)One(0, 8, 128, 129, 135), random.Next(2) == 0 ? (byte)One(0, 1) : null)]
                : [],
            Fragment = random.Next(6) == 0
                ? One(
                    FragmentMatch.Whole, FragmentMatch.Any, FragmentMatch.First,
                    FragmentMatch.Later)
                : FragmentMatch.Unset,
            SourcePorts = ports && random.Next(2) == 0 ? [NextRange()] : [],
            DestinationPorts = ports ? [NextRange(), NextRange()] : [],
            Interfaces = random.Next(8) == 0 ? [One([.. Interfaces.Keys])] : [],
            Vlan = random.Next(8) == 0 ? One(Rule.Untagged, One(Tags)) : null,
            InnerVlan = random.Next(12) == 0 ? One(Rule.Untagged, One(Tags)) : null,
        };
    }

    private RuleLimit NextLimit() => new()
    {
        Packets = random.Next(4) != 0
            ? new Rate((ulong)random.Next(1, 50), TimeSpan.FromSeconds(1), (ulong)random.Next(1, 9))
            : null,
        Bytes = random.Next(2) == 0
            ? new Rate(5000, TimeSpan.FromSeconds(1), 1 << 16)
            : new Rate((ulong)random.Next(64, 100000), TimeSpan.FromSeconds(1), 100000),
        Scope = One(PolicyScope.Rule, PolicyScope.Source),
        Prefix4 = One(32, 32, 24, 8, 0),
        Prefix6 = One(64, 64, 128, 48, 0, 100),
        Ban = random.Next(3) == 0
            ? new BanAfter(
                One<TimeSpan?>(s_shortBan, null), random.Next(1, 6), TimeSpan.FromSeconds(1),
                One(64, 128))
            : null,
    };

    private PortRange NextRange()
    {
        ushort first = One(Ports);
        ushort last = random.Next(2) == 0 ? first : One(Ports);
        return first <= last ? new PortRange(first, last) : new PortRange(last, first);
    }

    private AddressList Some(int count) =>
        AddressList.Of([.. Enumerable.Range(0, count).Select(_ => NextPrefix())]);

    private IpPrefix NextPrefix()
    {
        if (random.Next(2) == 0)
        {
            int bits = One(32, 32, 24, 16, 17, 20, 8, 9, 1, 0, 31, 30);
            uint mask = bits == 0 ? 0 : uint.MaxValue << (32 - bits);
            return IpPrefix.V4(One(Addresses4) & mask, bits);
        }

        int long6 = One(128, 128, 64, 48, 32, 16, 17, 63, 65, 127, 7, 0, 100);
        return IpPrefix.V6(One(Addresses6) & IpPrefix.Mask(long6), long6);
    }

    private T One<T>(params T[] choices) => choices[random.Next(choices.Length)];
}
