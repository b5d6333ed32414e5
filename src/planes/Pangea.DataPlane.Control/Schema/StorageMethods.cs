using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods of the control socket about devices and the background work on them; rows of the
/// table <see cref="RpcMethods"/>.
/// </summary>
public static class StorageMethods
{
    public static readonly RpcMethod<Nothing, DeviceListResult> DeviceList = new()
    {
        Name = "device.list",
        Summary = "Lists the devices, what they hold and what is being done to them.",
        Scope = RpcScope.Supervisor,
        Parameters = [],
        Result = [new("devices", RecordList, "by index") { Fields = DeviceStatusFields }],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.DeviceListResult,
    };

    public static readonly RpcMethod<DeviceAddParameters, DeviceChangeResult> DeviceAdd = new()
    {
        Name = "device.add",
        Summary = "Takes a further directory or block device into use, now and after each restart.",
        Scope = RpcScope.Supervisor,
        Parameters = [StorageFields.NewPath],
        Result = StorageFields.DeviceChange,
        Errors =
        [
            FaultCode.NotFound, FaultCode.Exists, FaultCode.Denied, FaultCode.Busy,
            FaultCode.BadState, FaultCode.Corrupt, FaultCode.TooLarge, FaultCode.NoSpace,
            FaultCode.WorkerLost, FaultCode.TimedOut, FaultCode.Unsupported, FaultCode.Io,
        ],
        TimeoutSeconds = 60,
        Example = """{"path":"/srv/disk12"}""",
        ParametersCode = () => ControlJson.Default.DeviceAddParameters,
        ResultCode = () => ControlJson.Default.DeviceChangeResult,
    };

    public static readonly RpcMethod<DeviceRemoveParameters, DeviceChangeResult> DeviceRemove =
        new()
        {
            Name = "device.remove",
            Summary =
                "Moves a device's shards to the others, then takes it out; the reply comes first.",
            Scope = RpcScope.Supervisor,
            Parameters =
            [
                StorageFields.Device,
                new RpcField("force", Flag, "take it out at once; healing makes up for its shards")
                    .Optional(),
            ],
            Result = StorageFields.DeviceChange,
            Errors =
            [
                FaultCode.NotFound, FaultCode.Busy, FaultCode.BadState, FaultCode.Unavailable,
                FaultCode.NoSpace, FaultCode.WorkerLost, FaultCode.TimedOut,
                FaultCode.Unsupported, FaultCode.Io,
            ],
            TimeoutSeconds = 60,
            Example = """{"device":"12"}""",
            ParametersCode = () => ControlJson.Default.DeviceRemoveParameters,
            ResultCode = () => ControlJson.Default.DeviceChangeResult,
        };

    public static readonly RpcMethod<DeviceReplaceParameters, DeviceChangeResult> DeviceReplace =
        new()
        {
            Name = "device.replace",
            Summary =
                "Puts a new directory or block device in the place of one; healing refills it.",
            Scope = RpcScope.Supervisor,
            Parameters = [StorageFields.Device, StorageFields.NewPath],
            Result = StorageFields.DeviceChange,
            Errors =
            [
                FaultCode.NotFound, FaultCode.Exists, FaultCode.Denied, FaultCode.Busy,
                FaultCode.BadState, FaultCode.Corrupt, FaultCode.NoSpace, FaultCode.WorkerLost,
                FaultCode.TimedOut, FaultCode.Unsupported, FaultCode.Io,
            ],
            TimeoutSeconds = 60,
            Example = """{"device":"3","path":"/srv/disk3-new"}""",
            ParametersCode = () => ControlJson.Default.DeviceReplaceParameters,
            ResultCode = () => ControlJson.Default.DeviceChangeResult,
        };

    public static readonly RpcMethod<ScrubStartParameters, ScrubStatus> ScrubStart = new()
    {
        Name = "scrub.start",
        Summary = "Begins to check all shards, or goes on where the last pass was stopped.",
        Scope = RpcScope.Forwarded,
        Parameters =
        [
            Number("bytesPerSecond", "for this pass; absent: as configured, 0: no bound")
                .Optional(),
            new RpcField("restart", Flag, "begin with the first object again").Optional(),
        ],
        Result = StorageFields.Scrub,
        Errors = [FaultCode.Unsupported, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        Example = """{"bytesPerSecond":104857600}""",
        ParametersCode = () => ControlJson.Default.ScrubStartParameters,
        ResultCode = () => ControlJson.Default.ScrubStatus,
    };

    public static readonly RpcMethod<Nothing, ScrubStatus> ScrubStop = new()
    {
        Name = "scrub.stop",
        Summary = "Stops checking; the place is kept, also over a restart.",
        Scope = RpcScope.Forwarded,
        Parameters = [],
        Result = StorageFields.Scrub,
        Errors = [FaultCode.Unsupported, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.ScrubStatus,
    };

    public static readonly RpcMethod<Nothing, ScrubStatus> ScrubStatus = new()
    {
        Name = "scrub.status",
        Summary = "Tells how far the checking of all shards is and what it found.",
        Scope = RpcScope.Forwarded,
        Parameters = [],
        Result = StorageFields.Scrub,
        Errors = [FaultCode.Unsupported, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.ScrubStatus,
    };

    public static readonly RpcMethod<Nothing, HealStatus> HealStart = new()
    {
        Name = "heal.start",
        Summary = "Looks at all objects now and heals them, without waiting for pauses to end.",
        Scope = RpcScope.Forwarded,
        Parameters = [],
        Result = StorageFields.Heal,
        Errors = [FaultCode.Unsupported, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.HealStatus,
    };

    public static readonly RpcMethod<Nothing, HealStatus> HealStatus = new()
    {
        Name = "heal.status",
        Summary = "Tells what is healed, what waits, and what cannot be healed and why.",
        Scope = RpcScope.Forwarded,
        Parameters = [],
        Result = StorageFields.Heal,
        Errors = [FaultCode.Unsupported, FaultCode.Busy, FaultCode.WorkerLost, FaultCode.TimedOut],
        ParametersCode = () => ControlJson.Default.Nothing,
        ResultCode = () => ControlJson.Default.HealStatus,
    };

    public static readonly RpcMethod<CatalogRebuildParameters, CatalogRebuildResult>
        CatalogRebuild = new()
        {
            Name = "catalog.rebuild",
            Summary = "Makes the catalog anew from the devices alone; objects stay readable.",
            Scope = RpcScope.Forwarded,
            Parameters = [Progress],
            Result =
            [
                Number("objects", "objects found"),
                Number("bytesRead", "bytes of the devices' logs read"),
                Number("milliseconds", "time it took"),
            ],
            Errors =
            [
                FaultCode.Unsupported, FaultCode.Busy, FaultCode.NoSpace, FaultCode.WorkerLost,
                FaultCode.Canceled, FaultCode.Io,
            ],
            TimeoutSeconds = 0,
            Example = """{"progress":true}""",
            ParametersCode = () => ControlJson.Default.CatalogRebuildParameters,
            ResultCode = () => ControlJson.Default.CatalogRebuildResult,
        };

    /// <summary>In the order of the reference document.</summary>
    public static readonly IReadOnlyList<RpcMethod> All =
    [
        DeviceList, DeviceAdd, DeviceRemove, DeviceReplace,
        ScrubStart, ScrubStop, ScrubStatus, HealStart, HealStatus, CatalogRebuild,
    ];
}
