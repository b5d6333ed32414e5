using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What a storage worker consists of, and the rules by which a name's versions follow each other. One
/// thread, the loop's. Here, and only here, the engines meet.
/// </summary>
internal sealed class StorageService : IDisposable
{
    /// <summary>Calls of <c>object.stat</c> that read a manifest at once.</summary>
    private const int StatReadersMax = 2;

    private readonly NameClaims _claims = new();
    private readonly Dictionary<string, long> _removed = new(StringComparer.Ordinal);

    public StorageService(
        IReactor reactor, BufferPool pool, DeviceSet devices, KeyRing keys, ComputeThreads threads,
        in StripeGeometry geometry, CompressionMode compression)
    {
        Reactor = reactor;
        Pool = pool;
        Devices = devices;
        Keys = keys;
        Threads = threads;
        Geometry = geometry;
        Compression = compression;
        SlabBytes = SlabBytesFor(geometry);
        Transfers = new LoopSemaphore(reactor, Limits.TransfersMax);
        StatReaders = new LoopSemaphore(reactor, StatReadersMax);
    }

    public IReactor Reactor { get; }

    public BufferPool Pool { get; }

    public DeviceSet Devices { get; }

    public KeyRing Keys { get; }

    public ComputeThreads Threads { get; }

    /// <summary>How new objects are cut; old ones keep what their manifests say.</summary>
    public StripeGeometry Geometry { get; }

    public CompressionMode Compression { get; }

    /// <summary>Bytes of each slab of the pool.</summary>
    public int SlabBytes { get; }

    public ObjectCatalog Catalog { get; } = new();

    /// <summary>Permits to hold stripe slots; whoever waits here waits for memory.</summary>
    public LoopSemaphore Transfers { get; }

    /// <summary>Permits to read a manifest outside a transfer.</summary>
    public LoopSemaphore StatReaders { get; }

    /// <summary>
    /// Slabs of the pool: every transfer's slots, plus one for each manifest that is read outside a
    /// transfer. A full pool therefore means that a permit was not taken.
    /// </summary>
    public static int SlabsNeeded => (Limits.TransfersMax * StripeSlots.PerTransfer) + StatReadersMax;

    public static int SlabBytesFor(in StripeGeometry geometry) =>
        (int)ShardFile.RoundUpToBlock(StripeSlot.SlabBytesFor(geometry));

    /// <summary>True where the name has an object or one is being committed.</summary>
    public bool IsTaken(ObjectName name) => Catalog.Find(name) is not null || _claims.IsHeld(name);

    public Fault NameTaken(ObjectName name) => new(
        FaultCode.Exists,
        $"object \"{name}\" exists already",
        "choose another name, remove it first, or put without noClobber to replace it");

    public Fault NameUnknown(ObjectName name) => new(
        FaultCode.NotFound, $"there is no object \"{name}\"", "pangea ls shows what there is");

    /// <summary>Takes the next place in the order of the name's versions.</summary>
    public NameClaim Claim(ObjectName name)
    {
        long newest = Math.Max(
            Catalog.Find(name)?.CreatedMs ?? 0, _removed.GetValueOrDefault(name.Text));
        return _claims.Take(name, newest);
    }

    /// <summary>
    /// Makes a durable object visible and gives back what it replaces. Where a later version or removal
    /// came first, the new object is the one that is given back.
    /// </summary>
    /// <returns>True where it replaced an earlier version.</returns>
    public bool Publish(ObjectEntry entry)
    {
        ObjectEntry? known = Catalog.Find(entry.Name);
        bool superseded = (known is not null && known.CreatedMs > entry.CreatedMs)
            || _removed.GetValueOrDefault(entry.Name.Text) >= entry.CreatedMs;
        if (superseded)
        {
            Devices.RemoveObject(entry.Id);
            return known is not null;
        }

        ObjectEntry? previous = Catalog.Set(entry);
        if (previous is not null)
        {
            Devices.RemoveObject(previous.Id);
        }

        return previous is not null;
    }

    /// <summary>
    /// Removes the name. A tombstone is made durable first, so that a device that is away now cannot bring
    /// the object back.
    /// </summary>
    public Result<ObjectEntry> Remove(ObjectName name)
    {
        ObjectEntry? entry = Catalog.Find(name);
        if (entry is null)
        {
            return NameUnknown(name);
        }

        using NameClaim claim = Claim(name);
        var tombstone = new Tombstone(name.Text, claim.CreatedMs);
        Result buried = Bury(tombstone, entry);
        if (!buried.IsOk)
        {
            return buried.Fault;
        }

        _removed[name.Text] = tombstone.RemovedMs;
        Catalog.Remove(name);
        Devices.RemoveObject(entry.Id);
        ForgetTombstone(tombstone);
        return entry;
    }

    /// <summary>Notes a tombstone that was found on a device.</summary>
    public void NoteRemoved(Tombstone tombstone) => _removed[tombstone.Name] = Math.Max(
        _removed.GetValueOrDefault(tombstone.Name), tombstone.RemovedMs);

    /// <summary>Milliseconds since 1970 up to which versions of the name are removed; 0 for none.</summary>
    public long RemovedMs(string name) => _removed.GetValueOrDefault(name);

    public void Dispose()
    {
        Devices.Dispose();
        Threads.Dispose();
        Keys.Dispose();
    }

    /// <summary>
    /// Writes the tombstone to every device; enough are needed that any k devices which still hold the
    /// object include one that knows of its removal.
    /// </summary>
    private Result Bury(Tombstone tombstone, ObjectEntry entry)
    {
        int holders = 0;
        int written = 0;
        Fault? fault = null;
        foreach (StorageDevice device in Devices.All)
        {
            bool holds = (entry.DeviceMask & (1UL << device.Index)) != 0;
            holders += holds ? 1 : 0;
            Result result = device.WriteTombstone(tombstone);
            if (result.IsOk)
            {
                written += holds ? 1 : 0;
            }
            else
            {
                fault ??= result.Fault;
                device.Report(result.Fault);
            }
        }

        int needed = Math.Max(1, holders - Geometry.Redundancy.DataShards + 1);
        if (written >= needed)
        {
            return Result.Ok;
        }

        foreach (StorageDevice device in Devices.All)
        {
            device.RemoveTombstone(tombstone.FileName);
        }

        return new Fault(
            fault?.Code == FaultCode.NoSpace ? FaultCode.NoSpace : FaultCode.Unavailable,
            $"the removal of \"{tombstone.Name}\" could be noted on {written} devices only, {needed} are needed"
                + (fault is null ? string.Empty : $"; {fault.Message}"),
            "bring the missing devices back; pangea status shows them");
    }

    /// <summary>A tombstone that no device can need any more goes at once.</summary>
    private void ForgetTombstone(Tombstone tombstone)
    {
        bool allHere = true;
        foreach (StorageDevice device in Devices.All)
        {
            allHere &= device.State == DeviceState.Ok;
        }

        if (!allHere)
        {
            return;
        }

        // The removals must be durable before what guards them goes.
        foreach (StorageDevice device in Devices.All)
        {
            if (!device.SyncObjects().IsOk)
            {
                return;
            }
        }

        foreach (StorageDevice device in Devices.All)
        {
            device.RemoveTombstone(tombstone.FileName);
        }
    }
}
