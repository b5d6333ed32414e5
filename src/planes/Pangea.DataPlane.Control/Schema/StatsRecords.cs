namespace Pangea.DataPlane.Control.Schema;

/// <summary>Result of <c>stats.read</c>.</summary>
public sealed record StatsReadResult
{
    public required IReadOnlyList<ProcessStats> Processes { get; init; }
}

/// <summary>The statistics of one process.</summary>
public sealed record ProcessStats
{
    public required string Role { get; init; }

    public required int Index { get; init; }

    public required int Pid { get; init; }

    /// <summary>Turns of its loop that it reported.</summary>
    public required long Heartbeats { get; init; }

    public required IReadOnlyList<MetricRecord> Metrics { get; init; }
}

/// <summary>One value.</summary>
public sealed record MetricRecord
{
    public required string Name { get; init; }

    public required string Unit { get; init; }

    /// <summary>"counter", "gauge" or "histogram".</summary>
    public required string Kind { get; init; }

    public required string Help { get; init; }

    /// <summary>The sum of a histogram's values.</summary>
    public required long Value { get; init; }

    public IReadOnlyList<BucketRecord>? Buckets { get; init; }
}

/// <summary>One bucket of a histogram.</summary>
public sealed record BucketRecord
{
    /// <summary>Inclusive; null for the last.</summary>
    public long? UpTo { get; init; }

    public required long Count { get; init; }
}

/// <summary>Result of <c>worker.postmortem</c>.</summary>
public sealed record PostmortemResult
{
    public required int Index { get; init; }

    public required int Pid { get; init; }

    /// <summary>Null where no worker has died and this is the living one.</summary>
    public DateTime? Ended { get; init; }

    public string? Status { get; init; }

    public required long Heartbeats { get; init; }

    public required IReadOnlyList<FlightRecord> Events { get; init; }
}

/// <summary>One event of a flight recorder.</summary>
public sealed record FlightRecord
{
    public required long Sequence { get; init; }

    public required DateTime Time { get; init; }

    public required string Kind { get; init; }

    public required long Number { get; init; }

    public int? Code { get; init; }

    public string? Text { get; init; }
}
