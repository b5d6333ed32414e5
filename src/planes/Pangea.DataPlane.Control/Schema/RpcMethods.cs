using System.Text.Json;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The method table of the control socket. Decoding, dispatch, client calls, <c>rpc.discover</c>
/// and docs/RPC.md all come from here; a method that is not here does not exist. The methods of a
/// worker's channel are in <see cref="WorkerMethods"/>.
/// </summary>
public static class RpcMethods
{
    /// <summary>Version of the protocol; a change that breaks a client raises it.</summary>
    public const int Protocol = 1;

    public static readonly RpcMethod<Nothing, SystemVersionResult> SystemVersion = new()
    {
        Name = "system.version",
        Summary = "Tells which appliance this is.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("version", Text, "version of the appliance"),
            new("commit", Text, "source revision it was built from"),
            new("runtime", Text, ".NET runtime"),
            new("kernel", Text, "Linux kernel"),
            Number("protocol", "version of this protocol"),
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.SystemVersionResult,
    };

    public static readonly RpcMethod<Nothing, SystemStatusResult> SystemStatus = new()
    {
        Name = "system.status",
        Summary = "Tells how the appliance, its devices and its workers are.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            Choice("state", "state of the whole", "starting", "ready", "degraded", "stopping"),
            Number("uptimeSeconds", "since the supervisor started"),
            Number("pid", "process id of the supervisor"),
            new("stateDirectory", Text, "where keys, state and default devices are"),
            new("user", Text, "user the workers run as"),
            Spread,
            StripeBytes,
            Number("objects", "objects stored; absent while no storage worker answers").Optional(),
            Number("objectBytes", "sum of their lengths").Optional(),
            Number("storedBytes", "bytes they take on the devices").Optional(),
            StorageFields.Durability.Optional(),
            StorageFields.Catalog,
            new("devices", RecordList, "every configured device") { Fields = DeviceStatusFields },
            new("workers", RecordList, "every worker") { Fields = WorkerStatusFields },
            LifeMethods.Privilege,
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.SystemStatusResult,
    };

    public static readonly RpcMethod<Nothing, WorkerListResult> WorkerList = new()
    {
        Name = "worker.list",
        Summary = "Lists the worker processes.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result = [new("workers", RecordList, "every worker") { Fields = WorkerStatusFields }],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.WorkerListResult,
    };

    public static readonly RpcMethod<Nothing, JsonElement> RpcDiscover = new()
    {
        Name = "rpc.discover",
        Summary = "Returns this table as an OpenRPC document.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("openrpc", Text, "version of the OpenRPC specification"),
            new("info", Any, "title and version"),
            new("methods", Any, "one OpenRPC method object per method"),
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.JsonElement,
    };

    public static readonly RpcMethod<ObjectPutParameters, ObjectPutResult> ObjectPut = new()
    {
        Name = "object.put",
        Summary =
            "Stores the bytes of a descriptor under a name; replaces an older version atomically.",
        Scope = RpcScope.Forwarded,
        Parameters =
        [
            Name,
            new RpcField("noClobber", Flag, "refuse when the name is taken").Optional(),
            new RpcField("class", Text, "object class of the configuration; absent: `default`")
                .Optional(),
            Number("bytes", "exact length expected; another length is refused").Optional(),
            Number("ttlSeconds", "the object goes this long after its last put or get",
                1, Limits.TtlSecondsMax).Optional(),
            Progress,
        ],
        Descriptors = 1,
        DescriptorDoc = "open for reading; read from its current offset to its end",
        Result =
        [
            Name,
            Id,
            Bytes,
            StoredBytes,
            Stripes,
            Sha256,
            new("replaced", Flag, "whether an older version was replaced"),
            Number("devicesCommitted", "devices that hold the object durably"),
            Number("devicesTotal", "devices it was meant for"),
            Expires,
        ],
        Errors =
        [
            FaultCode.Exists, FaultCode.BadDescriptor, FaultCode.NoSpace, FaultCode.Unavailable,
            FaultCode.TooLarge, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.Canceled,
            FaultCode.TimedOut, FaultCode.Io,
        ],
        TimeoutSeconds = 0,
        Example = """{"name":"reports/2026.pdf","noClobber":true}""",
        ParametersCode = () => ControlJson.Default.ObjectPutParameters,
        ResultCode = () => ControlJson.Default.ObjectPutResult,
    };

    public static readonly RpcMethod<ObjectGetParameters, ObjectGetResult> ObjectGet = new()
    {
        Name = "object.get",
        Summary = "Writes the object's bytes to a descriptor, mending what was damaged on the way.",
        Scope = RpcScope.Forwarded,
        Parameters =
        [
            Name,
            Number("offset", "first byte wanted; negative: counted from the end", long.MinValue)
                .Optional(),
            Number("length", "bytes wanted; absent or beyond the end: up to the end", 1)
                .Optional(),
            Progress,
        ],
        Descriptors = 1,
        DescriptorDoc = "open for writing; written from its current offset on",
        Result =
        [
            Name,
            Id,
            Bytes,
            Sha256,
            Stripes,
            Number("stripesRepaired", "stripes that needed parity shards"),
            Number("shardsLost", "shards that were missing or damaged"),
            Number("offset", "first byte written, where a range was asked for").Optional(),
            Number("length", "bytes written, where a range was asked for").Optional(),
        ],
        Errors =
        [
            FaultCode.NotFound, FaultCode.BadDescriptor, FaultCode.Unavailable, FaultCode.Corrupt,
            FaultCode.NoSpace, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.Canceled,
            FaultCode.TimedOut, FaultCode.Io,
        ],
        TimeoutSeconds = 0,
        Example = """{"name":"reports/2026.pdf","offset":0,"length":4096}""",
        ParametersCode = () => ControlJson.Default.ObjectGetParameters,
        ResultCode = () => ControlJson.Default.ObjectGetResult,
    };

    public static readonly RpcMethod<ObjectListParameters, ObjectListResult> ObjectList = new()
    {
        Name = "object.list",
        Summary = "Lists objects by name, one page at a time.",
        Scope = RpcScope.Forwarded,
        Parameters =
        [
            new RpcField("prefix", Text, "only names that begin with this text").Optional(),
            new RpcField("after", Text, "only names that come after this one").Optional(),
            Number("limit", "entries of the page", 1, Limits.ListPageMax).Optional(),
        ],
        Result =
        [
            new("objects", RecordList, "in the order of their names' UTF-8 bytes")
            {
                Fields = ObjectEntryFields,
            },
            new RpcField("next", Text, "pass as `after` for the next page; absent on the last")
                .Optional(),
        ],
        Errors = [FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        TimeoutSeconds = 30,
        Example = """{"prefix":"reports/","limit":100}""",
        ParametersCode = () => ControlJson.Default.ObjectListParameters,
        ResultCode = () => ControlJson.Default.ObjectListResult,
    };

    public static readonly RpcMethod<ObjectNameParameters, ObjectStatResult> ObjectStat = new()
    {
        Name = "object.stat",
        Summary = "Tells everything about one object, and which devices hold it.",
        Scope = RpcScope.Forwarded,
        Parameters = [Name],
        Result =
        [
            Name,
            Id,
            Bytes,
            StoredBytes,
            Created,
            Sha256,
            Stripes,
            StripeBytes,
            Spread,
            new("fileType", Text, "what the content looks like"),
            new("keyId", Text, "which master key its own key was derived from"),
            new("devices", RecordList, "one entry per shard of the object")
            {
                Fields =
                [
                    DeviceIndex,
                    Choice("state", "what the device holds", "ok", "missing", "stale"),
                    Number("position", "which shard of each stripe, 0 to k+m-1").Optional(),
                    new RpcField("path", Text, "the device's path").Optional(),
                ],
            },
            Number("shardsAvailable", "devices that hold their shards"),
            new("restorable", Flag, "whether enough shards are there"),
            Expires,
            Number("ttlSeconds", "time it lives after its last put or get").Optional(),
            new RpcField("statistics", Record, "how it was used").Optional() with
            {
                Fields =
                [
                    Number("gets", "gets since it was put"),
                    Number("bytesServed", "bytes they fetched"),
                    new RpcField("lastGet", Time, "the last of them, UTC").Optional(),
                ],
            },
        ],
        Errors =
            [FaultCode.NotFound, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        TimeoutSeconds = 30,
        Example = """{"name":"reports/2026.pdf"}""",
        ParametersCode = () => ControlJson.Default.ObjectNameParameters,
        ResultCode = () => ControlJson.Default.ObjectStatResult,
    };

    public static readonly RpcMethod<ObjectNameParameters, ObjectRemoveResult> ObjectRemove = new()
    {
        Name = "object.remove",
        Summary = "Removes an object and gives its space back.",
        Scope = RpcScope.Forwarded,
        Parameters = [Name],
        Result = [Name, Id, Bytes],
        Errors =
        [
            FaultCode.NotFound, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut,
            FaultCode.Io,
        ],
        TimeoutSeconds = 60,
        Example = """{"name":"reports/2026.pdf"}""",
        ParametersCode = () => ControlJson.Default.ObjectNameParameters,
        ResultCode = () => ControlJson.Default.ObjectRemoveResult,
    };

    public static readonly RpcMethod<Nothing, KeyListResult> KeyList = new()
    {
        Name = "key.list",
        Summary = "Names the master keys of the appliance; never their secrets.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("current", Text, "id of the key that new objects use"),
            new("keys", TextList, "ids of all keys, oldest first"),
        ],
        Errors = [FaultCode.Io, FaultCode.Corrupt],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.KeyListResult,
    };

    public static readonly RpcMethod<Nothing, KeyListResult> KeyRotate = new()
    {
        Name = "key.rotate",
        Summary =
            "Makes a new master key for new objects; old objects keep theirs and stay readable.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result =
        [
            new("current", Text, "id of the new key"),
            new("keys", TextList, "ids of all keys, oldest first"),
        ],
        Errors = [FaultCode.Io, FaultCode.NoSpace, FaultCode.Corrupt, FaultCode.TooLarge],
        TimeoutSeconds = 30,
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.KeyListResult,
    };

    /// <summary>
    /// Every method of the control socket, in the order of the reference document.
    /// </summary>
    public static readonly IReadOnlyList<RpcMethod> All =
    [
        SystemVersion, SystemStatus, .. LifeMethods.All,
        WorkerList, .. WorkerControlMethods.All, .. StatsMethods.All,
        RpcDiscover,
        ObjectPut, ObjectGet, ObjectList, ObjectStat, ObjectRemove,
        .. StorageMethods.All,
        .. FirewallMethods.All,
        KeyList, KeyRotate,
    ];

    private static readonly Dictionary<string, RpcMethod> s_byName = All.ToDictionary(m => m.Name);

    /// <summary>The public method of that name, or null.</summary>
    public static RpcMethod? Find(string name) => s_byName.GetValueOrDefault(name);

    /// <summary>The fault for a name that is no method of the control socket.</summary>
    public static Fault NotFound(string name)
    {
        string shown = name.Length <= 64 ? name : name[..64] + "...";
        return new Fault(
            FaultCode.MethodNotFound, $"no method '{shown}'", "rpc.discover lists the methods");
    }
}
