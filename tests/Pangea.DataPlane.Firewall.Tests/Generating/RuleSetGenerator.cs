using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Firewall.Tests.Generating;

/// <summary>
/// Random rule sets over the same small ranges as the frames of <see cref="FrameGenerator"/>.
/// </summary>
public sealed class RuleSetGenerator(Random random)
{
    private static readonly string[] s_interfaces = ["lan0", "wan0", "gone0"];

    /// <summary>Interfaces that exist; "gone0" is named by rules and does not.</summary>
    public static IReadOnlyDictionary<string, uint> Interfaces { get; } =
        new Dictionary<string, uint> { ["lan0"] = 2, ["wan0"] = 3, ["other0"] = 70_000 };

    public static uint InterfaceIndex(Random random) =>
        random.Next(4) switch { 0 => 2u, 1 => 3u, 2 => 70_000u, _ => 99u };

    public static string? InterfaceName(uint index) =>
        Interfaces.FirstOrDefault(pair => pair.Value == index).Key;

    /// <param name="ruleCount">Rules; a few percent of them only limit.</param>
    /// <param name="limits">Whether rules may have limits.</param>
    public RuleSet Next(int ruleCount, bool limits = true)
    {
        Dictionary<string, PrefixSet> sets = [];
        foreach (string name in (ReadOnlySpan<string>)["peers", "blocked", "empty"])
        {
            IpPrefix[] prefixes = [.. Enumerable.Range(0, name == "empty" ? 0 : random.Next(1, 6))
                .Select(_ => Prefix())];
            sets.Add(name, new PrefixSet(name, prefixes, [], []));
        }

        Dictionary<string, RuleAction> defaults = [];
        if (random.Next(2) == 0)
        {
            defaults["lan0"] = random.Next(2) == 0 ? RuleAction.Allow : RuleAction.Deny;
        }

        return new RuleSet
        {
            Default = random.Next(2) == 0 ? RuleAction.Allow : RuleAction.Deny,
            InterfaceDefaults = defaults,
            MalformedDrop = random.Next(3) == 0
                ? (uint)random.Next(1 << 16) & RuleSet.MalformedAll
                : RuleSet.MalformedAll,
            Monitor = random.Next(10) == 0,
            Sets = sets,
            Pins = random.Next(3) > 0
                ? []
                : [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => new Pin(
                    (Direction)random.Next(2), Addresses()))],
            Rules = [.. Enumerable.Range(0, ruleCount).Select(_ => Rule(limits))],
        };
    }

    private Rule Rule(bool limits)
    {
        RuleAction action = limits && random.Next(20) == 0
            ? RuleAction.Limit
            : (RuleAction)random.Next(2);
        bool isSimple = random.Next(3) > 0;
        byte? protocol = isSimple || random.Next(2) == 0 ? null : Pick<byte>(1, 6, 17, 58, 132, 47);
        bool ports = !isSimple && random.Next(3) == 0;
        return new Rule
        {
            Action = action,
            Family = isSimple || random.Next(8) > 0 ? null : (PacketFamily)random.Next(3),
            Protocol = protocol,
            Syn = protocol == 6 && random.Next(3) == 0,
            IcmpTypes = protocol is 1 or 58 && random.Next(2) == 0
                ? [(byte)random.Next(6), new IcmpType((byte)random.Next(6), (byte)random.Next(3))]
                : [],
            Fragment = isSimple || random.Next(6) > 0 ? 0 : (FragmentMatch)random.Next(5),
            From = random.Next(isSimple ? 8 : 2) == 0 ? null : Addresses(),
            To = isSimple && random.Next(3) > 0 || random.Next(2) == 0 ? null : Addresses(),
            SourcePorts = ports && random.Next(3) == 0 ? Ports() : [],
            DestinationPorts = ports ? Ports() : [],
            Interfaces = isSimple || random.Next(5) > 0 ? [] : [s_interfaces[random.Next(3)]],
            Vlan = isSimple || random.Next(8) > 0 ? null : Tag(),
            InnerVlan = isSimple || random.Next(12) > 0 ? null : Tag(),
            Limit = action == RuleAction.Limit
                || (limits && action == RuleAction.Allow && random.Next(8) == 0)
                ? Limit()
                : null,
            Monitor = random.Next(12) == 0,
            Priority = random.Next(3) > 0 ? 1000 : random.Next(5),
        };
    }

    private RuleLimit Limit()
    {
        RuleLimit limit = new()
        {
            Packets = new Rate(
                (ulong)random.Next(1, 2000), TimeSpan.FromSeconds(1), (ulong)random.Next(1, 10)),
            Bytes = random.Next(2) == 0
                ? null
                : new Rate((ulong)random.Next(100, 1_000_000), TimeSpan.FromSeconds(1), 65536),
            Ban = random.Next(3) > 0
                ? null
                : new BanAfter(
                    TimeSpan.FromMilliseconds(random.Next(1, 50)), random.Next(1, 4),
                    TimeSpan.FromMilliseconds(random.Next(1, 50)),
                    random.Next(2) == 0 ? 64 : 128),
        };
        return random.Next(2) == 0
            ? limit
            : limit with
            {
                Scope = PolicyScope.Source,
                Prefix4 = random.Next(33),
                Prefix6 = random.Next(129),
            };
    }

    private int Tag() => random.Next(4) == 0 ? Rules.Rule.Untagged : random.Next(6);

    private PortRange[] Ports() => [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ =>
    {
        ushort first = FrameGenerator.Port(random);
        return new PortRange(first, (ushort)Math.Min(65535, first + random.Next(100)));
    })];

    private AddressList Addresses() => random.Next(6) == 0
        ? new AddressList([], [Pick("peers", "blocked", "empty")])
        : AddressList.Of([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Prefix())]);

    private IpPrefix Prefix()
    {
        bool isV6 = random.Next(2) == 0;
        int bits = isV6
            ? Pick(0, 16, 20, 32, 36, 47, 48, 64, 125, 128, random.Next(129))
            : Pick(0, 8, 13, 16, 24, 27, 32, random.Next(33));
        UInt128 top = isV6
            ? FrameGenerator.Address6(random)
            : (UInt128)FrameGenerator.Address4(random) << 96;
        return new IpPrefix(top & IpPrefix.Mask(bits), (byte)bits, isV6);
    }

    private T Pick<T>(params T[] values) => values[random.Next(values.Length)];
}
