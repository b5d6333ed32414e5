using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The rules by which a name's versions follow each other: who comes after whom, which one is
/// visible, and what becomes of the others. Loop thread only.
/// </summary>
internal sealed class ObjectVersions(StorageService service)
{
    private readonly NameClaims _claims = new();
    private readonly PassedOver _passedOver = new(service.Catalog);

    private ObjectCatalog Catalog => service.Catalog;

    public PassedOver PassedOver => _passedOver;

    public static Fault NameTaken(ObjectName name) => new(
        FaultCode.Exists,
        $"object \"{name}\" exists already",
        "choose another name, remove it first, or put without noClobber to replace it");

    public static Fault NameUnknown(ObjectName name) => new(
        FaultCode.NotFound, $"there is no object \"{name}\"", "pangea ls shows what there is");

    /// <summary>
    /// The visible version of a name; null also where its time is over and only its removal is
    /// still due.
    /// </summary>
    public ObjectEntry? Find(ObjectName name)
    {
        ObjectEntry? entry = Catalog.Find(name);
        return entry is not null && IsExpired(entry, StorageService.NowMs) ? null : entry;
    }

    public static bool IsExpired(ObjectEntry entry, long nowMs) =>
        entry.ExpiresMs != 0 && entry.ExpiresMs <= nowMs;

    /// <summary>True where the name has an object or one is being committed.</summary>
    public bool IsTaken(ObjectName name) =>
        _claims.IsHeld(name.Text) || Find(name) is not null;

    /// <summary>Takes the next place in the order of the name's versions.</summary>
    public NameClaim Claim(ObjectName name)
    {
        long newest = Math.Max(
            Catalog.Find(name)?.CreatedMs ?? 0, Catalog.RemovedMs(name.Text));
        newest = Math.Max(newest, _passedOver.NewestMs(name));
        newest = Math.Max(newest, service.Tombstones.FloorMs);
        return _claims.Take(name, newest);
    }

    /// <summary>
    /// Makes a durable object visible and gives back what it replaces. Where a later version or
    /// removal came first, the new object is the one that is given back.
    /// </summary>
    /// <returns>True where it replaced an earlier version.</returns>
    public bool Publish(ObjectEntry entry)
    {
        ObjectEntry? known = Catalog.Find(entry.Name);
        bool superseded = (known is not null && known.CreatedMs > entry.CreatedMs)
            || Catalog.RemovedMs(entry.Name.Text) >= entry.CreatedMs;
        if (superseded)
        {
            service.Garbage.Add(entry);
            return known is not null;
        }

        ObjectEntry? previous = Catalog.Set(entry);
        if (previous is not null)
        {
            service.Garbage.Add(previous);
        }

        DropPassedOver(entry.Name, entry.CreatedMs);
        return previous is not null && !IsExpired(previous, entry.CreatedMs);
    }

    /// <summary>
    /// The name is removed up to that time: it leaves the catalog and its shards are garbage.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="removedMs">Versions created at this time or before go.</param>
    /// <param name="deviceMask">Bit i: the device with ordinal i has the tombstone.</param>
    public void Forget(ObjectName name, long removedMs, ulong deviceMask)
    {
        Catalog.NoteRemoved(name.Text, removedMs, deviceMask);
        if (Catalog.Find(name) is { } entry && entry.CreatedMs <= removedMs)
        {
            Catalog.Remove(name);
            service.Garbage.Add(entry);
        }

        DropPassedOver(name, removedMs);
    }

    private void DropPassedOver(ObjectName name, long upToMs)
    {
        if (_passedOver.Count == 0)
        {
            return; // As nearly always; the list below would be an object for each put.
        }

        foreach (ObjectEntry entry in _passedOver.Take(name, upToMs))
        {
            service.Garbage.Add(entry);
        }
    }
}
