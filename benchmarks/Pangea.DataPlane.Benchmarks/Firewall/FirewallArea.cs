using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>What a verdict and a change of the rules cost, in the kernel and outside.</summary>
public sealed class FirewallArea : IBenchArea
{
    public string Name => "firewall";

    public string Summary =>
        "verdicts in the kernel beside xdp-filter, and in user space; changes of rules";

    public IEnumerable<BenchRow> Run(BenchOptions options) =>
        ProgramCases.Run(options)
            .Concat(FloodCases.Run(options))
            .Concat(SwapCases.Run(options))
            .Concat(MemoryCase.Run(options))
            .Concat(TwinCases.Run(options));
}
