using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>What a verdict and a change of the rules cost.</summary>
public sealed class FirewallArea : IBenchArea
{
    public string Name => "firewall";

    public string Summary => "verdicts of the firewall and changes of its rules";

    public IEnumerable<BenchRow> Run(BenchOptions options) => TwinCases.Run(options);
}
