using System.Globalization;
using System.Text;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// Packets on a real interface, native mode: a flood that drops, and traffic that is routed.
/// </summary>
internal static class FloodCases
{
    private const int Banned = 10_000;
    internal const uint FloodSource = 0xcb007109; // 203.0.113.9
    private const string Dropped = "flood, drop a source banned among 10 000";
    private const string Routed = "routing, pass all features";

    internal static readonly byte[] Flood = FloodRig.Frame([203, 0, 113, 9], 443);
    internal static readonly byte[] Traffic = FloodRig.Frame([198, 51, 100, 77], 443);

    internal static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string[] names =
        [
            $"{Dropped}, beside xdp-filter", $"{Dropped}, beside nftables",
            $"{Dropped}, beside a program that drops all",
            $"{Dropped}, beside one that looks first",
            $"{Routed}, beside xdp-filter", $"{Routed}, beside no filter",
        ];
        if (!names.Any(options.Wants))
        {
            yield break;
        }

        Result<FloodRig> made = FloodRig.Make(XdpMode.Native);
        Result<FloodRig> bare = FloodRig.Make(XdpMode.None);
        Result<XdpFilterRival> rival = XdpFilterRival.Load();
        if (!made.IsOk || !bare.IsOk || !rival.IsOk)
        {
            yield return BenchRow.Alone(
                Dropped, double.NaN, "M/s", null,
                note: (made.Fault ?? bare.Fault ?? rival.Fault)!.Message);
            yield break;
        }

        using FloodRig rig = made.Value;
        using FloodRig plain = bare.Value;
        using XdpFilterRival other = rival.Value;
        using XdpFilter bans = FilterRig.Load(FilterRig.Usual(withAddress: false), bans: true);
        using XdpFilter all = FilterRig.Load(FilterRig.Everything(), bans: true);
        foreach (XdpFilter filter in (XdpFilter[])[bans, all])
        {
            FilterRig.FillBans(filter, Banned - 1);
            FilterRig.Ban(filter, FloodSource);
        }

        other.DenySource([203, 0, 113, 9]);
        plain.Nftables(Nftables());
        Func<double> dropped = () => rig.NsPerPacket(bans.Program, Flood, passes: false);
        Func<double> routed = () => rig.NsPerPacket(all.Program, Traffic, passes: true);
        (Func<double> Ours, Func<double> Rival, double? Goal, string Name)[] cases =
        [
            (dropped, () => rig.NsPerPacket(other.Program, Flood, false), 1.0,
                "xdp-filter, one address"),
            (dropped, () => plain.NsPerPacket(null, Flood, passes: false), 6.0,
                "nftables, prerouting, set of 10 000"),
            (dropped, () => rig.NsPerPacket(rig.Drop, Flood, false), null, "XDP_DROP alone"),
            (dropped, () => rig.NsPerPacket(rig.Look, Flood, false), null, "XDP_DROP after a look"),
            (routed, () => rig.NsPerPacket(other.Program, Traffic, true), 0.98,
                "xdp-filter (all features)"),
            (routed, () => rig.NsPerPacket(rig.Pass, Traffic, true), null, "XDP_PASS alone"),
        ];
        for (int i = 0; i < cases.Length; i++)
        {
            if (options.Wants(names[i]))
            {
                (Func<double> ours, Func<double> beside, double? goal, string name) = cases[i];
                yield return Row(options, names[i], ours, beside, goal, name);
            }
        }
    }

    internal static BenchRow Row(
        BenchOptions options,
        string name,
        Func<double> ours,
        Func<double> rival,
        double? goal,
        string rivalName)
    {
        int rounds = options.Quick ? 5 : 11;
        List<double> mine = [];
        List<double> other = [];
        _ = ours();
        for (int round = 0; round < rounds; round++)
        {
            bool rivalFirst = (round & 1) == 1;
            double before = rivalFirst ? rival() : 0;
            mine.Add(1e3 / ours());
            other.Add(1e3 / (rivalFirst ? before : rival()));
        }

        return new BenchRow(
            name, PairedRun.Median(mine), PairedRun.Median(other), "M/s", goal, rivalName,
            Note: $"packets in a second of the receiving core; +-{PairedRun.Spread(mine):P0}"
                + $"/{PairedRun.Spread(other):P0}, {rounds} rounds")
        {
            Ratio = PairedRun.Median([.. mine.Zip(other, (a, b) => a / b)]),
        };
    }

    /// <summary>The set of 10 000 in the earliest of nftables' hooks that routing has.</summary>
    private static string Nftables()
    {
        Random random = new(2);
        StringBuilder rules = new("table ip flood {\n set banned {\n  type ipv4_addr\n");
        rules.Append("  elements = { 203.0.113.9");
        HashSet<uint> seen = [FloodSource];
        while (seen.Count < Banned)
        {
            uint address = (uint)random.NextInt64(0x0100_0000, 0xdf00_0000);
            if (seen.Add(address))
            {
                rules.Append(CultureInfo.InvariantCulture, $", {address >> 24}.")
                    .Append(CultureInfo.InvariantCulture, $"{(address >> 16) & 255}.")
                    .Append(CultureInfo.InvariantCulture, $"{(address >> 8) & 255}.")
                    .Append(CultureInfo.InvariantCulture, $"{address & 255}");
            }
        }

        rules.Append(" }\n }\n chain early {\n")
            .Append("  type filter hook prerouting priority raw; policy accept;\n")
            .Append("  ip saddr @banned drop\n }\n}\n");
        return rules.ToString();
    }
}
