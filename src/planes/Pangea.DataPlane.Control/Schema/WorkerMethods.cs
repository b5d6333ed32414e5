using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods of a worker's channel, which only the supervisor calls. The forwarded methods of
/// <see cref="RpcMethods"/> come over the same channel unchanged but for their id.
/// </summary>
public static class WorkerMethods
{
    private static readonly RpcField s_stripeBytes = Number(
        "stripeBytes",
            "plain bytes of a full stripe", Limits.StripeBytesMin, Limits.StripeBytesMax);

    private static readonly RpcField s_keys = new(
        "keys", RecordList, "key files, open for reading")
    {
        Fields =
        [
            Number(
                "descriptor",
                "index into the call's descriptors",
                0,
                Limits.RpcDescriptorsMax - 1),
        ],
    };

    private static readonly RpcField s_manifest = new(
        "manifest", RecordList, "what each descriptor of the call is, in their order")
    {
        Fields =
        [
            new("name", Text, "what it serves"),
            Choice("kind", "what the kernel must say it is",
                "directory", "blockDevice", "file", "memory"),
            Choice("access", "what it must be open for", "read", "readWrite"),
        ],
    };

    private static readonly RpcField s_classes = new RpcField(
        "classes", RecordList, "object classes beside the default").Optional() with
    {
        Fields = [new("name", Text, "what a put names it by"), Spread, s_stripeBytes, Compression],
    };

    private static readonly RpcField s_earlierGeometries = new RpcField(
        "earlierGeometries", RecordList, "how older objects may be cut").Optional() with
    {
        Fields = [Spread, s_stripeBytes],
    };

    private static readonly RpcField s_devices = new(
        "devices", RecordList, "every configured device")
    {
        Fields =
        [
            DeviceIndex,
            new("path", Text, "for messages only"),
            StateOfDevice,
            Number(
                "descriptor",
                "index into the call's descriptors; absent where there is none",
                0, Limits.RpcDescriptorsMax - 1) with { Required = false, Nullable = true },
            new RpcField("reason", Text, "why there is no descriptor").Optional(),
            new RpcField("mayFormat", Flag, "whether an empty directory is a new device")
                .Optional(),
            new RpcField("draining", Flag, "whether it takes no new shards").Optional(),
        ],
    };

    public static readonly RpcMethod<WorkerStartParameters, WorkerStartResult> Start = new()
    {
        Name = "worker.start",
        Summary = "Hands a new worker everything it may touch; the reply says that it is ready.",
        Scope = RpcScope.Worker,
        Parameters =
        [
            Choice("role", "what the worker is for", "storage"),
            Number("index", "number of the worker"),
            Number("core", "CPU its loop pins itself to").Optional(),
            new("stateId", Text, "identity of the appliance's state"),
            Spread,
            s_stripeBytes,
            Compression,
            s_classes,
            s_earlierGeometries,
            s_devices,
            s_keys,
            new RpcField("catalog", Record, "directory of the catalog").Optional() with
            {
                Fields =
                [
                    Number(
                        "descriptor", "index into the call's descriptors",
                        0, Limits.RpcDescriptorsMax - 1),
                ],
            },
            StorageFields.Settings.Optional(),
            Number(
                "threads",
                "threads that compute stripes beside the loop",
                0,
                Limits.ComputeThreadsMax)
                .Optional(),
            Number("stats", "index of the statistics page's descriptor",
                0, Limits.RpcDescriptorsMax - 1) with { Required = false, Nullable = true },
            s_manifest,
        ],
        Descriptors = -1,
        DescriptorDoc = "devices, key files, catalog directory, statistics page",
        Result =
        [
            Number("pid", "process id of the worker"),
            new("ring", Text, "`io_uring` or `plain`"),
            new("ringReason", Text, "why that executor was chosen"),
            new RpcField("buffers", Text, "how much, and on what pages").Optional(),
            new("erasureKernel", Text, "Reed-Solomon kernel in use"),
            new RpcField("erasureKernelReason", Text, "why that one").Optional(),
            new("devicesInUse", TextList, "paths of the devices taken into use"),
            new RpcField("remarks", TextList, "remarks for the log").Optional(),
            new RpcField("landlock", Flag, "whether the file system is closed to it").Optional(),
        ],
        Errors = [FaultCode.BadState, FaultCode.BadDescriptor, FaultCode.Unavailable],
        TimeoutSeconds = 0, // Bringing up a large catalog takes as long as the disks need.
        ParametersCode = () => ControlJson.Default.WorkerStartParameters,
        ResultCode = () => ControlJson.Default.WorkerStartResult,
        Example =
            """
            {"role":"storage","index":0,"stateId":"00",
            "redundancy":{"dataShards":8,"parityShards":4},"stripeBytes":1048576,
            "compression":"balanced","devices":[
                {"index":0,"path":"/d","state":"ok","descriptor":0}],
            "keys":[{"descriptor":1}],"manifest":[
                {"name":"device 0","kind":"directory","access":"read"},
                {"name":"master key","kind":"file","access":"read"}]}
            """,
    };

    public static readonly RpcMethod<Nothing, WorkerPingResult> Ping = new()
    {
        Name = "worker.ping",
        Summary = "Shows that the worker's loop turns.",
        Scope = RpcScope.Worker,
        Parameters = [],
        Result =
        [
            Number("uptimeSeconds", "since the worker started"),
            Number("rssBytes", "resident memory"),
            Number("calls", "calls under way or queued"),
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.WorkerPingResult,
    };

    public static readonly RpcMethod<Nothing, StorageStatusResult> StorageStatus = new()
    {
        Name = "storage.status",
        Summary = "Tells how the devices are and how much they hold.",
        Scope = RpcScope.Worker,
        Parameters = [],
        Result =
        [
            Number("objects", "objects stored"),
            Number("objectBytes", "sum of their lengths"),
            Number("storedBytes", "bytes they take on the devices"),
            new("devices", RecordList, "every configured device") { Fields = DeviceStatusFields },
            StorageFields.Durability.Optional(),
            StorageFields.Catalog,
        ],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.StorageStatusResult,
    };

    public static readonly RpcMethod<CallCancelParameters, Nothing> Cancel = new()
    {
        Name = "call.cancel",
        Summary = "Withdraws a call whose caller has gone; the worker answers it with Canceled.",
        Scope = RpcScope.Worker,
        Parameters = [Number("id", "id of the call on this channel", long.MinValue)],
        Result = [],
        IsNotification = true,
        Example = """{"id":17}""",
        ParametersCode = () => ControlJson.Default.CallCancelParameters,
        ResultCode = () => ControlJson.Default.Nothing,
    };

    public static readonly RpcMethod<WorkerKeysParameters, WorkerKeysResult> Keys = new()
    {
        Name = "worker.keys",
        Summary = "Hands the worker the key file anew; keys it had stay in use.",
        Scope = RpcScope.Worker,
        Parameters =
        [
            s_keys,
        ],
        Descriptors = 1,
        DescriptorDoc = "the key file",
        Result = [new("current", Text, "id of the key that new objects use from now on")],
        Errors = [FaultCode.BadDescriptor],
        Example = """{"keys":[{"descriptor":0}]}""",
        ParametersCode = () => ControlJson.Default.WorkerKeysParameters,
        ResultCode = () => ControlJson.Default.WorkerKeysResult,
    };

    /// <summary>
    /// Notification from a worker, and from the supervisor to the caller, who sees their own id in
    /// it.
    /// </summary>
    public const string Progress = "object.progress";

    /// <summary>The methods of a worker's channel that are not public.</summary>
    public static readonly IReadOnlyList<RpcMethod> Private =
    [
        Start, Ping, StorageStatus, Keys,
        WorkerDeviceMethods.Add, WorkerDeviceMethods.Replace, WorkerDeviceMethods.Remove, Cancel,
    ];

    private static readonly Dictionary<string, RpcMethod> s_byName =
        Private.Concat(RpcMethods.All.Where(m => m.Scope == RpcScope.Forwarded))
            .ToDictionary(m => m.Name);

    /// <summary>
    /// The method of a worker's channel of that name (forwarded ones too), or null.
    /// </summary>
    public static RpcMethod? Find(string name) => s_byName.GetValueOrDefault(name);
}
