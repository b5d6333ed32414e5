namespace Pangea.DataPlane.Control.Schema;

/// <summary>The directory of the catalog as the supervisor hands it to a worker.</summary>
public sealed record StartCatalog
{
    /// <summary>
    /// Index into the descriptors of the call: a directory, owned by the worker's user, in which
    /// nobody else writes.
    /// </summary>
    public required int Descriptor { get; init; }
}

/// <summary>
/// How the storage works: the configuration's <c>storage</c> section without devices and classes.
/// Rates are bytes a second, 0 for no bound.
/// </summary>
public sealed record StorageSettings
{
    /// <summary>What stands for a configuration that says nothing.</summary>
    public static readonly StorageSettings Default = new()
    {
        Durability = "quorum",
        CheckpointSeconds = 5,
        Scrub = new ScrubSettings { EverySeconds = 300, BytesPerSecond = 32 * 1024 * 1024 },
        Heal = new HealSettings
        {
            CheckSeconds = 300,
            CriticalShards = 1,
            BytesPerSecond = 0,
            BackoffSeconds = 60,
            BackoffSecondsMax = 1920,
        },
        Compaction = new CompactionSettings { BytesPerSecond = 64 * 1024 * 1024 },
    };

    /// <summary>"quorum" or "all".</summary>
    public required string Durability { get; init; }

    /// <summary>Null: chosen by the size of each device.</summary>
    public long? SegmentBytes { get; init; }

    public required int CheckpointSeconds { get; init; }

    public required ScrubSettings Scrub { get; init; }

    public required HealSettings Heal { get; init; }

    public required CompactionSettings Compaction { get; init; }
}

/// <summary>Checking of all shards in the background.</summary>
public sealed record ScrubSettings
{
    /// <summary>From the end of a pass to the next; 0: only when asked.</summary>
    public required int EverySeconds { get; init; }

    public required long BytesPerSecond { get; init; }
}

/// <summary>Rebuilding of lost shards in the background.</summary>
public sealed record HealSettings
{
    /// <summary>Between two looks at all objects; 0: only when asked.</summary>
    public required int CheckSeconds { get; init; }

    /// <summary>
    /// Spare shards (those that are there beyond the k that a get needs) at or below which an
    /// object is critical and is healed before all that are not.
    /// </summary>
    public required int CriticalShards { get; init; }

    /// <summary>
    /// Spare shards below which an object is healed at all; null: all m of them.
    /// </summary>
    public int? TargetShards { get; init; }

    public required long BytesPerSecond { get; init; }

    /// <summary>Pause after the first failure of an object; doubled by each further one.</summary>
    public required int BackoffSeconds { get; init; }

    public required int BackoffSecondsMax { get; init; }
}

/// <summary>Giving back the space of removed objects.</summary>
public sealed record CompactionSettings
{
    public required long BytesPerSecond { get; init; }
}

/// <summary>
/// Parameters of <c>worker.device.add</c> and <c>worker.device.replace</c>.
/// </summary>
public sealed record WorkerDeviceParameters
{
    public required int Index { get; init; }

    /// <summary>For messages only; a worker never opens it.</summary>
    public required string Path { get; init; }

    /// <summary>Index into the descriptors of the call.</summary>
    public required int Descriptor { get; init; }

    /// <summary>Whether an empty directory or block device is a new device.</summary>
    public bool MayFormat { get; init; }
}

/// <summary>Parameters of <c>worker.device.remove</c>.</summary>
public sealed record WorkerDeviceRemoveParameters
{
    public required int Index { get; init; }

    /// <summary>Take it out at once; its shards are healed onto other devices.</summary>
    public bool Force { get; init; }
}
