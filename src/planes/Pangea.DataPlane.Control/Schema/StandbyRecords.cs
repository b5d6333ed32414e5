using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>What a process that waits to become a worker is doing.</summary>
public enum StandbyState
{
    /// <summary>It starts or rehearses; it can take over already, only slower.</summary>
    [JsonStringEnumMemberName("starting")]
    Starting,

    /// <summary>It waits.</summary>
    [JsonStringEnumMemberName("ready")]
    Ready,
}

/// <summary>
/// The process that waits in its jail to take a worker's place, as the kernel describes it.
/// </summary>
public sealed record StandbyStatus
{
    public required StandbyState State { get; init; }

    public required int Pid { get; init; }

    public long? Uid { get; init; }

    public long? RssBytes { get; init; }

    /// <inheritdoc cref="WorkerStatus.Isolation"/>
    public string? Isolation { get; init; }

    public long? Gid { get; init; }

    public int? Threads { get; init; }

    /// <inheritdoc cref="WorkerStatus.Capabilities"/>
    public string? Capabilities { get; init; }

    /// <inheritdoc cref="WorkerStatus.CapabilitiesPermitted"/>
    public string? CapabilitiesPermitted { get; init; }

    public string? CapabilitiesEffective { get; init; }

    public string? CapabilitiesInheritable { get; init; }

    public string? CapabilitiesAmbient { get; init; }

    /// <inheritdoc cref="WorkerStatus.CapabilitiesBounding"/>
    public string? CapabilitiesBounding { get; init; }

    /// <inheritdoc cref="WorkerStatus.NoNewPrivileges"/>
    public bool? NoNewPrivileges { get; init; }

    /// <inheritdoc cref="WorkerStatus.Seccomp"/>
    public string? Seccomp { get; init; }

    /// <summary>Whether the file system is closed to it, as it found out.</summary>
    public bool? Landlock { get; init; }

    /// <inheritdoc cref="WorkerStatus.Cores"/>
    public string? Cores { get; init; }

    /// <inheritdoc cref="WorkerStatus.OpenDescriptors"/>
    public int? OpenDescriptors { get; init; }

    public IReadOnlyList<DescriptorCount>? Descriptors { get; init; }
}

/// <summary>Parameters of <c>worker.prepare</c>.</summary>
public sealed record WorkerPrepareParameters
{
    /// <summary>
    /// Index of the descriptor of an empty directory to rehearse in; null for no rehearsal.
    /// </summary>
    public int? Rehearsal { get; init; }

    /// <summary>One entry for each descriptor of the call, in their order.</summary>
    public required IReadOnlyList<DescriptorClaim> Manifest { get; init; }
}

/// <summary>Result of <c>worker.prepare</c>: it waits for its start.</summary>
public sealed record WorkerPrepareResult
{
    /// <summary>Whether it went through a start and some calls to the end.</summary>
    public required bool Rehearsed { get; init; }

    /// <summary>Why it did not.</summary>
    public string? Reason { get; init; }

    /// <inheritdoc cref="WorkerStartResult.Landlock"/>
    public bool? Landlock { get; init; }
}
