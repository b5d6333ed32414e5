using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// From a changed set of 100 000 rules to the first packet that the kernel judges by it. Compiling
/// counts by the thread's own time, the rest, which waits for the kernel, by the clock.
/// </summary>
internal static class SwapCases
{
    private const int Rules = 100_000;
    private const string Swapped = "swap of 100 000 rules in the kernel";
    private const string Loaded = "the same, with a program for another geometry";

    internal static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        if (options.Wants(Swapped))
        {
            yield return Measure(options, Swapped, isNewProgram: false);
        }

        if (options.Wants(Loaded))
        {
            yield return Measure(options, Loaded, isNewProgram: true);
        }
    }

    private static BenchRow Measure(BenchOptions options, string name, bool isNewProgram)
    {
        RuleSet set = BenchRules.Prefixes(Rules);
        CompiledPolicy policy = BenchRules.Compile(set);
        XdpFilter filter = Load(policy, null);
        List<double> sums = [];
        List<double> waits = [];
        for (int i = 1; i <= (options.Quick ? 5 : 15); i++)
        {
            RuleSet changed = Changed(set, i, isNewProgram);
            double compiling = ThreadClock.Ns;
            policy = isNewProgram ? Anew(changed, policy) : BenchRules.Compile(changed, policy);
            compiling = ThreadClock.Ns - compiling;
            long started = Stopwatch.GetTimestamp();
            Invariant.Check(filter.CanTake(policy.Geometry, policy.ImageBytes.Length)
                != isNewProgram);
            if (isNewProgram)
            {
                using XdpFilter before = filter;
                filter = Load(policy, before);
            }
            else
            {
                Result swapped = filter.Swap(policy.Geometry, policy.ImageBytes.Span);
                Invariant.Check(swapped.IsOk, swapped.Fault?.Message);
            }

            waits.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            sums.Add(waits[^1] + (compiling / 1e6));
        }

        filter.Dispose();
        return BenchRow.Alone(
            name, PairedRun.Median(sums), "ms", 300, higherIsBetter: false,
            $"{PairedRun.Median(waits):0} ms of it after compiling; worst {sums.Max():0} ms");
    }

    /// <summary>Another set each time; for another program, one that asks for other
    /// fields.</summary>
    private static RuleSet Changed(RuleSet set, int round, bool isNewProgram)
    {
        RuleSet changed = set with { Rules = [.. set.Rules.Skip(round)] };
        Rule port = new()
        {
            Action = RuleAction.Deny,
            Protocol = 17,
            DestinationPorts = [new PortRange(1900, 1900)],
        };
        return isNewProgram && (round & 1) == 1
            ? changed with { Rules = [port, .. changed.Rules] }
            : changed;
    }

    /// <summary>Keeps the slots, chooses the geometry freely.</summary>
    private static CompiledPolicy Anew(RuleSet set, CompiledPolicy before)
    {
        Result<CompiledPolicy> policy = PolicyCompiler.Compile(set, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            Slots = before.Slots,
        });
        Invariant.Check(policy.IsOk, policy.Fault?.Message);
        return policy.Value;
    }

    private static XdpFilter Load(CompiledPolicy policy, XdpFilter? before)
    {
        Result<XdpFilter> filter = XdpFilter.Load(
            new XdpFilterOptions(), policy.Geometry, policy.ImageBytes.Span, before);
        Invariant.Check(filter.IsOk, filter.Fault?.Message);
        return filter.Value;
    }
}
