using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>The userspace twin on one thread: verdicts, memory, changes of the rules.</summary>
internal static class TwinCases
{
    private const int FrameCount = 8192;

    public static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        byte[][] frames = BenchRules.Frames(FrameCount);
        foreach ((string name, int rules, int bans, double? goal) in ((string, int, int, double?)[])
        [
            ("twin, 1000 rules", 1000, 0, 20.0),
            ("twin, 1000 rules, 100 000 bans", 1000, 100_000, null),
            ("twin, no rules", 0, 0, null),
        ])
        {
            if (options.Wants(name))
            {
                UserspaceFilter filter = new(BenchRules.Compile(BenchRules.Mixed(rules)));
                Ban(filter, bans);
                yield return Verdicts(options, name, filter, frames, goal);
            }
        }

        if (options.Wants("twin, 100 000 prefixes"))
        {
            UserspaceFilter filter = new(BenchRules.Compile(BenchRules.Prefixes(100_000)));
            yield return Verdicts(options, "twin, 100 000 prefixes", filter, frames, null);
        }

        if (options.Wants("twin, memory of 10 000 verdicts"))
        {
            yield return Allocated(frames);
        }

        if (options.Wants("compile and swap of 100 000 rules"))
        {
            yield return Swap(options);
        }

        if (options.Wants("text of 100 000 rules"))
        {
            yield return Text();
        }
    }

    private static void Ban(UserspaceFilter filter, int count)
    {
        Random random = new(10);
        for (int i = 0; i < count; i++)
        {
            filter.Ban(IpPrefix.V4((uint)random.NextInt64(1L << 32), 32), ulong.MaxValue);
        }
    }

    private static BenchRow Verdicts(
        BenchOptions options, string name, UserspaceFilter filter, byte[][] frames, double? goal)
    {
        List<double> rates = [];
        Stopwatch whole = Stopwatch.StartNew();
        while (whole.Elapsed < options.CaseTime || rates.Count < 5)
        {
            double start = ThreadClock.Ns;
            Pass(filter, frames);
            rates.Add(frames.Length * 1e3 / (ThreadClock.Ns - start));
        }

        rates.RemoveRange(0, rates.Count / 4);
        rates.Sort();
        PolicyCounter passed = filter.Counters[(int)PolicyReason.Default];
        double share = passed.PassedPackets
            / (double)Enumerable.Range(0, 7).Sum(
                reason => (double)filter.Counters[reason].PassedPackets
                    + filter.Counters[reason].DroppedPackets);
        return BenchRow.Alone(
            name, rates[rates.Count / 2], "M/s", goal,
            note: $"CPU time of one thread; {share:P0} by default; "
                + $"spread {rates[0]:0.0}..{rates[^1]:0.0}");
    }

    private static void Pass(UserspaceFilter filter, byte[][] frames)
    {
        foreach (byte[] frame in frames)
        {
            filter.Judge(frame, frame.Length, 2, 1_000_000_000);
        }
    }

    private static BenchRow Allocated(byte[][] frames)
    {
        UserspaceFilter filter = new(BenchRules.Compile(BenchRules.Mixed(1000)));
        Pass(filter, frames);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Pass(filter, frames);
        Pass(filter, frames);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        return BenchRow.Alone(
            "twin, memory of 10 000 verdicts", bytes, "bytes", 0, higherIsBetter: false);
    }

    /// <summary>A changed set each time, compiled beside the one in use, then swapped.</summary>
    private static BenchRow Swap(BenchOptions options)
    {
        RuleSet set = BenchRules.Prefixes(100_000);
        CompiledPolicy policy = BenchRules.Compile(set);
        UserspaceFilter filter = new(policy);
        List<double> times = [];
        for (int i = 0; i < (options.Quick ? 5 : 15); i++)
        {
            RuleSet changed = set with { Rules = [.. set.Rules.Skip(i + 1)] };
            double start = ThreadClock.Ns;
            policy = BenchRules.Compile(changed, policy);
            filter.Swap(policy);
            times.Add((ThreadClock.Ns - start) / 1e6);
        }

        times.Sort();
        return BenchRow.Alone(
            "compile and swap of 100 000 rules", times[times.Count / 2], "ms", 300,
            higherIsBetter: false,
            $"worst {times[^1]:0} ms; image {policy.Geometry.ImageBytes / 1e6:0.0} MB, "
            + $"{policy.Sizes.Nodes} nodes");
    }

    private static BenchRow Text()
    {
        string text = RuleText.Print(BenchRules.Prefixes(100_000));
        double start = ThreadClock.Ns;
        RuleTextResult result = RuleText.Parse(text, "bench");
        double ms = (ThreadClock.Ns - start) / 1e6;
        return BenchRow.Alone(
            "text of 100 000 rules", ms, "ms", null, higherIsBetter: false,
            $"{text.Length / 1e6:0.0} MB, {result.Errors.Count} errors");
    }
}
