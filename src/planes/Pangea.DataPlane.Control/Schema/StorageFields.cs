using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>Fields that the methods about devices, scrub, heal and catalog share.</summary>
internal static class StorageFields
{
    public static readonly RpcField Device = new(
        "device", Text, "index of the device in decimal digits, or its path");

    public static readonly RpcField NewPath = new(
        "path", Text, "full path of an empty directory or block device");

    public static readonly RpcField[] DeviceChange =
    [
        DeviceIndex,
        new("path", Text, "directory or block device"),
        StateOfDevice.Optional(),
        new RpcField("id", Text, "identity of the device").Optional(),
        new RpcField("reason", Text, "why the state is not `ok`").Optional(),
        new RpcField("formatted", Flag, "whether an empty place was made a device").Optional(),
        new RpcField("draining", Flag, "whether its shards are being moved elsewhere first")
            .Optional(),
    ];

    public static readonly RpcField[] Scrub =
    [
        new("running", Flag, "whether a pass is under way"),
        Number("objectsChecked", "objects checked in this pass, or in the last one"),
        Number("objectsTotal", "objects the pass will check, as far as known"),
        Number("bytesChecked", "bytes of shards read by the pass"),
        Number("errorsFound", "damaged or missing shards found by the pass"),
        Number("bytesPerSecond", "bound of the reading, 0 for none"),
        Number("passes", "passes finished since the appliance exists"),
        new RpcField("position", Text, "name up to which the pass has come").Optional(),
        new RpcField("started", Time, "when the pass began, UTC").Optional(),
        new RpcField("lastFinished", Time, "when the last pass was finished, UTC").Optional(),
        new RpcField("next", Time, "when the next pass begins, UTC").Optional(),
    ];

    public static readonly RpcField[] Heal =
    [
        new("running", Flag, "whether an object is being healed"),
        Number("queuedCritical", "waiting objects at or below the critical threshold"),
        Number("queuedDegraded", "the other objects that wait"),
        Number("objectsHealed", "objects healed since the worker started"),
        Number("shardsHealed", "shards rebuilt since then"),
        Number("bytesWritten", "bytes of shards written since then"),
        Number("attempts", "objects tried since then"),
        Number("failures", "of those, tries that failed"),
        Number("skippedTotal", "objects passed over because they cannot be healed now"),
        new("skipped", RecordList, $"the first {Limits.HealSkippedListMax} of them")
        {
            Fields =
            [
                Name,
                Id,
                new("reason", Text, "why it was passed over"),
                Number("shardsAvailable", "shards that are left"),
                Number("shardsNeeded", "shards a repair needs"),
                new RpcField("next", Time, "when it is tried again, UTC").Optional(),
            ],
        },
        Number("bytesPerSecond", "bound of the writing, 0 for none"),
        new RpcField("backoffUntil", Time, "nothing is tried before, UTC").Optional(),
        new RpcField("lastFinished", Time, "when the queue was last empty, UTC").Optional(),
        new RpcField("nextCheck", Time, "when all objects are looked at again, UTC").Optional(),
    ];

    public static readonly RpcField Catalog = new("catalog", Record, "how the catalog is")
    {
        Required = false,
        Fields =
        [
            Number("bytes", "length of its file"),
            Number("checkpointAgeSeconds", "since the last checkpoint"),
            Number("changesPending", "changes that the next checkpoint will write"),
            new RpcField("reason", Text, "why checkpoints fail at present").Optional(),
        ],
    };

    public static readonly RpcField Durability = Choice(
        "durability", "devices that must hold a put durably before it is acknowledged: "
            + "`quorum` is k+1, `all` is k+m",
        "quorum", "all");

    /// <summary>The configuration's <c>storage</c> section as a worker gets it.</summary>
    public static readonly RpcField Settings = new("storage", Record, "how the storage works")
    {
        Fields =
        [
            Durability,
            Number(
                "segmentBytes", "length of a log segment; absent: by the size of the device",
                Limits.SegmentBytesMin, Limits.SegmentBytesMax).Optional(),
            Number("checkpointSeconds", "between two checkpoints", 1, Limits.IntervalSecondsMax),
            new("scrub", Record, "checking of all shards in the background")
            {
                Fields =
                [
                    Number("everySeconds", "from the end of a pass to the next; 0: never",
                        0, Limits.IntervalSecondsMax),
                    Number("bytesPerSecond", "bound of the reading, 0 for none"),
                ],
            },
            new("heal", Record, "rebuilding of lost shards in the background")
            {
                Fields =
                [
                    Number("checkSeconds", "between two looks at all objects; 0: never",
                        0, Limits.IntervalSecondsMax),
                    Number("criticalShards", "spare shards at or below which an object is critical",
                        0, Limits.ShardsMax),
                    Number(
                        "targetShards", "spare shards below which an object is healed; absent: m",
                        0, Limits.ShardsMax).Optional(),
                    Number("bytesPerSecond", "bound of the writing, 0 for none"),
                    Number("backoffSeconds", "pause after a first failure, doubled by each more",
                        1, Limits.IntervalSecondsMax),
                    Number("backoffSecondsMax", "longest pause", 1, Limits.IntervalSecondsMax),
                ],
            },
            new("compaction", Record, "giving back the space of removed objects")
            {
                Fields = [Number("bytesPerSecond", "bound of the copying, 0 for none")],
            },
        ],
    };

    /// <summary>Names a device by a descriptor of the call.</summary>
    public static readonly RpcField[] AttachedDevice =
    [
        DeviceIndex,
        new("path", Text, "for messages only"),
        Number(
            "descriptor", "index into the call's descriptors", 0, Limits.RpcDescriptorsMax - 1),
        new RpcField("mayFormat", Flag, "whether an empty place is a new device").Optional(),
    ];
}
