using System.Globalization;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>What the filter takes of the kernel's memory, as the kernel itself counts it.</summary>
internal static class MemoryCase
{
    internal static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        (string Case, RuleSet Rules, int Bans)[] cases =
        [
            ("memory in the kernel, default sizes", FilterRig.Usual(true), 65_536),
            ("memory in the kernel, 100 000 prefixes", BenchRules.Prefixes(100_000), 65_536),
            ("memory in the kernel, 1 000 000 bans", FilterRig.Usual(true), 1_000_000),
        ];
        foreach ((string name, RuleSet rules, int bans) in cases)
        {
            if (options.Wants(name))
            {
                yield return Row(name, BenchRules.Compile(rules), bans);
            }
        }
    }

    private static BenchRow Row(string name, CompiledPolicy policy, int bans)
    {
        using XdpFilter filter = XdpFilter.Load(
            new XdpFilterOptions { Bans4Max = bans },
            policy.Geometry,
            policy.ImageBytes.Span).Value;
        List<(string Name, double Megabytes)> maps =
        [
            .. FilterMaps.Names.Select(map => (map, Memory(filter.Maps[map].Fd.Number) / 1e6)),
        ];
        return BenchRow.Alone(
            name, maps.Sum(map => map.Megabytes), "MB", null, higherIsBetter: false,
            string.Join(", ", maps.OrderByDescending(map => map.Megabytes).Take(4)
                .Select(map => $"{map.Name} {map.Megabytes:0.0}")));
    }

    /// <summary>"memlock:" of what the kernel says about a descriptor of a map.</summary>
    private static long Memory(int descriptor) => long.Parse(
        File.ReadLines($"/proc/self/fdinfo/{descriptor}")
            .First(line => line.StartsWith("memlock:", StringComparison.Ordinal))[8..],
        NumberStyles.AllowLeadingWhite,
        CultureInfo.InvariantCulture);
}
