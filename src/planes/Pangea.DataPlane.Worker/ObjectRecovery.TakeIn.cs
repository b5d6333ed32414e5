using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <content>One device that comes while the worker runs.</content>
internal sealed partial class ObjectRecovery
{
    /// <summary>
    /// Reads the log of a device that comes, from where the catalog knows it, and decides about
    /// what only it has. Its shards that are still valid count again; those of versions that were
    /// replaced or removed while it was away are garbage.
    /// </summary>
    /// <param name="service">Whose.</param>
    /// <param name="device">Open, and not yet in the device set: nothing may be appended to it
    /// before its log was read.</param>
    /// <param name="putInPlace">Puts it into the device set.</param>
    public static async ValueTask<Result<RecoveryReport>> TakeInAsync(
        StorageService service, StorageDevice device, Action putInPlace)
    {
        var recovery = new ObjectRecovery(service);
        service.Checkpoints.RestoreLiveBytes(device);
        await recovery.ReplayAsync(device);
        if (recovery._damaged)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"the log of device {device.Index} cannot be read: "
                    + string.Join("; ", recovery._remarks),
                "replace the device by an empty one");
        }

        putInPlace();
        await recovery.DecideAsync();
        return new RecoveryReport(recovery._remarks, recovery._entries);
    }
}
