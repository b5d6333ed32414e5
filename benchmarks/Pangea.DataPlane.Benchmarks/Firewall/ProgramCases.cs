using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// The firewall beside xdp-filter: the price of a packet in the program alone
/// (BPF_PROG_TEST_RUN, which itself costs about 28 ns in every figure).
/// </summary>
internal static class ProgramCases
{
    private const uint Drop = 1;
    private const uint Pass = 2;

    internal static IEnumerable<BenchRow> Run(BenchOptions options) =>
        AgainstRival(options).Concat(AgainstOurselves(options));

    private static IEnumerable<BenchRow> AgainstRival(BenchOptions options)
    {
        byte[] innocent4 = BenchFrames.Tcp4(BenchFrames.Source4, 443);
        byte[] denied4 = BenchFrames.Tcp4([203, 0, 113, 9], 443);
        byte[] port4 = BenchFrames.Tcp4(BenchFrames.Source4, 23);
        byte[] innocent6 = BenchFrames.Tcp6(BenchFrames.Source6, 443);
        (string Case, byte[] Frame, uint Verdict, bool Ban)[] cases =
        [
            ("ns a packet, pass, rules for prefix, port and protocol", innocent4, Pass, false),
            ("ns a packet, pass, the same, IPv6", innocent6, Pass, false),
            ("ns a packet, drop by address (rule)", denied4, Drop, false),
            ("ns a packet, drop by address (ban)", denied4, Drop, true),
            ("ns a packet, drop by port", port4, Drop, false),
        ];
        foreach ((string name, byte[] frame, uint verdict, bool ban) in cases)
        {
            if (!options.Wants(name))
            {
                continue;
            }

            using XdpFilter ours = FilterRig.Load(FilterRig.Usual(withAddress: !ban), ban);
            if (ban)
            {
                FilterRig.Ban(ours, 0xcb007109);
            }

            Result<XdpFilterRival> rival = XdpFilterRival.Load();
            if (rival.IsOk)
            {
                rival.Value.DenySource([203, 0, 113, 9]);
                rival.Value.DenyPort(23);
                FilterRig.Expect(rival.Value.Program, frame, verdict);
            }

            FilterRig.Expect(ours.Program, frame, verdict);
            PairedResult result = FilterPairs.Measure(
                options,
                FilterRig.Repeat(ours.Program, frame),
                rival.IsOk ? FilterRig.Repeat(rival.Value.Program, frame) : null);
            yield return result.Duration(
                name, "ns", 1.0, rival.IsOk ? XdpFilterRival.Name : "", rival.Fault?.Message);
            if (rival.IsOk)
            {
                rival.Value.Dispose();
            }
        }
    }

    /// <summary>
    /// Sources are drawn by lot inside the program: 4096 are a busy server's, the larger numbers
    /// an attacker's that makes its sources up, so that no cache helps. The case without prefixes,
    /// bans or limits pays for the lot as well.
    /// </summary>
    private static IEnumerable<BenchRow> AgainstOurselves(BenchOptions options)
    {
        const int bansMax = 1_000_000;
        (string Case, RuleSet Rules, int Bans, uint Sources, double Goal)[] cases =
        [
            ("100 000 prefixes, one source", FilterRig.Prefixes(100_000), 0, 0, 1.5),
            ("100 000 prefixes, 16 M sources", FilterRig.Prefixes(100_000), 0, 0xffffff, 1.5),
            ("1 000 000 bans, one source", FilterRig.Usual(true), bansMax, 0, 1.5),
            ("1 000 000 bans, 4096 sources", FilterRig.Usual(true), bansMax, 0xfff, 1.5),
            ("1 000 000 bans, 16 M sources", FilterRig.Usual(true), bansMax, 0xffffff, 1.5),
            ("rate limit a source, one source", FilterRig.Limited(), 0, 0, 2.0),
            ("rate limit a source, 4096 sources", FilterRig.Limited(), 0, 0xfff, 2.0),
            ("rate limit a source, 131 072 sources", FilterRig.Limited(), 0, 0x1ffff, 2.0),
        ];
        foreach ((string what, RuleSet rules, int bans, uint sources, double goal) in cases)
        {
            string name = $"ns a packet, {what}";
            if (!options.Wants(name))
            {
                continue;
            }

            byte[] frame = BenchFrames.Tcp4(BenchFrames.Source4, 443);
            using XdpFilter full = FilterRig.Load(rules, bans > 0, isTest: true, bans);
            using XdpFilter empty = FilterRig.Load(FilterRig.Usual(true), false, isTest: true);
            FilterRig.Spread(full, sources);
            FilterRig.Spread(empty, sources);
            if (bans > 0)
            {
                FilterRig.FillBans(full, bans);
            }

            PairedResult result = FilterPairs.Measure(
                options,
                FilterRig.Repeat(full.Program, frame),
                FilterRig.Repeat(empty.Program, frame));
            yield return result.Duration(name, "ns", goal, "ourselves without");
        }
    }
}
