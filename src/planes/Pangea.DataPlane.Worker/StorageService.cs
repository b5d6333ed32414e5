using System.Diagnostics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>What a storage worker is built from; owned by the service from then on.</summary>
internal sealed record StorageParts
{
    public required IReactor Reactor { get; init; }

    public required BufferPool Pool { get; init; }

    public required DeviceSet Devices { get; init; }

    public required ObjectCatalog Catalog { get; init; }

    public required KeyRing Keys { get; init; }

    public required ComputeThreads Threads { get; init; }

    /// <summary>
    /// Object classes by name; <see cref="ObjectClass.DefaultName"/> is always there.
    /// </summary>
    public required IReadOnlyDictionary<string, ObjectClass> Classes { get; init; }

    public required SlabPlan Slabs { get; init; }

    public WorkerSettings Settings { get; init; } = new();
}

/// <summary>
/// What a storage worker consists of. One thread, the loop's. Here, and only here, the engines
/// meet.
/// </summary>
internal sealed class StorageService : IDisposable
{
    private const int RefreshMs = 10;

    private readonly StorageParts _parts;
    private readonly IdleCollection _idle;
    private long _refreshedAt;
    private long _servedAt;

    public StorageService(StorageParts parts)
    {
        _parts = parts;
        Ordinals = new DeviceOrdinals(parts.Catalog, parts.Devices);
        Garbage = new GarbageQueue(this);
        Versions = new ObjectVersions(this);
        Transfers = new LoopSemaphore(parts.Reactor, Limits.TransfersMax);
        EntryReaders = new LoopSemaphore(parts.Reactor, SlabPlan.EntryReadersMax);
        Small = new SmallSlots(this);
        Checkpoints = new Checkpoints(this);
        Expiry = new Expiry(this);
        Tombstones = new Tombstones(this);
        Refusals = new Refusals(this);
        Kept = new KeptObjects(parts.Catalog);
        Compaction = new Compaction(this);
        _idle = new IdleCollection(parts.Reactor, () => parts.Pool.Trim(all: false));
    }

    public IReactor Reactor => _parts.Reactor;

    public BufferPool Pool => _parts.Pool;

    public DeviceSet Devices => _parts.Devices;

    public ObjectCatalog Catalog => _parts.Catalog;

    public KeyRing Keys => _parts.Keys;

    public ComputeThreads Threads => _parts.Threads;

    /// <inheritdoc cref="StorageParts.Classes"/>
    public IReadOnlyDictionary<string, ObjectClass> Classes => _parts.Classes;

    public SlabPlan Slabs => _parts.Slabs;

    public WorkerSettings Settings => _parts.Settings;

    public DeviceOrdinals Ordinals { get; }

    /// <summary>The order of each name's versions, and what is visible.</summary>
    public ObjectVersions Versions { get; }

    public GarbageQueue Garbage { get; }

    /// <summary>
    /// Objects that are being written: the catalog does not know them yet, and they are no garbage.
    /// </summary>
    public HashSet<ObjectId> InFlight { get; } = [];

    /// <summary>The writers of puts among them.</summary>
    public HashSet<ObjectWriter> Writers { get; } = [];

    /// <summary>Who changes what is visible passes through here.</summary>
    public CommitGate Commits { get; } = new();

    public Checkpoints Checkpoints { get; }

    public Expiry Expiry { get; }

    public Compaction Compaction { get; }

    public Tombstones Tombstones { get; }

    public Refusals Refusals { get; }

    /// <summary>What is on the devices and cannot be read for want of a key.</summary>
    public KeptObjects Kept { get; }

    /// <summary>Where bad shards are reported to.</summary>
    public IHealQueue Heal { get; set; } = new MemoryHealQueue();

    /// <summary>Permits to hold stripe slots; whoever waits here waits for memory.</summary>
    public LoopSemaphore Transfers { get; }

    /// <summary>How many stripe slots each of them gets.</summary>
    public StripeShares Stripes { get; } = new();

    /// <summary>True while transfers are under way or wait: background work gives way.</summary>
    public bool IsServing => Transfers.FreeCount < Limits.TransfersMax || Small.IsBusy;

    /// <summary>Milliseconds since the last transfer ended, or very many.</summary>
    public double ServedMsAgo => _servedAt == 0
        ? double.MaxValue
        : Stopwatch.GetElapsedTime(_servedAt).TotalMilliseconds;

    /// <summary>A put or get of anybody has ended.</summary>
    public void NoteServed() => _servedAt = Stopwatch.GetTimestamp();

    /// <summary>Permits to read a commit entry outside a transfer.</summary>
    public LoopSemaphore EntryReaders { get; }

    /// <summary>Puts that are not under way, to be used again.</summary>
    public Stack<PutJob> Puts { get; } = new();

    /// <summary>Gets that are not under way, to be used again.</summary>
    public Stack<GetJob> Gets { get; } = new();

    /// <summary>The memory of small objects on their way.</summary>
    public SmallSlots Small { get; }

    /// <summary>Milliseconds since 1970.</summary>
    public static long NowMs => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <summary>Devices that must have an object before it is acknowledged.</summary>
    public int DevicesNeeded(Redundancy redundancy) =>
        Settings.IsDurableOnAll ? redundancy.TotalShards : redundancy.CommitQuorum;

    public Result<ObjectClass> ClassOf(string? name)
    {
        name ??= ObjectClass.DefaultName;
        if (Classes.TryGetValue(name, out ObjectClass? found))
        {
            return found;
        }

        string known = string.Join(", ", Classes.Keys.Order(StringComparer.Ordinal));
        return Fault.InvalidParameter(
            "class",
            $"there is no object class \"{name}\"",
            $"the configuration has {known}");
    }

    /// <summary>
    /// Looks whether the devices are still there, at most every few milliseconds: a directory that
    /// was removed takes writes for as long as its files are open.
    /// </summary>
    public void RefreshDevices()
    {
        long now = Environment.TickCount64;
        if (now - _refreshedAt < RefreshMs)
        {
            return;
        }

        _refreshedAt = now;
        IReadOnlyList<StorageDevice> devices = Devices.All;
        for (int i = 0; i < devices.Count; i++)
        {
            devices[i].Refresh();
        }
    }

    /// <summary>Begins the work that nobody asked for: checkpoints, expiry, compaction.</summary>
    public void StartBackground()
    {
        Checkpoints.Run();
        Expiry.Run();
        Compaction.Run();
        Pool.Trim(all: true);
        _idle.Run();
    }

    public void StopBackground()
    {
        _idle.Stop();
        Expiry.Stop();
        Compaction.Stop();
        Checkpoints.Stop();
    }

    /// <summary>Rents a slab for reading a commit entry; with a permit this cannot fail.</summary>
    public BufferLease RentEntrySlab()
    {
        bool rented = Pool.TryRent(SlabPlan.EntrySlabBytes, out BufferLease lease);
        Invariant.Check(rented, "the pool has one slab for each reader of an entry");
        return lease;
    }

    public void Dispose()
    {
        Devices.Dispose();
        Threads.Dispose();
        Keys.Dispose();
        Catalog.Dispose();
    }
}
