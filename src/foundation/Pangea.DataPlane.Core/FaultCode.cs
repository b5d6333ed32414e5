namespace Pangea.DataPlane.Core;

/// <summary>
/// What went wrong, as a program can act on it. Numbers are the JSON-RPC error codes and never
/// change their meaning; -327xx are JSON-RPC 2.0's own, -320xx are ours (the range the standard
/// leaves to servers).
/// </summary>
public enum FaultCode
{
    /// <summary>The line is not JSON.</summary>
    ParseError = -32700,

    /// <summary>The JSON is not a JSON-RPC 2.0 request.</summary>
    InvalidRequest = -32600,

    /// <summary>No such method.</summary>
    MethodNotFound = -32601,

    /// <summary>
    /// A parameter is missing, unknown or out of range; <see cref="Fault.Field"/> names it.
    /// </summary>
    InvalidParameters = -32602,

    /// <summary>A defect of ours.</summary>
    Internal = -32603,

    /// <summary>The named thing does not exist.</summary>
    NotFound = -32001,

    /// <summary>The name is taken and the caller asked not to replace it.</summary>
    Exists = -32002,

    /// <summary>A bounded queue is full; the same call may succeed later.</summary>
    Busy = -32003,

    /// <summary>Too few devices have room left.</summary>
    NoSpace = -32004,

    /// <summary>The call is not legal in the present state of the process.</summary>
    BadState = -32005,

    /// <summary>The kernel, the CPU or a library lacks what the call needs.</summary>
    Unsupported = -32006,

    /// <summary>
    /// The descriptor that came with the call is missing or cannot be used for it.
    /// </summary>
    BadDescriptor = -32007,

    /// <summary>
    /// Too few shards are left to restore the object ("needs 8 of 12 shards, has 7").
    /// </summary>
    Unavailable = -32008,

    /// <summary>The worker died or was restarted during the call; calling again is safe.</summary>
    WorkerLost = -32009,

    /// <summary>A limit of <see cref="Limits"/> was exceeded.</summary>
    TooLarge = -32010,

    /// <summary>The caller went away or withdrew the call.</summary>
    Canceled = -32011,

    /// <summary>The peer may not do this.</summary>
    Denied = -32012,

    /// <summary>
    /// Stored bytes failed a checksum or their authentication, beyond what redundancy could mend.
    /// </summary>
    Corrupt = -32013,

    /// <summary>
    /// The kernel reported an input/output error; <see cref="Fault.Errno"/> says which.
    /// </summary>
    Io = -32014,

    /// <summary>No progress within the stated time.</summary>
    TimedOut = -32015,
}
