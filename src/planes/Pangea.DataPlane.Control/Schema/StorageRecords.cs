namespace Pangea.DataPlane.Control.Schema;

/// <summary>Parameters of <c>device.add</c>.</summary>
public sealed record DeviceAddParameters
{
    /// <summary>Full path of a directory or of a block device.</summary>
    public required string Path { get; init; }
}

/// <summary>Parameters of <c>device.remove</c>.</summary>
public sealed record DeviceRemoveParameters
{
    /// <summary>Index in decimal digits, or the path.</summary>
    public required string Device { get; init; }

    /// <summary>Take it out at once instead of moving its shards elsewhere first.</summary>
    public bool Force { get; init; }
}

/// <summary>Parameters of <c>device.replace</c>.</summary>
public sealed record DeviceReplaceParameters
{
    /// <inheritdoc cref="DeviceRemoveParameters.Device"/>
    public required string Device { get; init; }

    /// <summary>
    /// Full path of the new device; the old path where a new disk is mounted there.
    /// </summary>
    public required string Path { get; init; }
}

/// <summary>Result of <c>device.add</c>, <c>device.remove</c> and <c>device.replace</c>.</summary>
public sealed record DeviceChangeResult
{
    public required int Index { get; init; }

    public required string Path { get; init; }

    /// <summary>Null after a removal.</summary>
    public DeviceState? State { get; init; }

    /// <summary>Identity; null where none is known.</summary>
    public string? Id { get; init; }

    /// <summary>Why the state is not "ok".</summary>
    public string? Reason { get; init; }

    /// <summary>True where an empty place was made a device.</summary>
    public bool? Formatted { get; init; }

    /// <summary>
    /// True where the device leaves the appliance once its shards are elsewhere.
    /// </summary>
    public bool? Draining { get; init; }
}

/// <summary>Result of <c>device.list</c>.</summary>
public sealed record DeviceListResult
{
    public required IReadOnlyList<DeviceStatus> Devices { get; init; }
}

/// <summary>How far the work of filling or emptying a device is.</summary>
public sealed record DeviceHealing
{
    public required long ObjectsDone { get; init; }

    public required long ObjectsTotal { get; init; }

    /// <summary>Bytes of shards written so far.</summary>
    public required long BytesDone { get; init; }

    /// <summary>Null where that is not known.</summary>
    public long? BytesTotal { get; init; }
}

/// <summary>Parameters of <c>scrub.start</c>.</summary>
public sealed record ScrubStartParameters
{
    /// <summary>For this pass only; null: as configured, 0: no bound.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Begin from the first object instead of where the last pass stopped.</summary>
    public bool Restart { get; init; }
}

/// <summary>Result of <c>scrub.start</c>, <c>scrub.stop</c> and <c>scrub.status</c>.</summary>
public sealed record ScrubStatus
{
    public required bool Running { get; init; }

    /// <summary>Objects checked in the present pass, or in the last one.</summary>
    public required long ObjectsChecked { get; init; }

    /// <summary>Objects of the pass in all, as far as known.</summary>
    public required long ObjectsTotal { get; init; }

    public required long BytesChecked { get; init; }

    /// <summary>Damaged or missing shards found by the pass.</summary>
    public required long ErrorsFound { get; init; }

    /// <summary>Bound of the reading, 0 for none.</summary>
    public required long BytesPerSecond { get; init; }

    /// <summary>Passes finished since the appliance exists.</summary>
    public required long Passes { get; init; }

    /// <summary>Name up to which the pass has come; null where none has begun.</summary>
    public string? Position { get; init; }

    /// <summary>UTC.</summary>
    public DateTime? Started { get; init; }

    /// <summary>UTC; null where no pass was ever finished.</summary>
    public DateTime? LastFinished { get; init; }

    /// <summary>UTC; null while one runs or where scrubbing is off.</summary>
    public DateTime? Next { get; init; }
}

/// <summary>An object that healing passed over.</summary>
public sealed record HealSkipped
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required string Reason { get; init; }

    public required int ShardsAvailable { get; init; }

    public required int ShardsNeeded { get; init; }

    /// <summary>UTC of the next try; null where none is planned.</summary>
    public DateTime? Next { get; init; }
}

/// <summary>Result of <c>heal.start</c> and <c>heal.status</c>.</summary>
public sealed record HealStatus
{
    public required bool Running { get; init; }

    /// <summary>Objects waiting that are as close to loss as the critical threshold.</summary>
    public required long QueuedCritical { get; init; }

    /// <summary>The other objects that wait.</summary>
    public required long QueuedDegraded { get; init; }

    /// <summary>Since the worker started, as the four below.</summary>
    public required long ObjectsHealed { get; init; }

    public required long ShardsHealed { get; init; }

    public required long BytesWritten { get; init; }

    public required long Attempts { get; init; }

    public required long Failures { get; init; }

    /// <summary>Objects passed over, in all; the list holds the first of them.</summary>
    public required long SkippedTotal { get; init; }

    public required IReadOnlyList<HealSkipped> Skipped { get; init; }

    /// <summary>Bound of the writing, 0 for none.</summary>
    public required long BytesPerSecond { get; init; }

    /// <summary>UTC until which nothing is tried after failures; null: no back-off.</summary>
    public DateTime? BackoffUntil { get; init; }

    /// <summary>UTC; null where none was finished yet.</summary>
    public DateTime? LastFinished { get; init; }

    /// <summary>UTC of the next look at all objects.</summary>
    public DateTime? NextCheck { get; init; }
}

/// <summary>Parameters of <c>catalog.rebuild</c>.</summary>
public sealed record CatalogRebuildParameters
{
    public bool Progress { get; init; }
}

/// <summary>Result of <c>catalog.rebuild</c>.</summary>
public sealed record CatalogRebuildResult
{
    public required long Objects { get; init; }

    /// <summary>Bytes of the devices' logs that were read.</summary>
    public required long BytesRead { get; init; }

    public required long Milliseconds { get; init; }
}

/// <summary>How the catalog is, and how far a start after a crash would have to replay.</summary>
public sealed record CatalogStatus
{
    /// <summary>Bytes of its file.</summary>
    public required long Bytes { get; init; }

    /// <summary>Seconds since the last checkpoint.</summary>
    public required long CheckpointAgeSeconds { get; init; }

    /// <summary>Changes that the next checkpoint will write.</summary>
    public required long ChangesPending { get; init; }

    /// <summary>Why checkpoints fail at present; null where they do not.</summary>
    public string? Reason { get; init; }
}
