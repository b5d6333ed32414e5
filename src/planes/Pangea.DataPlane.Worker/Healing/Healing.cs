using System.Collections.Immutable;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Keeps every object at k + m good shards: what scrubs, gets, checks and device changes find goes
/// through one queue, the closest to loss first. One bad object never stops the rest. Loop thread
/// only.
/// </summary>
internal sealed class Healing : IHealQueue
{
    private const long EndingMsMax = 2000;

    private static readonly TimeSpan s_tick = TimeSpan.FromSeconds(1);

    private readonly BytePace _pace;
    private bool _isStarted;

    public Healing(StorageService service, HealSettings settings, ScrubSettings scrub)
    {
        Service = service;
        Settings = settings;
        Journal = new HealJournal(service.Catalog);
        Lanes = new HealLanes(service);
        Losses = new DeviceLosses(service) { GraceMs = settings.CheckSeconds * 1000L };
        Places = new DevicePlaces(service);
        Works = new DeviceWorks(this);
        Check = new RedundancyCheck(this);
        Healer = new Healer(this);
        Scrubber = new Scrubber(this, scrub);
        _pace = new BytePace(service.Reactor, settings.BytesPerSecond);
    }

    public StorageService Service { get; }

    public HealSettings Settings { get; }

    public HealQueue Queue { get; init; } = new();

    public HealCounts Counts { get; } = new();

    public HealJournal Journal { get; }

    public HealLanes Lanes { get; }

    public DeviceLosses Losses { get; }

    public DevicePlaces Places { get; }

    public DeviceWorks Works { get; }

    public RedundancyCheck Check { get; }

    public Healer Healer { get; }

    public Scrubber Scrubber { get; }

    /// <summary>Written bytes of one object between two notes of its progress.</summary>
    public long NoteEveryBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>True from the moment the loop ends: nothing new is begun.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>
    /// Counts changes of the devices: a try that one came in between of says nothing.
    /// </summary>
    public int DeviceChangeCount { get; private set; }

    /// <summary>After recovery: reads what was noted and begins the background work.</summary>
    public void Start()
    {
        _isStarted = true;
        Journal.Load();
        Works.Load();
        Places.NoteAll();
        Scrubber.Load();
        foreach (HealNote note in Journal.All)
        {
            if (!note.Progress.IsEmpty)
            {
                // No commit entry names these frames yet; compaction must not take them.
                Service.InFlight.Add(note.Id);
            }
        }

        Run();
    }

    /// <summary>
    /// Begins nothing more and waits, for a moment, until what is under way has noted where it is.
    /// </summary>
    public async ValueTask StopAsync()
    {
        IsEnding = true;
        long until = Environment.TickCount64 + EndingMsMax;
        while ((Healer.IsRunning || Scrubber.IsLooping) && Environment.TickCount64 < until)
        {
            await Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(5));
        }
    }

    /// <inheritdoc/>
    public void Report(ObjectId id, ulong badPositions)
    {
        // Before the start logs are still being read; the first look finds what is missing.
        if (!_isStarted || IsEnding || Service.Catalog.Find(id) is not { } entry)
        {
            return;
        }

        HealNote note = Journal.Find(id) ?? NewNote(id);
        HealPlan plan = HealPlan.Make(this, entry, badPositions | note.BadPositions);
        if ((plan.Bad & ~note.BadPositions) != 0)
        {
            // A new finding: what failed before may go now.
            note = note with
            {
                BadPositions = note.BadPositions | plan.Bad,
                NextMs = 0,
                Failures = 0,
            };
            Journal.Set(note);
        }

        if (plan.Wanted != 0 && !IsWaiting(note))
        {
            Enqueue(plan, note.SinceMs);
            Healer.Wake();
        }
    }

    /// <summary>
    /// Looks at all objects now; waits for nothing, neither pauses nor devices that may come back.
    /// </summary>
    public void StartNow()
    {
        Losses.GiveUpAll();
        Retry();
        Check.Begin();
    }

    /// <summary>
    /// A device came, went or was exchanged: what could not be healed may be possible now.
    /// </summary>
    public void OnDevicesChanged()
    {
        DeviceChangeCount++;
        Losses.Refresh();
        Service.Tombstones.Ask();
        Retry();
        Check.Begin();
    }

    public void Enqueue(HealPlan plan, long sinceMs) =>
        Queue.Add(new HealItem(plan.Entry.Id, plan.Spare, sinceMs, plan.Bad));

    /// <summary>
    /// True where the object is left alone until a time, or until something changes.
    /// </summary>
    public static bool IsWaiting(HealNote note) =>
        note.Failures > 0 && (note.NextMs == 0 || note.NextMs > StorageService.NowMs);

    /// <summary>
    /// Waits until so many bytes more may be written; at once for critical objects.
    /// </summary>
    public ValueTask PassAsync(long bytes, bool isCritical) =>
        isCritical ? ValueTask.CompletedTask : _pace.PassAsync(bytes);

    /// <summary>Notes how far an object is.</summary>
    public void NoteProgress(HealPlan plan, ImmutableArray<HealProgress> progress)
    {
        HealNote note = Journal.Find(plan.Entry.Id) ?? NewNote(plan.Entry.Id);
        Journal.Set(note with
        {
            BadPositions = note.BadPositions | plan.Bad,
            Progress = progress,
        });
    }

    public static HealNote NewNote(ObjectId id) =>
        new() { Id = id, SinceMs = StorageService.NowMs };

    private void Retry()
    {
        foreach (HealNote note in Journal.All.ToArray())
        {
            if (note.Failures > 0)
            {
                Journal.Set(note with { Failures = 0, NextMs = 0 });
            }
        }
    }

    private async void Run()
    {
        Check.Begin();
        while ((await Service.Reactor.DelayAsync(s_tick)).IsOk)
        {
            Tick();
        }

        IsEnding = true;
    }

    private void Tick()
    {
        foreach (HealNote note in Journal.All.ToArray())
        {
            if (!IsWaiting(note) && !Queue.TryFind(note.Id, out _) && !Healer.IsAt(note.Id))
            {
                Report(note.Id, note.BadPositions);
                if (Service.Catalog.Find(note.Id) is null)
                {
                    Forget(note.Id);
                }
            }
        }

        Check.Tick();
        Scrubber.Tick();
        Works.Tick();
        Service.Tombstones.Tick();
        Healer.Wake();
    }

    /// <summary>Nothing is left to remember of the object.</summary>
    public void Forget(ObjectId id)
    {
        Journal.Remove(id);
        if (!Healer.IsAt(id))
        {
            Service.InFlight.Remove(id);
        }
    }
}
