using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What a storage worker consists of, and the rules by which a name's versions follow each other.
/// One thread, the loop's. Here, and only here, the engines meet.
/// </summary>
internal sealed class StorageService : IDisposable
{
    /// <summary>Calls of <c>object.stat</c> that read a manifest at once.</summary>
    private const int StatReadersMax = 2;

    private readonly NameClaims _claims = new();
    private readonly Dictionary<string, long> _removed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<ObjectEntry>> _passedOver =
        new(StringComparer.Ordinal);

    public StorageService(
        IReactor reactor, BufferPool pool, DeviceSet devices, KeyRing keys, ComputeThreads threads,
        IReadOnlyDictionary<string, ObjectClass> classes, int slabBytes)
    {
        Reactor = reactor;
        Pool = pool;
        Devices = devices;
        Keys = keys;
        Threads = threads;
        Classes = classes;
        SlabBytes = slabBytes;
        Transfers = new LoopSemaphore(reactor, Limits.TransfersMax);
        StatReaders = new LoopSemaphore(reactor, StatReadersMax);
    }

    public IReactor Reactor { get; }

    public BufferPool Pool { get; }

    public DeviceSet Devices { get; }

    public KeyRing Keys { get; }

    public ComputeThreads Threads { get; }

    /// <summary>
    /// Object classes by name; <see cref="ObjectClass.DefaultName"/> is always there.
    /// </summary>
    public IReadOnlyDictionary<string, ObjectClass> Classes { get; }

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
    public static int SlabsNeeded =>
        (Limits.TransfersMax * StripeSlots.PerTransfer) + StatReadersMax;

    /// <summary>Room for a stripe of the geometry that needs most.</summary>
    public static int SlabBytesFor(IEnumerable<StripeGeometry> geometries) => (int)geometries.Max(
        geometry => ShardFile.RoundUpToBlock(StripeSlot.SlabBytesFor(geometry)));

    /// <summary>True where the name has an object or one is being committed.</summary>
    public bool IsTaken(ObjectName name) =>
        Catalog.Find(name) is not null || _claims.IsHeld(name.Text);

    public Result<ObjectClass> ClassOf(string? name)
    {
        name ??= ObjectClass.DefaultName;
        string known = string.Join(", ", Classes.Keys.Order(StringComparer.Ordinal));
        return Classes.TryGetValue(name, out ObjectClass? found)
            ? found
            : Fault.InvalidParameter(
                "class",
                $"there is no object class \"{name}\"",
                $"the configuration has {known}");
    }

    public Fault NameTaken(ObjectName name) => new(
        FaultCode.Exists,
        $"object \"{name}\" exists already",
        "choose another name, remove it first, or put without noClobber to replace it");

    public Fault NameUnknown(ObjectName name) => new(
        FaultCode.NotFound, $"there is no object \"{name}\"", "pangea ls shows what there is");

    /// <summary>Takes the next place in the order of the name's versions.</summary>
    public NameClaim Claim(ObjectName name)
    {
        long newest = Math.Max(Catalog.Find(name)?.CreatedMs ?? 0, RemovedMs(name.Text));
        foreach (ObjectEntry entry in _passedOver.GetValueOrDefault(name.Text) ?? [])
        {
            newest = Math.Max(newest, entry.CreatedMs);
        }

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

        RemovePassedOver(entry.Name);
        return previous is not null;
    }

    /// <summary>
    /// Notes a version that is on the devices beside the one in the catalog: an older one, or a
    /// newer one of which too little is here. It goes with the next put or removal of its name.
    /// </summary>
    public void PassOver(ObjectEntry entry)
    {
        if (!_passedOver.TryGetValue(entry.Name.Text, out List<ObjectEntry>? entries))
        {
            _passedOver.Add(entry.Name.Text, entries = []);
        }

        entries.Add(entry);
    }

    /// <summary>
    /// The name is removed up to that time: it leaves the catalog and its files go.
    /// </summary>
    public void Forget(ObjectName name, long removedMs)
    {
        NoteRemoved(new Tombstone(name.Text, removedMs));
        if (Catalog.Find(name) is { } entry && entry.CreatedMs <= removedMs)
        {
            Catalog.Remove(name);
            Devices.RemoveObject(entry.Id);
        }

        RemovePassedOver(name);
    }

    /// <summary>
    /// The tombstone has gone from every device: no version that it names is left anywhere.
    /// </summary>
    public void ForgetTombstone(string name, long removedMs)
    {
        // While a put of the name is under way its place in the order still depends on the removal.
        if (RemovedMs(name) == removedMs && !_claims.IsHeld(name))
        {
            _removed.Remove(name);
        }
    }

    /// <summary>Notes a tombstone that was found on a device.</summary>
    public void NoteRemoved(Tombstone tombstone) => _removed[tombstone.Name] = Math.Max(
        _removed.GetValueOrDefault(tombstone.Name), tombstone.RemovedMs);

    /// <summary>
    /// Milliseconds since 1970 up to which versions of the name are removed; 0 for none.
    /// </summary>
    public long RemovedMs(string name) => _removed.GetValueOrDefault(name);

    public void Dispose()
    {
        Devices.Dispose();
        Threads.Dispose();
        Keys.Dispose();
    }

    private void RemovePassedOver(ObjectName name)
    {
        if (_passedOver.Remove(name.Text, out List<ObjectEntry>? entries))
        {
            foreach (ObjectEntry entry in entries)
            {
                Devices.RemoveObject(entry.Id);
            }
        }
    }
}
