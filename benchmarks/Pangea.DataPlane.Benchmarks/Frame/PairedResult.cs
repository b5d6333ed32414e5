namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>What a paired run found; times are of one operation.</summary>
/// <param name="OursNs">Our median in nanoseconds.</param>
/// <param name="OursSpread">Half the interquartile distance of ours as a part of its
/// median.</param>
/// <param name="RivalNs">The rival's median in nanoseconds; NaN without a rival.</param>
/// <param name="RivalSpread">The same as <paramref name="OursSpread"/>, for the rival.</param>
/// <param name="TimeRatio">Median over the rounds of our time divided by the rival's.</param>
/// <param name="Rounds">How many rounds each case had.</param>
public sealed record PairedResult(
    double OursNs,
    double OursSpread,
    double RivalNs,
    double RivalSpread,
    double TimeRatio,
    int Rounds)
{
    /// <summary>A row in GB/s: bytes of data that one operation handles, per nanosecond.</summary>
    public BenchRow Rate(
        string caseName, double bytes, double? goal, string rivalName, string? note = null) =>
        new(
            caseName,
            bytes / OursNs,
            bytes / RivalNs,
            "GB/s",
            goal,
            rivalName,
            true,
            WithSpread(note))
        {
            Ratio = 1 / TimeRatio,
        };

    /// <summary>A row in nanoseconds, microseconds or milliseconds of one operation.</summary>
    /// <param name="caseName">The case.</param>
    /// <param name="unit"><c>ns</c>, <c>us</c> or <c>ms</c>.</param>
    /// <param name="goal">The upper bound: of the ratio where there is a rival, else of our
    /// figure.</param>
    /// <param name="rivalName">The rival.</param>
    /// <param name="note">A remark.</param>
    public BenchRow Duration(
        string caseName, string unit, double? goal, string rivalName, string? note = null)
    {
        double scale = unit switch
        {
            "ns" => 1,
            "us" => 1e3,
            "ms" => 1e6,
            _ => throw new ArgumentException($"unknown unit {unit}", nameof(unit)),
        };
        return new(
            caseName,
            OursNs / scale,
            RivalNs / scale,
            unit,
            goal,
            rivalName,
            false,
            WithSpread(note))
        {
            Ratio = TimeRatio,
        };
    }

    private string WithSpread(string? note)
    {
        string spread = double.IsNaN(RivalSpread)
            ? $"+-{OursSpread:P0}, {Rounds} rounds"
            : $"+-{OursSpread:P0}/{RivalSpread:P0}, {Rounds} rounds";
        return note is null ? spread : $"{note}; {spread}";
    }
}
