using System.Text.Json.Serialization;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>What the appliance as a whole is doing.</summary>
public enum ApplianceState
{
    /// <summary>The storage worker is not ready for the first time yet.</summary>
    [JsonStringEnumMemberName("starting")]
    Starting,

    /// <summary>Everything configured works.</summary>
    [JsonStringEnumMemberName("ready")]
    Ready,

    /// <summary>It serves, but a device or a worker is not well.</summary>
    [JsonStringEnumMemberName("degraded")]
    Degraded,

    /// <summary>It ends; no new calls are taken.</summary>
    [JsonStringEnumMemberName("stopping")]
    Stopping,
}

/// <summary>What a worker process is doing.</summary>
public enum WorkerState
{
    [JsonStringEnumMemberName("starting")]
    Starting,

    [JsonStringEnumMemberName("ready")]
    Ready,

    /// <summary>It died and the supervisor waits before starting it again.</summary>
    [JsonStringEnumMemberName("restarting")]
    Restarting,

    /// <summary>It died too often and is started again only when somebody asks.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    [JsonStringEnumMemberName("stopped")]
    Stopped,
}

/// <summary>What a device is good for.</summary>
public enum DeviceState
{
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>Its directory is not there.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,

    /// <summary>Shards can be read, not written.</summary>
    [JsonStringEnumMemberName("readOnly")]
    ReadOnly,

    /// <summary>Shards can be read; there is no room for more.</summary>
    [JsonStringEnumMemberName("full")]
    Full,

    /// <summary>Its input/output fails, or what lies there is not ours.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,
}

/// <summary>What a device is.</summary>
public enum DeviceKind
{
    [JsonStringEnumMemberName("directory")]
    Directory,

    [JsonStringEnumMemberName("block")]
    Block,
}

/// <summary>Who names a device.</summary>
public enum DeviceSource
{
    /// <summary>The configuration, or its default.</summary>
    [JsonStringEnumMemberName("configuration")]
    Configuration,

    /// <summary>The state directory, after a change at run time.</summary>
    [JsonStringEnumMemberName("state")]
    State,
}

/// <summary>What a device holds of one object.</summary>
public enum ShardState
{
    /// <summary>Its shards and manifest are there.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>The device or the object's file on it is gone.</summary>
    [JsonStringEnumMemberName("missing")]
    Missing,

    /// <summary>The file is there but belongs to another version or is incomplete.</summary>
    [JsonStringEnumMemberName("stale")]
    Stale,
}
