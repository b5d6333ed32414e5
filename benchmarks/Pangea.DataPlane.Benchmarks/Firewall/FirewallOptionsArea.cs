using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// What each feature of the firewall costs a packet, and what its parts cost made otherwise. The
/// command of the experiments on the firewall.
/// </summary>
public sealed class FirewallOptionsArea : IBenchArea
{
    private const int Hosts = 100_000;
    private const uint Few = 0xfff;
    private const uint Many = 0xffffff;

    public string Name => "firewall-options";

    public string Summary =>
        "what each feature of the firewall costs, and its parts made otherwise";

    public IEnumerable<BenchRow> Run(BenchOptions options) =>
        HostEntries(options)
            .Concat(Rates(options))
            .Concat(Modes(options))
            .Concat(Features(options));

    /// <summary>Entries of single addresses: the firewall's trie, the kernel's hash and
    /// trie.</summary>
    private static IEnumerable<BenchRow> HostEntries(BenchOptions options)
    {
        foreach ((uint mask, string sources) in ((uint, string)[])
            [(Few, "4096 sources"), (Many, "16 M sources")])
        {
            foreach (string rival in (string[])["hash", "lpm"])
            {
                string name = $"100 000 hosts, {sources}, beside the kernel's {rival}";
                if (options.Wants(name))
                {
                    yield return HostRow(options, name, rival, mask);
                }
            }
        }
    }

    private static BenchRow HostRow(BenchOptions options, string name, string rival, uint mask)
    {
        Random random = new(5);
        uint[] hosts =
            [.. Enumerable.Range(0, Hosts).Select(_ => (uint)random.NextInt64(1L << 32))];
        RuleSet rules = RuleSet.Empty with
        {
            Rules =
            [
                .. FilterRig.Usual(true).Rules,
                new Rule
                {
                    Action = RuleAction.Deny,
                    From = AddressList.Of(
                        [.. hosts.Distinct().Select(host => IpPrefix.V4(host, 32))]),
                },
            ],
        };
        return Beside(options, name, rival, mask, rules, hosts);
    }

    /// <summary>Buckets of sources: the firewall's table, and two tables of the kernel.</summary>
    private static IEnumerable<BenchRow> Rates(BenchOptions options)
    {
        foreach ((uint mask, string sources) in ((uint, string)[])
            [(Few, "4096 sources"), (0x1ffff, "131 072 sources")])
        {
            foreach ((string rival, string what) in ((string, string)[])
                [("rate_shared", "LRU hash"), ("rate_own", "LRU hash of each CPU")])
            {
                string name = $"rate of a source, {sources}, beside the kernel's {what}";
                if (options.Wants(name))
                {
                    yield return Beside(
                        options, name, rival, mask, FilterRig.Limited(), hosts: []);
                }
            }
        }
    }

    /// <summary>
    /// What rules add to the usual ones, beside what the kernel's table adds to drawing a source.
    /// </summary>
    /// <param name="options">Rounds and time.</param>
    /// <param name="name">Of the row.</param>
    /// <param name="rival">The program with the kernel's table.</param>
    /// <param name="mask">Of the sources that both draw by lot.</param>
    /// <param name="rules">The usual ones and more.</param>
    /// <param name="hosts">What the kernel's tables hold.</param>
    private static BenchRow Beside(
        BenchOptions options, string name, string rival, uint mask, RuleSet rules, uint[] hosts)
    {
        using XdpFilter full = FilterRig.Load(rules, false, isTest: true);
        using XdpFilter empty = FilterRig.Load(FilterRig.Usual(true), false, isTest: true);
        FilterRig.Spread(full, mask);
        FilterRig.Spread(empty, mask);
        Result<OptionPrograms> programs = OptionPrograms.Load();
        if (!programs.IsOk)
        {
            return BenchRow.Alone(name, double.NaN, "ns", null, note: programs.Fault.Message);
        }

        using OptionPrograms other = programs.Value;
        other.Fill(hosts);
        other.Spread(mask);
        byte[] frame = BenchFrames.Tcp4(BenchFrames.Source4, 443);
        return Added(
            name,
            FilterPairs.Measure(
                options,
                FilterRig.Repeat(full.Program, frame),
                FilterRig.Repeat(empty.Program, frame)),
            FilterPairs.Measure(
                options, other.Repeat(rival, frame), other.Repeat("draw", frame)),
            rival);
    }

    /// <summary>The same program before and after the kernel has made a buffer.</summary>
    private static IEnumerable<BenchRow> Modes(BenchOptions options)
    {
        const string drop = "native beside generic mode, drop a banned source";
        const string route = "native beside generic mode, route";
        if (!options.Wants(drop) && !options.Wants(route))
        {
            yield break;
        }

        Result<FloodRig> native = FloodRig.Make(XdpMode.Native);
        Result<FloodRig> generic = FloodRig.Make(XdpMode.Generic);
        if (!native.IsOk || !generic.IsOk)
        {
            yield return BenchRow.Alone(
                drop, double.NaN, "M/s", null, note: (native.Fault ?? generic.Fault)!.Message);
            yield break;
        }

        using FloodRig first = native.Value;
        using FloodRig second = generic.Value;
        using XdpFilter filter = FilterRig.Load(FilterRig.Everything(), bans: true);
        FilterRig.Ban(filter, FloodCases.FloodSource);
        if (options.Wants(drop))
        {
            yield return FloodCases.Row(
                options, drop,
                () => first.NsPerPacket(filter.Program, FloodCases.Flood, passes: false),
                () => second.NsPerPacket(filter.Program, FloodCases.Flood, passes: false),
                null, "generic");
        }

        if (options.Wants(route))
        {
            yield return FloodCases.Row(
                options, route,
                () => first.NsPerPacket(filter.Program, FloodCases.Traffic, passes: true),
                () => second.NsPerPacket(filter.Program, FloodCases.Traffic, passes: true),
                null, "generic");
        }
    }

    /// <summary>Rules that a TCP packet over IPv4 does not meet, one kind at a time.</summary>
    private static IEnumerable<BenchRow> Features(BenchOptions options)
    {
        (string Feature, string Rules, bool Bans)[] features =
        [
            ("prefixes of sources", "deny from 192.0.2.0/24", false),
            ("prefixes of destinations", "deny to 203.0.113.0/24", false),
            ("a pin", "pin from 192.0.2.128/25", false),
            ("bans, none of them", "", true),
            ("protocol", "deny proto 47", false),
            ("ports", "deny tcp port 23", false),
            ("ports of sources", "deny udp sport 19", false),
            ("types of ICMP", "deny icmp type 5", false),
            ("VLAN", "deny vlan 13", false),
            ("fragments", "deny fragment any", false),
            ("SYN", "deny tcp syn", false),
            ("1000 complex rules", Complex(1000), false),
            ("a rule that decides", "allow tcp port 443", false),
            ("limit of a rule", "limit tcp rate 100m/s burst 100m", false),
            ("limit of each source", "limit tcp rate 100m/s burst 100m per source", false),
            ("limit that others are under", "limit udp rate 100m/s burst 100m per source", false),
        ];
        foreach ((string feature, string rules, bool bans) in features)
        {
            string name = $"cost of {feature}";
            if (!options.Wants(name))
            {
                continue;
            }

            using XdpFilter with = FilterRig.Load(FilterRig.Parse(rules), bans);
            using XdpFilter without = FilterRig.Load(RuleSet.Empty, false);
            byte[] frame = BenchFrames.Tcp4(BenchFrames.Source4, 443);
            PairedResult result = FilterPairs.Measure(
                options,
                FilterRig.Repeat(with.Program, frame),
                FilterRig.Repeat(without.Program, frame));
            yield return result.Duration(
                name, "ns", null, "no rules",
                $"adds {result.RivalNs * (result.TimeRatio - 1):0.0} ns");
        }
    }

    private static string Complex(int count) => string.Join('\n', Enumerable.Range(0, count)
        .Select(i => $"deny tcp to 203.0.{i & 255}.0/24 port {1000 + i}"));

    private static BenchRow Added(
        string name, PairedResult ours, PairedResult rival, string rivalName) =>
        new(name, ours.OursNs - ours.RivalNs, rival.OursNs - rival.RivalNs, "ns", null, rivalName,
            HigherIsBetter: false, Note: "what it adds to the packet without it; "
                + $"{ours.OursNs:0} of {ours.RivalNs:0}, {rival.OursNs:0} of {rival.RivalNs:0}");
}
