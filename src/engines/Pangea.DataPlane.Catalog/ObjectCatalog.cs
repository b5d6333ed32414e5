using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Which objects exist and where they are: one current version per name, in the order of the names'
/// UTF-8 bytes. Derived from the devices' logs, which are the truth (decision A11): a change is
/// visible at once, held in memory, and durable with the next checkpoint; what a crash takes is
/// read again from the logs, from <see cref="Marks"/> on. One thread, the loop's; only the
/// checkpoint's writing has a thread of its own. A lookup may wait for a page of the file.
/// </summary>
public sealed partial class ObjectCatalog : IDisposable
{
    private readonly string _path;
    private readonly CatalogOptions _options;
    private readonly DataFile _file;
    private readonly ResidentPages _resident;
    private readonly ResidentPages _writerResident; // the checkpoint's thread uses it
    private readonly GetCounts _gets;
    private readonly RecentLookups<ObjectEntry> _recent = new();
    private readonly RecentLookups<RemovedName> _recentRemoved = new();
    private readonly List<UInt128> _devices = [];
    private LmdbEnvironment? _environment;
    private Overlay _active = new();
    private Overlay? _frozen;
    private Overlay _spare = new();
    private Fault? _damage;
    private long _checkpoint;
    private bool _devicesChanged;

    private ObjectCatalog(string path, CatalogOptions options, DataFile file)
    {
        _path = path;
        _options = options;
        _file = file;
        _resident = new ResidentPages(options.ResidentBytesMax);
        _writerResident = new ResidentPages(options.ResidentBytesMax);
        _gets = new GetCounts(options);
    }

    public long Count { get; private set; }

    /// <summary>Sum of the contents' lengths.</summary>
    public long Bytes { get; private set; }

    /// <summary>Sum of what the objects occupy on all devices.</summary>
    public long StoredBytes { get; private set; }

    /// <summary>
    /// Why the file cannot be used, else null. Until <see cref="Clear"/> is called (and the logs
    /// are read from their beginning) nothing is found and nothing may be set.
    /// </summary>
    public Fault? NeedsRebuild => _damage ?? _environment?.Damage;

    /// <summary>
    /// Opens or makes the catalog in a directory of this process alone. A file that is damaged or
    /// of another version is not an error here: see <see cref="NeedsRebuild"/>.
    /// </summary>
    public static Result<ObjectCatalog> Open(string directory, CatalogOptions? options = null)
    {
        Result<string> version = LmdbEnvironment.Version();
        if (!version.IsOk)
        {
            return version.Fault;
        }

        Result<DataFile> file = DataFile.Open(directory);
        if (!file.IsOk)
        {
            return file.Fault;
        }

        var catalog = new ObjectCatalog(directory, options ?? new CatalogOptions(), file.Value);
        Fault? fault = file.Value.FindDamage() ?? file.Value.NoteStart() ?? catalog.Load();
        if (fault is { Code: not FaultCode.Corrupt })
        {
            catalog.Dispose();
            return fault;
        }

        catalog._damage = fault;
        return catalog;
    }

    /// <summary>
    /// The device's number in locations, marks and masks; a new device gets the lowest free one.
    /// </summary>
    /// <returns><see cref="OrdinalsMax"/> where all are taken.</returns>
    public byte OrdinalOf(UInt128 deviceId)
    {
        Invariant.Check(deviceId != 0);
        int known = _devices.IndexOf(deviceId);
        if (known >= 0)
        {
            return (byte)known;
        }

        int free = _devices.IndexOf(0);
        if (free < 0)
        {
            if (_devices.Count == OrdinalsMax)
            {
                return OrdinalsMax;
            }

            free = _devices.Count;
            _devices.Add(0);
        }

        _devices[free] = deviceId;
        _devicesChanged = true;
        return (byte)free;
    }

    /// <summary>Devices that may be known at once, those long gone included.</summary>
    public const byte OrdinalsMax = 255;

    /// <summary>The device with that ordinal; 0 where there is none.</summary>
    public UInt128 DeviceOf(byte ordinal) => ordinal < _devices.Count ? _devices[ordinal] : 0;

    /// <summary>
    /// Frees a device's ordinal. No location may name it any more: the caller moved them all.
    /// </summary>
    public void ForgetDevice(UInt128 deviceId)
    {
        int known = _devices.IndexOf(deviceId);
        if (deviceId != 0 && known >= 0)
        {
            _devices[known] = 0;
            _devicesChanged = true;
        }
    }

    public ObjectEntry? Find(ObjectName name)
    {
        if (_recent.TryGet(name.Text, out ObjectEntry? recent))
        {
            return recent;
        }

        Span<byte> buffer = stackalloc byte[NameKey.BufferBytes];
        return Find(name, buffer[..NameKey.Write(name.Text, buffer)]);
    }

    /// <summary>The object whose current version has this id.</summary>
    public ObjectEntry? Find(ObjectId id)
    {
        // An index entry may be out of date; the object's own entry decides. So each layer is only
        // asked for the name.
        ObjectEntry? entry = _active.Ids.TryGetValue(id, out ObjectName name)
            || _frozen?.Ids.TryGetValue(id, out name) == true
            ? Find(name)
            : null;
        if (entry?.Id == id)
        {
            return entry;
        }

        Span<byte> key = stackalloc byte[ObjectId.Bytes];
        id.Write(key);
        return TryGetStored(CatalogTable.Ids, key, out ReadOnlySpan<byte> stored)
            && EntryCodec.ReadName(stored) is { } known
            && Find(known) is { } found
            && found.Id == id
            ? found
            : null;
    }

    /// <summary>
    /// Makes the entry its name's current version; returns the one it replaces, if any.
    /// </summary>
    public ObjectEntry? Set(ObjectEntry entry)
    {
        CheckUsable();
        Invariant.Check(entry.Locations.Length <= Limits.ShardsMax);
        Span<byte> buffer = stackalloc byte[NameKey.BufferBytes];
        ReadOnlySpan<byte> key = buffer[..NameKey.Write(entry.Name.Text, buffer)];
        ObjectEntry? previous = _recent.TryGet(entry.Name.Text, out ObjectEntry? recent)
            ? recent
            : Find(entry.Name, key);
        _recent.Drop(entry.Name.Text);
        _active.Set(key, entry, previous);
        Add(entry, 1);
        Add(previous, -1);
        return previous;
    }

    public ObjectEntry? Remove(ObjectName name)
    {
        CheckUsable();
        Span<byte> buffer = stackalloc byte[NameKey.BufferBytes];
        ReadOnlySpan<byte> key = buffer[..NameKey.Write(name.Text, buffer)];
        if (Find(name, key) is not { } previous)
        {
            return null;
        }

        _recent.Drop(name.Text);
        _active.Remove(key, previous);
        Add(previous, -1);
        return previous;
    }

    /// <summary>Counts a download. Durable some time later, at the latest when closed.</summary>
    public void NoteGet(ObjectEntry entry, long bytes, long nowMs) =>
        _gets.Note(entry, bytes, nowMs);

    /// <summary>How the object was used, up to now.</summary>
    public ObjectStatistics StatisticsOf(ObjectEntry entry) =>
        entry.Statistics.Plus(_gets.Of(entry.Id));

    /// <summary>
    /// Closes without a checkpoint: what was not written is in the logs, as after a crash. Waits
    /// for a checkpoint that is under way.
    /// </summary>
    public void Dispose()
    {
        _thread?.Dispose();
        _thread = null;
        if (NeedsRebuild is null)
        {
            _file.NoteAlive();
        }

        _environment?.Dispose();
        _environment = null;
        _damage ??= new Fault(FaultCode.BadState, "the catalog is closed");
        _resident.Dispose();
        _writerResident.Dispose();
        _file.Dispose();
    }

    private ObjectEntry? Find(ObjectName name, ReadOnlySpan<byte> key)
    {
        if (_active.Objects.TryGet(key, out ObjectEntry? entry)
            || _frozen?.Objects.TryGet(key, out entry) == true)
        {
            return entry;
        }

        ObjectEntry? found = TryGetStored(
            CatalogTable.Objects, key, out ReadOnlySpan<byte> stored)
            ? ReadEntry(key, stored)
            : null;
        if (NeedsRebuild is null)
        {
            _recent.Note(name.Text, found);
        }

        return found;
    }

    /// <summary>A stored entry; null, and damage noted, where it is not sound.</summary>
    private ObjectEntry? ReadEntry(ReadOnlySpan<byte> key, ReadOnlySpan<byte> stored)
    {
        ObjectEntry? entry = EntryCodec.Read(key, stored);
        if (entry is null)
        {
            NoteDamage($"the entry of \"{Encoding.UTF8.GetString(key)}\" is not sound");
        }

        return entry;
    }

    private bool TryGetStored(
        CatalogTable table, ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (_environment is not { } environment)
        {
            return false;
        }

        _resident.Note(environment, lookups: 1);
        bool found = environment.TryGet(table, key, out value);
        if (environment.Damage is not null)
        {
            _file.MarkDamaged();
        }

        return found;
    }

    private void NoteDamage(string what)
    {
        _environment?.ReportDamage(what);
        _file.MarkDamaged();
    }

    private void Add(ObjectEntry? entry, int sign)
    {
        if (entry is not null)
        {
            Count += sign;
            Bytes += sign * entry.Bytes;
            StoredBytes += sign * entry.StoredBytes;
        }
    }

    private void CheckUsable() =>
        Invariant.Check(_environment is not null, "a catalog that needs a rebuild was changed");
}
