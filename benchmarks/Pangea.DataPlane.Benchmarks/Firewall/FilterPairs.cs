using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// Alternating rounds of a fixed number of packets, by the time that the calling thread ran: the
/// kernel runs the program inside the call, so what others do on the core does not count.
/// </summary>
internal static class FilterPairs
{
    /// <summary>So many that the first ones, which find cold caches, do not count.</summary>
    private const int PacketsPerRound = 400_000;
    private const int RoundsMin = 15;

    internal static PairedResult Measure(
        BenchOptions options, Action<int> ours, Action<int>? rival)
    {
        long started = Stopwatch.GetTimestamp();
        List<double> oursNs = [];
        List<double> rivalNs = [];
        List<double> ratios = [];
        Time(ours);
        while (oursNs.Count < RoundsMin
            || Stopwatch.GetElapsedTime(started) < options.CaseTime)
        {
            bool rivalFirst = rival is not null && (oursNs.Count & 1) == 1;
            double other = rivalFirst ? Time(rival!) : double.NaN;
            double mine = Time(ours);
            oursNs.Add(mine);
            if (rival is not null)
            {
                other = rivalFirst ? other : Time(rival);
                rivalNs.Add(other);
                ratios.Add(mine / other);
            }
        }

        return new PairedResult(
            PairedRun.Median(oursNs),
            PairedRun.Spread(oursNs),
            PairedRun.Median(rivalNs),
            PairedRun.Spread(rivalNs),
            PairedRun.Median(ratios),
            oursNs.Count);
    }

    private static double Time(Action<int> batch)
    {
        double started = ThreadClock.Ns;
        batch(PacketsPerRound);
        return (ThreadClock.Ns - started) / PacketsPerRound;
    }
}
