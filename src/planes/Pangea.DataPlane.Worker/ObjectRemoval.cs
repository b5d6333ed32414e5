using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Removes a name. A tombstone is made durable first, so that a device that is away now cannot
/// bring the object back; then the files go; and where every device took part, the tombstone goes
/// too.
/// </summary>
internal static class ObjectRemoval
{
    public static async ValueTask<Result<ObjectEntry>> RunAsync(
        StorageService service, ObjectName name)
    {
        if (service.Catalog.Find(name) is not { } entry)
        {
            return service.NameUnknown(name);
        }

        var tombstone = new Tombstone(name.Text, 0);
        using (NameClaim claim = service.Claim(name))
        {
            tombstone = tombstone with { RemovedMs = claim.CreatedMs };
            Result buried = await BuryAsync(service, tombstone, entry);
            if (!buried.IsOk)
            {
                return buried.Fault;
            }

            service.Forget(name, tombstone.RemovedMs);
        }

        await ForgetTombstoneAsync(service, tombstone);
        return entry;
    }

    /// <summary>
    /// Writes the tombstone to every device; enough are needed that any k devices which still hold
    /// the object include one that knows of its removal.
    /// </summary>
    private static async ValueTask<Result> BuryAsync(
        StorageService service, Tombstone tombstone, ObjectEntry entry)
    {
        IReadOnlyList<StorageDevice> devices = service.Devices.All;
        var writes = new ValueTask<Result>[devices.Count];
        for (int i = 0; i < writes.Length; i++)
        {
            writes[i] = devices[i].WriteTombstoneAsync(tombstone, service.Reactor);
        }

        int holders = 0;
        int written = 0;
        Fault? fault = null;
        for (int i = 0; i < writes.Length; i++)
        {
            Result result = await writes[i];
            bool holds = (entry.DeviceMask & (1UL << i)) != 0;
            holders += holds ? 1 : 0;
            written += holds && result.IsOk ? 1 : 0;
            fault ??= devices[i].IsOpen ? result.Fault : null;
        }

        int needed = Math.Max(1, holders - entry.DataShards + 1);
        if (written >= needed)
        {
            return Result.Ok;
        }

        foreach (StorageDevice device in devices)
        {
            device.RemoveTombstone(tombstone.FileName);
        }

        return new Fault(
            fault?.Code == FaultCode.NoSpace ? FaultCode.NoSpace : FaultCode.Unavailable,
            $"the removal of \"{tombstone.Name}\" could be noted on {written} devices only, "
                + $"{needed} are needed"
                + (fault is null ? string.Empty : $"; {fault.Message}"),
            fault?.Code == FaultCode.NoSpace
                ? "give the devices' file systems a little room"
                : "bring the missing devices back and restart; pangea status shows them");
    }

    private static async ValueTask ForgetTombstoneAsync(StorageService service, Tombstone tombstone)
    {
        if (await service.Devices.SyncAllAsync(service.Reactor))
        {
            foreach (StorageDevice device in service.Devices.All)
            {
                device.RemoveTombstone(tombstone.FileName);
            }

            service.ForgetTombstone(tombstone.Name, tombstone.RemovedMs);
        }
    }
}
