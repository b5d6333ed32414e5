using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Catalog;

// How changes become durable, and how a catalog begins anew.
public sealed partial class ObjectCatalog
{
    private const long MapBytesMax = 1L << 46; // half of what x86-64 lets a process address
    private CheckpointThread? _thread;
    private IReadOnlyList<LogMark> _marks = [];
    private bool _isAlive; // a checkpoint was completed by this process

    /// <summary>Up to where the logs are durably contained here; none: read all of them.</summary>
    public IReadOnlyList<LogMark> Marks => _marks;

    /// <summary>Checkpoints that were ever completed on this file.</summary>
    public long Checkpoints => _checkpoint;

    /// <summary>Changed keys that no completed checkpoint contains.</summary>
    public int PendingChanges => _active.Count + (_frozen?.Count ?? 0);

    /// <summary>True where enough has changed for a checkpoint.</summary>
    public bool WantsCheckpoint =>
        _frozen is null && (_active.Count >= _options.CheckpointChanges || _gets.IsDue);

    /// <summary>
    /// True where writers must wait for a checkpoint: it is slower than they, or fails.
    /// </summary>
    public bool IsFull => PendingChanges >= _options.ChangesMax;

    /// <summary>True while one is being written.</summary>
    public bool IsCheckpointing => _frozen is not null;

    /// <summary>Times that mapped pages of the file were given back.</summary>
    public long PagesGivenBack => _resident.GivenBack + _writerResident.GivenBack;

    /// <summary>Of the file, for reports.</summary>
    public long FileBytes => _environment?.UsedBytes ?? 0;

    /// <summary>
    /// Makes all changes so far durable in one transaction, together with the marks. What changes
    /// meanwhile belongs to the next one. Where it fails nothing is lost: the changes stay in
    /// memory and go with the next try.
    /// </summary>
    /// <param name="marks">Up to where every device's log is contained in what was set.</param>
    /// <param name="withStatistics">Also the noted downloads that are not due.</param>
    public async Task<Result> CheckpointAsync(
        IReadOnlyList<LogMark> marks, bool withStatistics = false)
    {
        if (NeedsRebuild is { } damage)
        {
            return damage;
        }

        if (_frozen is not null)
        {
            return new Fault(FaultCode.Busy, "a checkpoint of the catalog is under way");
        }

        bool writesGets = !_gets.IsEmpty && (withStatistics || _gets.IsDue);
        if (_active.Count == 0 && !writesGets && !_devicesChanged && marks.SequenceEqual(_marks))
        {
            return Result.Ok;
        }

        var state = new CatalogState(
            _checkpoint + 1, Count, Bytes, StoredBytes, [.. _devices], [.. marks]);
        bool devicesChanged = _devicesChanged;
        _devicesChanged = false;
        Overlay frozen = _active;
        _frozen = frozen;
        _active = _spare;
        Invariant.Check(_active.Count == 0);
        Fault? fault = await WriteAsync(
            frozen, writesGets ? _gets.Freeze(withStatistics) : [], state);
        Settle(frozen, state, written: fault is null, writesGets);
        _devicesChanged |= devicesChanged && fault is not null;
        return fault is null ? Result.Ok : fault;
    }

    /// <summary>
    /// Throws away what the catalog knows, on the disk as well, and begins with an empty one, whose
    /// <see cref="Marks"/> say that every log is to be read from its beginning.
    /// </summary>
    public Result Clear()
    {
        Invariant.Check(_frozen is null, "cleared during a checkpoint");
        _environment?.Dispose();
        _environment = null;
        _active.Clear();
        _gets.Clear();
        _recent.Clear();
        _recentRemoved.Clear();
        _devices.Clear();
        Result removed = _file.Remove();
        _damage = removed.Fault ?? Load();
        return _damage is null ? Result.Ok : _damage;
    }

    /// <summary>Opens the file and takes over its state.</summary>
    private Fault? Load(long mapBytes = 0)
    {
        Result<LmdbEnvironment> opened = LmdbEnvironment.Open(
            _path, Math.Max(mapBytes, _options.MapBytes));
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        LmdbEnvironment environment = opened.Value;
        bool isNew = !environment.TryGet(
            CatalogTable.Meta, CatalogState.Key, out ReadOnlySpan<byte> stored);
        Result<CatalogState> state = isNew
            ? environment.Damage is { } damage ? damage : CatalogState.Empty
            : CatalogState.Decode(stored);
        if (state.IsOk && state.Value.Count != environment.Count(CatalogTable.Objects))
        {
            state = new Fault(
                FaultCode.Corrupt,
                $"the catalog is damaged: it has {environment.Count(CatalogTable.Objects)} "
                + $"objects and says {state.Value.Count}",
                "pangea catalog rebuild");
        }

        if (!state.IsOk)
        {
            environment.Dispose();
            return state.Fault;
        }

        _environment = environment;
        _checkpoint = state.Value.Checkpoint;
        _marks = state.Value.Marks;
        Count = state.Value.Count;
        Bytes = state.Value.Bytes;
        StoredBytes = state.Value.StoredBytes;
        _devices.Clear();
        _devices.AddRange(state.Value.Devices);
        _devicesChanged = false;
        return null;
    }

    private async Task<Fault?> WriteAsync(
        Overlay frozen,
        IReadOnlyCollection<KeyValuePair<ObjectId, (ObjectName Name, ObjectStatistics Counts)>>
            gets,
        CatalogState state)
    {
        _thread ??= new CheckpointThread();
        bool reopened = false;
        while (true)
        {
            LmdbEnvironment environment = _environment!;
            var checkpoint = new Checkpoint(
                environment, frozen, gets, state, _writerResident);
            int code = await _thread.RunAsync(checkpoint.Run);
            if (code == 0)
            {
                return null;
            }

            if (_environment != environment)
            {
                return _damage ?? new Fault(FaultCode.BadState, "the catalog was closed");
            }

            if (code == Lmdb.MapFull && environment.MapBytes < MapBytesMax)
            {
                if (environment.Grow(environment.MapBytes * 2) is { IsOk: false, Fault: { } full })
                {
                    return full;
                }

                continue;
            }

            // A failed write of the file's first pages makes the library refuse every further
            // transaction until the file is opened again.
            if (code == Lmdb.Panic && !reopened)
            {
                reopened = true;
                if (Reopen() is { } lost)
                {
                    return lost;
                }

                continue;
            }

            // A write that was cut short is an I/O error to the library; the reason is room.
            bool isFull = code == Errno.EIO.Value && _file.IsFull;
            return LmdbEnvironment.ToFault(
                isFull ? Errno.ENOSPC.Value : code, "write a checkpoint of the catalog");
        }
    }

    /// <summary>Closes and opens the file; the overlays, and so the sums, stay.</summary>
    private Fault? Reopen()
    {
        long mapBytes = _environment!.MapBytes;
        _environment.Dispose();
        _environment = null;
        Result<LmdbEnvironment> opened = LmdbEnvironment.Open(_path, mapBytes);
        if (opened.IsOk)
        {
            _environment = opened.Value;
            return null;
        }

        return _damage = opened.Fault;
    }

    private void Settle(
        Overlay frozen, CatalogState state, bool written, bool writtenGets)
    {
        if (written)
        {
            _checkpoint = state.Checkpoint;
            _marks = state.Marks;
            _environment?.RenewRead();
            if (!_isAlive && _environment is not null)
            {
                _isAlive = true;
                _file.NoteAlive();
            }

            if (writtenGets)
            {
                _recent.Clear(); // Their counts are from before it.
            }
        }
        else
        {
            _active.AddOlder(frozen);
        }

        _gets.Settle(written);
        frozen.Clear();
        _spare = frozen;
        _frozen = null;
    }
}
