using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>One device as the supervisor hands it to a worker.</summary>
public sealed record StartDevice
{
    /// <summary>
    /// Strictly ascending in the list. A device that was taken out leaves a gap until another is
    /// added: that index has no device at all, not a missing one.
    /// </summary>
    public required int Index { get; init; }

    /// <summary>For messages only; a worker never opens it.</summary>
    public required string Path { get; init; }

    /// <summary><see cref="DeviceState.Ok"/>, or why there is no descriptor.</summary>
    public required DeviceState State { get; init; }

    /// <summary>
    /// Index into the descriptors of the call; null where the directory could not be opened.
    /// </summary>
    public int? Descriptor { get; init; }

    public string? Reason { get; init; }

    /// <summary>
    /// Whether an empty directory is a new device; false where one was in use here before.
    /// </summary>
    public bool MayFormat { get; init; }

    /// <summary>
    /// Whether it is to be emptied: it takes no new shards, and a
    /// <see cref="WorkerDeviceMethods.Remove"/> for it follows.
    /// </summary>
    public bool Draining { get; init; }
}

/// <summary>
/// One key file as the supervisor hands it to a worker, already open for reading.
/// </summary>
public sealed record StartKey
{
    /// <summary>Index into the descriptors of the call.</summary>
    public required int Descriptor { get; init; }
}

/// <summary>
/// What a descriptor is said to be. The worker asks the kernel and uses none that is another thing
/// or open for more.
/// </summary>
public sealed record DescriptorClaim
{
    /// <summary>What it serves, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>"directory", "blockDevice", "file" or "memory".</summary>
    public required string Kind { get; init; }

    /// <summary>"read" or "readWrite".</summary>
    public required string Access { get; init; }

    /// <summary>The claim for a descriptor of this kind.</summary>
    public static DescriptorClaim Of(string name, DescriptorKind kind) => new()
    {
        Name = name,
        Kind = char.ToLowerInvariant(kind.ToString()[0]) + kind.ToString()[1..],
        Access = kind is DescriptorKind.Directory or DescriptorKind.File ? "read" : "readWrite",
    };
}

/// <summary>How the objects of one class are kept.</summary>
public sealed record StartClass
{
    public required string Name { get; init; }

    public required RedundancyRecord Redundancy { get; init; }

    public required int StripeBytes { get; init; }

    /// <summary>"none", "balanced", "archive" or "adaptive".</summary>
    public required string Compression { get; init; }
}

/// <summary>How an object may be cut.</summary>
public sealed record StartGeometry
{
    public required RedundancyRecord Redundancy { get; init; }

    public required int StripeBytes { get; init; }
}

/// <summary>Parameters of <c>worker.keys</c>.</summary>
public sealed record WorkerKeysParameters
{
    public required IReadOnlyList<StartKey> Keys { get; init; }
}

/// <summary>Result of <c>worker.keys</c>.</summary>
public sealed record WorkerKeysResult
{
    /// <summary>Id of the key that new objects use from now on.</summary>
    public required string Current { get; init; }
}

/// <summary>Parameters of <c>worker.start</c>, the first line on a worker's channel.</summary>
public sealed record WorkerStartParameters
{
    public required string Role { get; init; }

    public required int Index { get; init; }

    /// <summary>The core the loop thread pins itself to; null where it is not pinned.</summary>
    public int? Core { get; init; }

    /// <summary>Identity of the appliance's state; devices of another state are refused.</summary>
    public required string StateId { get; init; }

    public required RedundancyRecord Redundancy { get; init; }

    public required int StripeBytes { get; init; }

    /// <summary>"none", "balanced", "archive" or "adaptive".</summary>
    public required string Compression { get; init; }

    /// <summary>
    /// Object classes beside the default one, which is what stands above.
    /// </summary>
    public IReadOnlyList<StartClass>? Classes { get; init; }

    /// <summary>
    /// How objects may be cut that were stored under an earlier configuration; buffers must hold
    /// their stripes too.
    /// </summary>
    public IReadOnlyList<StartGeometry>? EarlierGeometries { get; init; }

    public required IReadOnlyList<StartDevice> Devices { get; init; }

    public required IReadOnlyList<StartKey> Keys { get; init; }

    /// <summary>Directory of the catalog; null where there is none yet.</summary>
    public StartCatalog? Catalog { get; init; }

    /// <summary>Null: <see cref="StorageSettings.Default"/>.</summary>
    public StorageSettings? Storage { get; init; }

    /// <summary>
    /// Threads that compute stripes beside the loop; null or 0 where the loop does it.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>Index of the descriptor of the statistics page, where there is one.</summary>
    public int? Stats { get; init; }

    /// <summary>One entry for each descriptor of the call, in their order.</summary>
    public required IReadOnlyList<DescriptorClaim> Manifest { get; init; }
}

/// <summary>Result of <c>worker.start</c>: the worker is ready.</summary>
public sealed record WorkerStartResult
{
    public required int Pid { get; init; }

    public required string Ring { get; init; }

    public required string RingReason { get; init; }

    /// <summary>How much buffer memory it has, and on what pages.</summary>
    public string? Buffers { get; init; }

    public required string ErasureKernel { get; init; }

    /// <summary>Why that kernel was chosen.</summary>
    public string? ErasureKernelReason { get; init; }

    /// <summary>Paths of the devices that were taken into use.</summary>
    public required IReadOnlyList<string> DevicesInUse { get; init; }

    /// <summary>Remarks for the log, such as "device 3 was empty and is new".</summary>
    public IReadOnlyList<string>? Remarks { get; init; }

    /// <summary>
    /// Whether the kernel closes the file system to it, as far as the worker could find out.
    /// </summary>
    public bool? Landlock { get; init; }
}

/// <summary>Result of <c>worker.ping</c>.</summary>
public sealed record WorkerPingResult
{
    public required long UptimeSeconds { get; init; }

    public required long RssBytes { get; init; }

    /// <summary>Calls under way or queued.</summary>
    public required int Calls { get; init; }
}

/// <summary>Result of <c>storage.status</c>.</summary>
public sealed record StorageStatusResult
{
    public required long Objects { get; init; }

    public required long ObjectBytes { get; init; }

    public required long StoredBytes { get; init; }

    public required IReadOnlyList<DeviceStatus> Devices { get; init; }

    /// <summary>"quorum" or "all".</summary>
    public string? Durability { get; init; }

    public CatalogStatus? Catalog { get; init; }
}

/// <summary>Parameters of the notification <c>call.cancel</c>.</summary>
public sealed record CallCancelParameters
{
    /// <summary>The id of the call on this channel.</summary>
    public required long Id { get; init; }
}
