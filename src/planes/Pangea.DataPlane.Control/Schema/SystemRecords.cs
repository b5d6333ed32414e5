namespace Pangea.DataPlane.Control.Schema;

/// <summary>Result of <c>system.version</c>.</summary>
public sealed record SystemVersionResult
{
    public required string Version { get; init; }

    public required string Commit { get; init; }

    public required string Runtime { get; init; }

    public required string Kernel { get; init; }

    public required int Protocol { get; init; }
}

/// <summary>One device, as its storage worker sees it.</summary>
public sealed record DeviceStatus
{
    public required int Index { get; init; }

    public required string Path { get; init; }

    public required DeviceState State { get; init; }

    /// <summary>Identity from its superblock; null where it could not be read.</summary>
    public string? Id { get; init; }

    public long? FreeBytes { get; init; }

    public long? TotalBytes { get; init; }

    /// <summary>Whether shards bypass the page cache.</summary>
    public bool? DirectIo { get; init; }

    /// <summary>Why the state is not "ok".</summary>
    public string? Reason { get; init; }

    /// <summary>Null where it could not be opened.</summary>
    public DeviceKind? Kind { get; init; }

    /// <summary>Who names it; filled in by the supervisor.</summary>
    public DeviceSource? Source { get; init; }

    /// <summary>Segments of its log.</summary>
    public int? Segments { get; init; }

    /// <summary>Bytes of its log that are in use.</summary>
    public long? LiveBytes { get; init; }

    /// <summary>Bytes of its log that compaction will give back.</summary>
    public long? GarbageBytes { get; init; }

    /// <summary>True while it is being emptied to be taken out.</summary>
    public bool? Draining { get; init; }

    /// <summary>Null where nothing is being filled in or moved away.</summary>
    public DeviceHealing? Healing { get; init; }
}

/// <summary>One worker process.</summary>
public sealed record WorkerStatus
{
    public required int Index { get; init; }

    public required string Role { get; init; }

    public required WorkerState State { get; init; }

    public int? Pid { get; init; }

    public int? Core { get; init; }

    /// <summary>Memory node of that core.</summary>
    public int? Node { get; init; }

    public long? Uid { get; init; }

    public required int Restarts { get; init; }

    public long? UptimeSeconds { get; init; }

    public long? RssBytes { get; init; }

    /// <summary>"io_uring" or "plain".</summary>
    public string? Ring { get; init; }

    public string? RingReason { get; init; }

    /// <summary>How much buffer memory it has, and on what pages.</summary>
    public string? Buffers { get; init; }

    public string? ErasureKernel { get; init; }

    /// <summary>Why that kernel was chosen.</summary>
    public string? ErasureKernelReason { get; init; }

    /// <summary>How its privileges were dropped, or why they were not.</summary>
    public string? Isolation { get; init; }

    public long? Gid { get; init; }

    public int? Threads { get; init; }

    /// <summary>Effective and permitted set of any thread, hexadecimal.</summary>
    public string? Capabilities { get; init; }

    /// <summary>Bounding set of any thread, hexadecimal.</summary>
    public string? CapabilitiesBounding { get; init; }

    /// <summary>True where every thread has no_new_privs.</summary>
    public bool? NoNewPrivileges { get; init; }

    /// <summary>"none", "strict" or "filter": that of the least confined thread.</summary>
    public string? Seccomp { get; init; }

    /// <summary>Whether the file system is closed to it, as the worker found out.</summary>
    public bool? Landlock { get; init; }

    /// <summary>Cores that any thread may run on, as the kernel writes them: "0-1,4".</summary>
    public string? Cores { get; init; }

    public IReadOnlyList<DescriptorCount>? Descriptors { get; init; }
}

/// <summary>Result of <c>system.status</c>.</summary>
public sealed record SystemStatusResult
{
    public required ApplianceState State { get; init; }

    public required long UptimeSeconds { get; init; }

    public required int Pid { get; init; }

    public required string StateDirectory { get; init; }

    public required string User { get; init; }

    public required RedundancyRecord Redundancy { get; init; }

    public required int StripeBytes { get; init; }

    /// <summary>Null while no storage worker answers.</summary>
    public long? Objects { get; init; }

    /// <inheritdoc cref="Objects"/>
    public long? ObjectBytes { get; init; }

    /// <inheritdoc cref="Objects"/>
    public long? StoredBytes { get; init; }

    /// <inheritdoc cref="StorageStatusResult.Durability"/>
    public string? Durability { get; init; }

    public CatalogStatus? Catalog { get; init; }

    public required IReadOnlyList<DeviceStatus> Devices { get; init; }

    public required IReadOnlyList<WorkerStatus> Workers { get; init; }

    /// <summary>What supervisor and warden keep of root.</summary>
    public IReadOnlyList<ProcessPrivilege>? Privilege { get; init; }
}

/// <summary>Result of <c>key.list</c> and <c>key.rotate</c>.</summary>
public sealed record KeyListResult
{
    /// <summary>Id of the key that new objects use.</summary>
    public required string Current { get; init; }

    /// <summary>Ids of all keys, oldest first.</summary>
    public required IReadOnlyList<string> Keys { get; init; }
}

/// <summary>Result of <c>worker.list</c>.</summary>
public sealed record WorkerListResult
{
    public required IReadOnlyList<WorkerStatus> Workers { get; init; }
}
