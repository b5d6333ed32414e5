using System.Numerics;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Reads every shard of every object and reports what is damaged or missing; object by object in
/// the order of their names, at a bounded rate, and after a restart from where it was. Loop thread
/// only.
/// </summary>
internal sealed class Scrubber
{
    private const string Table = "scrub";
    /// <summary>Objects that are checked at once.</summary>
    public const int ObjectsMax = 1;

    private const int PageObjects = 64;
    private const long SaveEveryMs = 1000;

    private readonly Healing _healing;
    private readonly ScrubSettings _settings;
    private readonly BytePace _pace;
    private ScrubState _state = new();
    private bool _isLooping;
    private long _savedMs;

    public Scrubber(Healing healing, ScrubSettings settings)
    {
        _healing = healing;
        _settings = settings;
        _pace = new BytePace(healing.Service.Reactor, settings.BytesPerSecond);
    }

    public ScrubState State => _state;

    /// <summary>True until a pass that was ended has noted where it is.</summary>
    public bool IsLooping => _isLooping;

    /// <summary>Bound of the reading; 0 for none.</summary>
    public long BytesPerSecond => _pace.BytesPerSecond;

    /// <summary>When the next pass begins, ms since 1970; 0: when asked.</summary>
    public long NextMs => _state.IsRunning || _state.IsStopped || _settings.EverySeconds == 0
        ? 0
        : _state.FinishedMs + (_settings.EverySeconds * 1000L);

    /// <summary>Reads the note; a pass that was under way goes on.</summary>
    public void Load()
    {
        if (_healing.Service.Catalog.GetNote(Table, []) is { } note)
        {
            _state = ScrubState.Decode(note.Span);
        }

        if (_state.FinishedMs == 0 && _state.StartedMs == 0)
        {
            // A new appliance: the first pass is due an interval after its first start.
            Save(_state with { FinishedMs = StorageService.NowMs });
        }

        Loop();
    }

    /// <summary>Begins a pass, or goes on with the one that was stopped.</summary>
    /// <param name="bytesPerSecond">For this pass; null: as configured.</param>
    /// <param name="restart">From the first object.</param>
    public void Start(long? bytesPerSecond, bool restart)
    {
        _pace.BytesPerSecond = bytesPerSecond ?? _settings.BytesPerSecond;
        bool goesOn = !restart && (_state.IsRunning || _state.IsStopped) && _state.StartedMs != 0;
        Save(goesOn
            ? _state with { IsRunning = true, IsStopped = false }
            : Beginning());
        Loop();
    }

    /// <summary>Keeps the place.</summary>
    public void Stop() => Save(_state with { IsRunning = false, IsStopped = true });

    public void Tick()
    {
        if (NextMs != 0 && StorageService.NowMs >= NextMs)
        {
            _pace.BytesPerSecond = _settings.BytesPerSecond;
            Save(Beginning());
            Loop();
        }
    }

    /// <summary>A stripe of the object that comes next was checked.</summary>
    internal void NoteStripe(ObjectId id, uint stripes)
    {
        _state = _state with { Id = id, Stripes = stripes };
        SaveSometimes();
    }

    internal async ValueTask CountAsync(long bytes)
    {
        _state = _state with { Bytes = _state.Bytes + bytes };
        await _pace.PassAsync(bytes);
    }

    /// <summary>True while the pass that began at that time goes on.</summary>
    internal bool GoesOn(long startedMs) =>
        _state.IsRunning && _state.StartedMs == startedMs && !_healing.IsEnding;

    private ScrubState Beginning() => _state with
    {
        IsRunning = true,
        IsStopped = false,
        After = "",
        Stripes = 0,
        Id = default,
        Objects = 0,
        Bytes = 0,
        Errors = 0,
        StartedMs = Math.Max(StorageService.NowMs, _state.StartedMs + 1),
    };

    private async void Loop()
    {
        if (_isLooping)
        {
            return;
        }

        _isLooping = true;
        while (_state.IsRunning && !_healing.IsEnding)
        {
            await PageAsync();
        }

        _isLooping = false;
    }

    private async ValueTask PageAsync()
    {
        long pass = _state.StartedMs;
        if (!(await _healing.Service.Reactor.DelayAsync(TimeSpan.FromTicks(1000))).IsOk)
        {
            return;
        }

        List<ObjectEntry> page = _healing.Service.Catalog.List(
            "", _state.After.Length == 0 ? null : _state.After, PageObjects, out bool more);
        foreach (ObjectEntry entry in page)
        {
            // A version that was replaced since the page was read is not worth a report.
            if (_healing.Service.Catalog.Find(entry.Name) is { } current)
            {
                int errors = await CheckAsync(current);
                if (!GoesOn(pass))
                {
                    return;
                }

                _state = _state with
                {
                    Objects = _state.Objects + 1,
                    Errors = _state.Errors + errors,
                };
            }

            _state = _state with { After = entry.Name.Text, Id = default, Stripes = 0 };
            SaveSometimes();
        }

        if (!more && GoesOn(pass))
        {
            Save(_state with
            {
                IsRunning = false,
                Passes = _state.Passes + 1,
                FinishedMs = StorageService.NowMs,
            });
        }
    }

    /// <returns>Damaged and missing positions.</returns>
    private async ValueTask<int> CheckAsync(ObjectEntry entry)
    {
        StorageService service = _healing.Service;
        ulong known = _healing.Journal.Find(entry.Id)?.BadPositions ?? 0;
        HealPlan plan = HealPlan.Make(_healing, entry, 0);
        bool rented = service.Pool.TryRent(SlabPlan.EntrySlabBytes, out BufferLease scratch);
        Invariant.Check(rented, "the pool has one slab for the scrubber");
        service.Garbage.BeginRead(entry.Id);
        ulong bad = GarbageQueue.IsSmall(entry)
            ? await ObjectScrub.CheckPackedAsync(_healing, plan, scratch)
            : await ObjectScrub.CheckStripedAsync(
                _healing, plan, scratch, _state.Id == entry.Id ? _state.Stripes : 0);
        service.Garbage.EndRead(entry.Id);
        service.Pool.Return(scratch);
        if (bad != 0 && IsAsRead(plan))
        {
            _healing.Report(entry.Id, bad);
        }

        ulong missing = plan.All & ~plan.Here;
        return BitOperations.PopCount(bad | known | missing);
    }

    /// <summary>False where a shard was moved or healed while it was being read.</summary>
    private bool IsAsRead(HealPlan plan) =>
        _healing.Service.Catalog.Find(plan.Entry.Name) is { } current
        && current.Id == plan.Entry.Id
        && current.Locations.SequenceEqual(plan.Entry.Locations);

    private void SaveSometimes()
    {
        if (Environment.TickCount64 - _savedMs >= SaveEveryMs)
        {
            Save(_state);
        }
    }

    private void Save(ScrubState state)
    {
        _state = state;
        _savedMs = Environment.TickCount64;
        _healing.Service.Catalog.SetNote(Table, [], state.Encode());
    }
}
