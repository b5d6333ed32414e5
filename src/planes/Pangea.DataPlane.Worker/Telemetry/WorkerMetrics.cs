using Pangea.DataPlane.Memory.Statistics;

namespace Pangea.DataPlane.Worker.Telemetry;

/// <summary>The statistics of a storage worker, by index.</summary>
internal enum WorkerMetric
{
    Calls,
    CallFaults,
    CallsOpen,
    PutBytes,
    PutTime,
    GetBytes,
    GetTime,
    Objects,
    AllocatedBytes,
    Collections,
    DevicesAbsent,
}

/// <summary>Their declarations, in the same order.</summary>
internal static class WorkerMetrics
{
    private const long Microsecond = 1000;
    private const long Millisecond = 1000 * Microsecond;

    // From a small object in the cache of a fast disk to the largest on slow ones.
    private static readonly long[] s_times =
    [
        100 * Microsecond, 250 * Microsecond, 500 * Microsecond,
        Millisecond, 2500 * Microsecond, 5 * Millisecond,
        10 * Millisecond, 25 * Millisecond, 50 * Millisecond,
        100 * Millisecond, 250 * Millisecond, 500 * Millisecond,
        1000 * Millisecond, 2500 * Millisecond, 5000 * Millisecond,
        10_000 * Millisecond, 60_000 * Millisecond,
    ];

    public static readonly IReadOnlyList<Metric> All =
    [
        Counter("pangea_worker_calls_total", "calls", "calls answered"),
        Counter("pangea_worker_call_faults_total", "calls", "calls answered with a fault"),
        Gauge("pangea_worker_calls_open", "calls", "calls under way"),
        Counter("pangea_object_put_bytes_total", "bytes", "plain bytes of puts acknowledged"),
        Times("pangea_object_put_nanoseconds", "from the call to its answer"),
        Counter("pangea_object_get_bytes_total", "bytes", "length of the objects fetched"),
        Times("pangea_object_get_nanoseconds", "from the call to its answer"),
        Gauge("pangea_storage_objects", "objects", "objects in the catalog"),
        Counter("pangea_worker_allocated_bytes_total", "bytes", "managed memory allocated"),
        Counter("pangea_worker_collections_total", "collections", "runs of the collector"),
        Gauge(StorageMetrics.DevicesAbsent, "devices", "devices that are missing or failed"),
    ];

    private static Metric Counter(string name, string unit, string help) =>
        new(name, unit, MetricKind.Counter, help);

    private static Metric Gauge(string name, string unit, string help) =>
        new(name, unit, MetricKind.Gauge, help);

    private static Metric Times(string name, string help) =>
        new(name, "nanoseconds", MetricKind.Histogram, help) { Borders = s_times };
}
