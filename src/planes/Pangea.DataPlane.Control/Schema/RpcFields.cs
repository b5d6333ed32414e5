using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// Fields that several methods share, so that one concept reads the same everywhere.
/// </summary>
internal static class RpcFields
{
    public static readonly RpcField Name = new("name", NameText, "the object's name");

    public static readonly RpcField Id = new(
        "id", Text, "identity of this version of the object, 32 hexadecimal digits");

    public static readonly RpcField Bytes = Number("bytes", "length of the object");

    public static readonly RpcField StoredBytes = Number(
        "storedBytes", "bytes on the devices, all shards and headers");

    public static readonly RpcField Created = new(
        "created", Time, "when the put was acknowledged, UTC");

    public static readonly RpcField Expires = new RpcField(
        "expires", Time, "when the object goes unless it is fetched before, UTC").Optional();

    public static readonly RpcField Sha256 = new(
        "sha256", Text, "SHA-256 of the content, hexadecimal");

    public static readonly RpcField Stripes = Number("stripes", "stripes of the object");

    public static readonly RpcField Progress = new(
        "progress", Flag, "send `object.progress` notifications, at most 10 a second")
    {
        Required = false,
    };

    public static readonly RpcField StripeBytes = Number(
        "stripeBytes", "plain bytes of a full stripe");

    public static readonly RpcField Spread = new("redundancy", Record, "how objects are spread")
    {
        Fields =
        [
            Number("dataShards", "k: any k shards restore a stripe", 1, Limits.ShardsMax - 1),
            Number("parityShards", "m: shards that may be lost", 1, Limits.ShardsMax - 1),
        ],
    };

    public static readonly RpcField DeviceIndex = Number(
        "index", "number of the device, kept over restarts", 0, Limits.DevicesMax - 1);

    public static readonly RpcField StateOfDevice = Choice(
        "state", "what the device is good for", "ok", "missing", "readOnly", "full", "failed");

    public static readonly RpcField Compression = Choice(
        "compression", "how hard stripes are compressed",
        "none", "balanced", "archive", "adaptive");

    public static readonly RpcField Healing = new("healing", Record, "work of filling or emptying")
    {
        Required = false,
        Fields =
        [
            Number("objectsDone", "objects done"),
            Number("objectsTotal", "objects in all"),
            Number("bytesDone", "bytes of shards written"),
            Number("bytesTotal", "bytes in all, where known").Optional(),
        ],
    };

    public static readonly RpcField[] DeviceStatusFields =
    [
        DeviceIndex,
        new("path", Text, "directory or block device"),
        StateOfDevice,
        new RpcField("id", Text, "identity from the device's superblock").Optional(),
        Number("freeBytes", "free space, of its file system where it is a directory").Optional(),
        Number("totalBytes", "size of the same").Optional(),
        new RpcField("directIo", Flag, "whether shards bypass the page cache").Optional(),
        new RpcField("reason", Text, "why the state is not `ok`").Optional(),
        Choice("kind", "what it is", "directory", "block").Optional(),
        Choice("source", "what names it: the configuration, or `device.add` and the like",
            "configuration", "state").Optional(),
        Number("segments", "segments of its log").Optional(),
        Number("liveBytes", "bytes of its log that are in use").Optional(),
        Number("garbageBytes", "bytes of its log that compaction will give back").Optional(),
        new RpcField("draining", Flag, "whether it is being emptied to be taken out").Optional(),
        Healing,
    ];

    /// <summary>What the kernel says; of several threads, the least confined.</summary>
    public static readonly RpcField[] WorkerFactFields =
    [
        Number("gid", "group it runs as").Optional(),
        Number("threads", "threads it has").Optional(),
        new RpcField("capabilities", Text, "effective and permitted, hexadecimal").Optional(),
        new RpcField("capabilitiesBounding", Text, "those an exec could gain").Optional(),
        new RpcField("noNewPrivileges", Flag, "whether an exec can gain none").Optional(),
        Choice("seccomp", "filter of system calls", "none", "strict", "filter").Optional(),
        new RpcField("landlock", Flag, "whether the file system is closed to it").Optional(),
        new RpcField("cores", Text, "cores its threads may run on, as `0-1,4`").Optional(),
        new RpcField("descriptors", RecordList, "open descriptors by kind").Optional() with
        {
            Fields =
            [
                new("kind", Text, "`file`, `directory`, `socket`, `pipe`, `io_uring`, ..."),
                Number("count", "how many of them"),
            ],
        },
    ];

    public static readonly RpcField[] WorkerStatusFields =
    [
        Number("index", "number of the worker"),
        new("role", Text, "what it is for: `storage`"),
        Choice("state", "what it is doing", "starting", "ready", "restarting",
            "failed", "stopped"),
        Number("pid", "process id").Optional(),
        Number("core", "CPU its loop is pinned to").Optional(),
        Number("node", "memory node of that CPU").Optional(),
        Number("uid", "user it runs as").Optional(),
        Number("restarts", "times it was started again"),
        Number("uptimeSeconds", "since it was last ready").Optional(),
        Number("rssBytes", "resident memory").Optional(),
        new RpcField("ring", Text, "`io_uring` or `plain`").Optional(),
        new RpcField("ringReason", Text, "why that executor was chosen").Optional(),
        new RpcField("buffers", Text, "its buffers, and on what pages they are").Optional(),
        new RpcField("erasureKernel", Text, "Reed-Solomon kernel in use").Optional(),
        new RpcField("erasureKernelReason", Text, "why that one").Optional(),
        new RpcField("isolation", Text, "how its privileges were dropped, or why not").Optional(),
        .. WorkerFactFields,
    ];

    public static readonly RpcField[] ObjectEntryFields =
        [Name, Id, Bytes, StoredBytes, Created, Expires];

    public static RpcField Number(
        string name, string doc, long min = 0, long max = long.MaxValue) =>
        new(name, Integer, doc) { Min = min, Max = max };

    public static RpcField Choice(string name, string doc, params string[] values) =>
        new(name, Text, doc) { Values = values };
}
