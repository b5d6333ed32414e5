using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Removes a name. A tombstone is made durable on every device that is here, so that one that is
/// away now cannot bring the object back; then the object leaves the catalog and its shards are
/// garbage.
/// </summary>
internal static class ObjectRemoval
{
    public static ValueTask<Result<ObjectEntry>> RunAsync(
        StorageService service, ObjectName name) =>
        service.Versions.Find(name) is { } entry
            ? BuryAllAsync(service, entry)
            : ValueTask.FromResult<Result<ObjectEntry>>(ObjectVersions.NameUnknown(name));

    /// <summary>
    /// Removes this version and all before it, and none that is being put meanwhile.
    /// </summary>
    public static ValueTask<Result<ObjectEntry>> BuryVersionAsync(
        StorageService service, ObjectEntry entry) =>
        BuryAsync(service, entry, entry.CreatedMs);

    private static async ValueTask<Result<ObjectEntry>> BuryAllAsync(
        StorageService service, ObjectEntry entry)
    {
        using NameClaim claim = service.Versions.Claim(entry.Name);
        return await BuryAsync(service, entry, claim.CreatedMs);
    }

    /// <summary>
    /// Removes the name's versions up to a time. Where that is refused, some devices may say that
    /// they are removed; it is completed once they can be asked again.
    /// </summary>
    public static async ValueTask<Result<ObjectEntry>> BuryAsync(
        StorageService service, ObjectEntry entry, long removedMs)
    {
        long epoch = service.Commits.Enter();
        (Result enough, ulong mask) = await AppendAsync(service, entry, removedMs);
        if (enough.IsOk)
        {
            service.Versions.Forget(entry.Name, removedMs, mask);
        }
        else
        {
            // Some devices will say that it is removed; later versions must be later than that.
            service.Catalog.NoteRemoved(entry.Name.Text, removedMs, mask);
            service.Refusals.Note(entry.Name, removedMs);
        }

        service.Commits.Leave(epoch);
        return enough.IsOk ? entry : enough.Fault;
    }

    /// <summary>
    /// Enough devices are needed that any k devices which still hold the object include one that
    /// knows of its removal.
    /// </summary>
    private static async ValueTask<(Result Enough, ulong Mask)> AppendAsync(
        StorageService service, ObjectEntry entry, long removedMs)
    {
        IReadOnlyList<StorageDevice> devices = service.Devices.All;
        var appends = new ValueTask<Result<LogAddress>>?[devices.Count];
        for (int i = 0; i < appends.Length; i++)
        {
            appends[i] = devices[i].Log?.AppendTombstoneAsync(entry.Name.Text, removedMs);
        }

        int written = 0;
        ulong mask = 0;
        Fault? fault = null;
        for (int i = 0; i < appends.Length; i++)
        {
            if (appends[i] is not { } append)
            {
                continue;
            }

            Result<LogAddress> landed = await append;
            fault ??= landed.Fault;
            if (landed.IsOk)
            {
                byte ordinal = service.Ordinals.Of(devices[i]);
                mask |= ordinal < 64 ? 1UL << ordinal : 0;
                written += Holds(entry, ordinal) ? 1 : 0;
            }
            else
            {
                devices[i].Report(landed.Fault);
            }
        }

        int holders = entry.Locations.Count(location => !location.IsNone);
        int needed = Math.Max(1, holders - entry.DataShards + 1);
        return (written >= needed ? Result.Ok : TooFew(entry, written, needed, fault), mask);
    }

    private static bool Holds(ObjectEntry entry, byte ordinal)
    {
        foreach (Catalog.ShardLocation location in entry.Locations)
        {
            if (!location.IsNone && location.Device == ordinal)
            {
                return true;
            }
        }

        return false;
    }

    private static Fault TooFew(ObjectEntry entry, int written, int needed, Fault? fault) => new(
        fault?.Code == FaultCode.NoSpace ? FaultCode.NoSpace : FaultCode.Unavailable,
        $"the removal of \"{entry.Name}\" could be noted on {written} devices only, "
            + $"{needed} are needed"
            + (fault is null ? string.Empty : $"; {fault.Message}"),
        fault?.Code == FaultCode.NoSpace
            ? "give the devices' file systems a little room"
            : "bring the missing devices back; pangea device list shows them");
}
