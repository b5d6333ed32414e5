using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Control.Schema.RpcFields;
using static Pangea.DataPlane.Control.Schema.RpcType;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// The methods of a worker's channel that change its devices while it runs; rows of
/// <see cref="WorkerMethods"/>.
/// </summary>
public static class WorkerDeviceMethods
{
    private static readonly FaultCode[] s_attachErrors =
    [
        FaultCode.BadDescriptor, FaultCode.Exists, FaultCode.Denied, FaultCode.BadState,
        FaultCode.Corrupt, FaultCode.NoSpace, FaultCode.Unsupported, FaultCode.Io,
    ];

    /// <summary>
    /// The index is free, or its device was missing and is back: then its identity must be the one
    /// known for the index where one is known.
    /// </summary>
    public static readonly RpcMethod<WorkerDeviceParameters, DeviceChangeResult> Add = new()
    {
        Name = "worker.device.add",
        Summary = "Hands over a device for an index that is free or whose device was missing.",
        Scope = RpcScope.Worker,
        Parameters = StorageFields.AttachedDevice,
        Descriptors = 1,
        DescriptorDoc = "the directory or the block device, for reading and writing",
        Result = StorageFields.DeviceChange,
        Errors = s_attachErrors,
        TimeoutSeconds = 60,
        Example = """{"index":12,"path":"/d","descriptor":0,"mayFormat":true}""",
        ParametersCode = () => ControlJson.Default.WorkerDeviceParameters,
        ResultCode = () => ControlJson.Default.DeviceChangeResult,
    };

    public static readonly RpcMethod<WorkerDeviceParameters, DeviceChangeResult> Replace = new()
    {
        Name = "worker.device.replace",
        Summary = "Hands over another device for an index; the old one is closed and forgotten.",
        Scope = RpcScope.Worker,
        Parameters = StorageFields.AttachedDevice,
        Descriptors = 1,
        DescriptorDoc = "the directory or the block device, for reading and writing",
        Result = StorageFields.DeviceChange,
        Errors = s_attachErrors,
        TimeoutSeconds = 60,
        Example = """{"index":3,"path":"/d","descriptor":0,"mayFormat":true}""",
        ParametersCode = () => ControlJson.Default.WorkerDeviceParameters,
        ResultCode = () => ControlJson.Default.DeviceChangeResult,
    };

    public static readonly RpcMethod<WorkerDeviceRemoveParameters, DeviceChangeResult> Remove =
        new()
        {
            Name = "worker.device.remove",
            Summary =
                "Takes a device out; replies when it is empty and closed, at once with `force`.",
            Scope = RpcScope.Worker,
            Parameters =
            [
                DeviceIndex,
                new RpcField("force", Flag, "do not move its shards elsewhere first").Optional(),
            ],
            Result = StorageFields.DeviceChange,
            Errors =
            [
                FaultCode.NotFound, FaultCode.BadState, FaultCode.Unavailable, FaultCode.NoSpace,
                FaultCode.Unsupported, FaultCode.Io,
            ],
            TimeoutSeconds = 0, // Moving a disk's content takes as long as the disks need.
            Example = """{"index":12}""",
            ParametersCode = () => ControlJson.Default.WorkerDeviceRemoveParameters,
            ResultCode = () => ControlJson.Default.DeviceChangeResult,
        };
}
