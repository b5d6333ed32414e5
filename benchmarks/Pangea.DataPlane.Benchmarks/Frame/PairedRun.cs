using System.Diagnostics;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// Measures two or more cases in one run, in alternating rounds: on a shared machine the speed
/// changes by the second, and only neighbours in time can be compared. Time-bounded, with warm-up;
/// figures are medians, and the ratio is the median of each round's own ratio.
/// </summary>
public static class PairedRun
{
    /// <summary>
    /// How long one case runs within one round. Long against the clock (20 ns), short against the
    /// moments in which a neighbour takes the core (milliseconds).
    /// </summary>
    private const double RoundMilliseconds = 4;

    private const int RoundsMin = 7;

    /// <summary>Two cases, each called once per operation.</summary>
    public static PairedResult Measure(BenchOptions options, Action ours, Action rival) =>
        MeasureBatches(options, Repeat(ours), Repeat(rival));

    /// <summary>Our case alone.</summary>
    public static PairedResult Measure(BenchOptions options, Action ours) =>
        MeasureBatches(options, Repeat(ours), null);

    /// <summary>
    /// Two cases that repeat themselves as often as they are told, for operations of a few
    /// nanoseconds where the call through a delegate would count. With thread time, what counts is
    /// the time the calling thread has run: for pure calculation on a machine that others use too.
    /// </summary>
    public static PairedResult MeasureBatches(
        BenchOptions options, Action<int> ours, Action<int>? rival, bool threadTime = false)
    {
        Func<Action<int>, int, double> time = threadTime ? ThreadTime : Time;
        long caseTicks = (long)(options.CaseTime.TotalSeconds * Stopwatch.Frequency);
        long started = Stopwatch.GetTimestamp();
        int oursCount = WarmUp(ours, caseTicks / 8);
        int rivalCount = rival is null ? 0 : WarmUp(rival, caseTicks / 8);

        List<double> oursNs = [];
        List<double> rivalNs = [];
        List<double> ratios = [];
        for (int round = 0; ; round++)
        {
            if (round >= RoundsMin && Stopwatch.GetTimestamp() - started > caseTicks)
            {
                break;
            }

            // The first of a round finds other caches than the second; taking turns is fair to
            // both.
            bool rivalFirst = (round & 1) == 1;
            double other = rival is not null && rivalFirst ? time(rival, rivalCount) : double.NaN;
            double mine = time(ours, oursCount);
            oursNs.Add(mine);
            if (rival is not null)
            {
                other = rivalFirst ? other : time(rival, rivalCount);
                rivalNs.Add(other);
                ratios.Add(mine / other);
            }
        }

        return new PairedResult(
            Median(oursNs),
            Spread(oursNs),
            Median(rivalNs),
            Spread(rivalNs),
            Median(ratios),
            oursNs.Count);
    }

    /// <summary>The middle value; NaN of nothing.</summary>
    public static double Median(IReadOnlyCollection<double> values) => Quantile(values, 0.5);

    /// <summary>Half the distance between the quartiles, as a part of the median.</summary>
    public static double Spread(IReadOnlyCollection<double> values) =>
        (Quantile(values, 0.75) - Quantile(values, 0.25)) / 2 / Median(values);

    /// <summary>The value below which the given part (0 to 1) of the values lies.</summary>
    public static double Quantile(IReadOnlyCollection<double> values, double part)
    {
        if (values.Count == 0)
        {
            return double.NaN;
        }

        double[] sorted = [.. values];
        Array.Sort(sorted);
        double position = part * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }

    private static Action<int> Repeat(Action once) => count =>
    {
        for (int i = 0; i < count; i++)
        {
            once();
        }
    };

    /// <summary>Runs until the JIT's tiers and the caches have settled; returns calls per
    /// round.</summary>
    private static int WarmUp(Action<int> batch, long ticks)
    {
        long started = Stopwatch.GetTimestamp();
        int count = 1;
        double ns;
        do
        {
            ns = Time(batch, count) * count;
            if (ns < RoundMilliseconds * 1e6 && count < 1 << 28)
            {
                double wanted = count * RoundMilliseconds * 1e6 / Math.Max(ns, 100);
                count = (int)Math.Clamp(wanted, count + 1, Math.Min(count * 16.0, 1 << 28));
            }
        }
        while (Stopwatch.GetTimestamp() - started < ticks || ns < RoundMilliseconds * 0.5e6);

        // The last estimate came from warm code; the first ones came from cold code and are too
        // small.
        double perCall = Time(batch, count);
        return (int)Math.Clamp(RoundMilliseconds * 1e6 / Math.Max(perCall, 0.1), 1, 1 << 28);
    }

    /// <summary>Nanoseconds of one operation.</summary>
    private static double Time(Action<int> batch, int count)
    {
        long started = Stopwatch.GetTimestamp();
        batch(count);
        return (Stopwatch.GetTimestamp() - started) * (1e9 / Stopwatch.Frequency) / count;
    }

    private static double ThreadTime(Action<int> batch, int count)
    {
        double started = ThreadClock.Ns;
        batch(count);
        return (ThreadClock.Ns - started) / count;
    }
}
