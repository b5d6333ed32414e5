namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>How a value moves.</summary>
public enum MetricKind
{
    /// <summary>Only grows, from the start of the process.</summary>
    Counter = 1,

    /// <summary>Goes up and down.</summary>
    Gauge = 2,

    /// <summary>Counts of values between fixed borders.</summary>
    Histogram = 3,
}

/// <summary>One value of a statistics segment, declared once, before the segment is made.</summary>
/// <param name="Name"><c>pangea_area_noun_unit[_total]</c>, at most 63 bytes.</param>
/// <param name="Unit">"bytes", "nanoseconds", "calls", ...</param>
/// <param name="Kind">How it moves.</param>
/// <param name="Help">One phrase for people, at most 127 bytes.</param>
public sealed record Metric(string Name, string Unit, MetricKind Kind, string Help)
{
    /// <summary>
    /// Upper borders of a histogram, inclusive, ascending; one more bucket takes what is above.
    /// </summary>
    public IReadOnlyList<long> Borders { get; init; } = [];
}

/// <summary>A value as a reader found it.</summary>
/// <param name="Metric">Its declaration.</param>
/// <param name="Value">Counter or gauge; for a histogram the sum of what was observed.</param>
/// <param name="Buckets">Counts of a histogram, one more than borders.</param>
public sealed record MetricValue(Metric Metric, long Value, IReadOnlyList<long> Buckets);
