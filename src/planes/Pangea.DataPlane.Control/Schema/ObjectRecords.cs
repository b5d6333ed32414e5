using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>No parameters, or no result.</summary>
public sealed record Nothing
{
    public static readonly Nothing Value = new();
}

/// <summary>k and m on the wire.</summary>
public sealed record RedundancyRecord
{
    public required int DataShards { get; init; }

    public required int ParityShards { get; init; }

    public static RedundancyRecord From(Core.Redundancy redundancy) =>
        new() { DataShards = redundancy.DataShards, ParityShards = redundancy.ParityShards };
}

/// <summary>Parameters of <c>object.put</c>.</summary>
public sealed record ObjectPutParameters
{
    public required string Name { get; init; }

    public bool NoClobber { get; init; }

    /// <summary>
    /// Object class of the configuration, which says redundancy, stripe and compression.
    /// </summary>
    public string? Class { get; init; }

    /// <summary>
    /// The exact length expected; null where the caller does not know it (a pipe).
    /// </summary>
    public long? Bytes { get; init; }

    /// <summary>
    /// The object goes this long after its last put or get; null: it stays until it is removed.
    /// </summary>
    public long? TtlSeconds { get; init; }

    public bool Progress { get; init; }
}

/// <summary>Result of <c>object.put</c>.</summary>
public sealed record ObjectPutResult
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required long Bytes { get; init; }

    public required long StoredBytes { get; init; }

    public required long Stripes { get; init; }

    public required string Sha256 { get; init; }

    public required bool Replaced { get; init; }

    public required int DevicesCommitted { get; init; }

    public required int DevicesTotal { get; init; }

    /// <summary>UTC; null where it stays.</summary>
    public DateTime? Expires { get; init; }
}

/// <summary>Parameters of <c>object.get</c>.</summary>
public sealed record ObjectGetParameters
{
    public required string Name { get; init; }

    /// <summary>
    /// First byte wanted; negative: counted from the end, -1 is the last byte. Null: from the
    /// first.
    /// </summary>
    public long? Offset { get; init; }

    /// <summary>Bytes wanted; null or beyond the end: up to the end.</summary>
    public long? Length { get; init; }

    public bool Progress { get; init; }
}

/// <summary>Result of <c>object.get</c>.</summary>
public sealed record ObjectGetResult
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required long Bytes { get; init; }

    public required string Sha256 { get; init; }

    public required long Stripes { get; init; }

    public required long StripesRepaired { get; init; }

    public required long ShardsLost { get; init; }

    /// <summary>First byte written; null where no range was asked for.</summary>
    public long? Offset { get; init; }

    /// <summary>Bytes written; null where no range was asked for.</summary>
    public long? Length { get; init; }
}

/// <summary>Parameters of <c>object.list</c>.</summary>
public sealed record ObjectListParameters
{
    public string? Prefix { get; init; }

    public string? After { get; init; }

    public int? Limit { get; init; }
}

/// <summary>One object of a list.</summary>
public sealed record ObjectEntry
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required long Bytes { get; init; }

    public required long StoredBytes { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime Created { get; init; }

    /// <summary>UTC; null where it stays.</summary>
    public DateTime? Expires { get; init; }
}

/// <summary>
/// Result of <c>object.list</c>: one page, by name. Built with <see cref="ObjectListPage"/>.
/// </summary>
public sealed record ObjectListResult
{
    public required IReadOnlyList<ObjectEntry> Objects { get; init; }

    /// <summary>The name to pass as <c>after</c> for the next page; null on the last.</summary>
    public string? Next { get; init; }
}

/// <summary>The one parameter of <c>object.stat</c> and <c>object.remove</c>.</summary>
public sealed record ObjectNameParameters
{
    public required string Name { get; init; }
}

/// <summary>What one device holds of an object.</summary>
public sealed record ObjectDevice
{
    public required int Index { get; init; }

    public required ShardState State { get; init; }

    /// <summary>Which shard of each stripe, 0 to k+m-1.</summary>
    public int? Position { get; init; }

    /// <summary>The device's path; null where it is no device of this appliance.</summary>
    public string? Path { get; init; }
}

/// <summary>How an object was used.</summary>
public sealed record ObjectUse
{
    public required long Gets { get; init; }

    public required long BytesServed { get; init; }

    /// <summary>UTC; null where it was never fetched.</summary>
    public DateTime? LastGet { get; init; }
}

/// <summary>Result of <c>object.stat</c>.</summary>
public sealed record ObjectStatResult
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required long Bytes { get; init; }

    public required long StoredBytes { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime Created { get; init; }

    public required string Sha256 { get; init; }

    public required long Stripes { get; init; }

    public required int StripeBytes { get; init; }

    public required RedundancyRecord Redundancy { get; init; }

    public required string FileType { get; init; }

    public required string KeyId { get; init; }

    public required IReadOnlyList<ObjectDevice> Devices { get; init; }

    public required int ShardsAvailable { get; init; }

    public required bool Restorable { get; init; }

    /// <summary>UTC; null where it stays.</summary>
    public DateTime? Expires { get; init; }

    /// <summary>Time it lives after its last put or get; null where it stays.</summary>
    public long? TtlSeconds { get; init; }

    public ObjectUse? Statistics { get; init; }
}

/// <summary>Result of <c>object.remove</c>.</summary>
public sealed record ObjectRemoveResult
{
    public required string Name { get; init; }

    public required string Id { get; init; }

    public required long Bytes { get; init; }
}

/// <summary>
/// Parameters of the notification <c>object.progress</c> as a worker sends it. The supervisor
/// replaces the id with the caller's own, which may be a string.
/// </summary>
public sealed record ObjectProgress
{
    public required long Id { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Null where the length is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public long? BytesTotal { get; init; }
}
