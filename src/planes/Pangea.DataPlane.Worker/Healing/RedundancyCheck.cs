using System.Numerics;
using Pangea.DataPlane.Core;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The light look at all objects: which of them have lost shards to missing devices, unfinished
/// puts or a device that is being emptied. Reads the catalog only, a page a turn of the loop. Loop
/// thread only.
/// </summary>
internal sealed class RedundancyCheck(Healing healing)
{
    private const int PageObjects = 256;

    private readonly List<HealPlan> _skipped = [];
    private readonly List<TaskCompletionSource> _waiting = [];
    private bool _isAskedAgain;
    private bool _isGentle;
    private bool _isRunning;
    private long _nextMs;

    public bool IsRunning => _isRunning;

    /// <summary>Objects seen by the last look.</summary>
    public long Objects { get; private set; }

    /// <summary>Of these, how many lacked good shards.</summary>
    public long Degraded { get; private set; }

    /// <summary>Of these, how many cannot be healed as things are.</summary>
    public long SkippedCount { get; private set; }

    /// <summary>The first of them.</summary>
    public IReadOnlyList<HealPlan> Skipped => _skipped;

    /// <summary>When the next look is due, ms since 1970; 0: only when asked.</summary>
    public long NextMs => healing.Settings.CheckSeconds == 0 ? 0 : _nextMs;

    /// <summary>Begins a look, or another one after the one under way.</summary>
    public void Begin()
    {
        _isAskedAgain = true;
        if (!_isRunning)
        {
            _isRunning = true;
            Run();
        }
    }

    /// <summary>
    /// Begins a look that waits for room in the queue instead of leaving out what does not fit: the
    /// urgent ones were taken before.
    /// </summary>
    public void BeginGently()
    {
        _isGentle = true;
        Begin();
    }

    /// <summary>Begins a look and completes when it has ended.</summary>
    public Task RunAsync()
    {
        var done = new TaskCompletionSource();
        _waiting.Add(done);
        Begin();
        return done.Task;
    }

    public void Tick()
    {
        if (NextMs != 0 && StorageService.NowMs >= NextMs)
        {
            Begin();
        }
    }

    private async void Run()
    {
        while (_isAskedAgain && !healing.IsEnding)
        {
            _isAskedAgain = false;
            TaskCompletionSource[] waiting = [.. _waiting];
            _waiting.Clear();
            bool isGentle = _isGentle;
            _isGentle = false;
            await LookAsync(isGentle);
            _nextMs = StorageService.NowMs + (healing.Settings.CheckSeconds * 1000L);
            Array.ForEach(waiting, done => done.SetResult());
        }

        _isRunning = false;
    }

    private async ValueTask LookAsync(bool isGentle)
    {
        (Objects, Degraded, SkippedCount) = (0, 0, 0);
        _skipped.Clear();
        healing.Service.RefreshDevices();
        healing.Works.BeginLook();
        string? after = null;
        bool more = true;
        while (more && !healing.IsEnding)
        {
            // The loop serves everyone else between two pages.
            if (!(await healing.Service.Reactor.DelayAsync(TimeSpan.FromTicks(1000))).IsOk)
            {
                return;
            }

            while (isGentle && !_isAskedAgain && !healing.IsEnding
                && healing.Queue.Count > Math.Max(0, healing.Queue.Bound - PageObjects))
            {
                await healing.Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(5));
            }

            List<ObjectEntry> page =
                healing.Service.Catalog.List("", after, PageObjects, out more);
            foreach (ObjectEntry entry in page)
            {
                Look(entry);
            }

            after = page.Count > 0 ? page[^1].Name.Text : after;
            healing.Healer.Wake();
        }

        healing.Works.EndLook();
    }

    private void Look(ObjectEntry entry)
    {
        Objects++;
        HealNote? note = healing.Journal.Count == 0 ? null : healing.Journal.Find(entry.Id);
        if (note is null && IsWhole(entry))
        {
            return;
        }

        HealPlan plan = HealPlan.Make(healing, entry, note?.BadPositions ?? 0);
        healing.Works.OnSeen(plan);
        Degraded += plan.Good == plan.All ? 0 : 1;
        if (plan.Wanted == 0)
        {
            return;
        }

        bool isHopeless = plan.Placed == 0
            || BitOperations.PopCount(plan.Here) < plan.DataShards;
        if (isHopeless)
        {
            SkippedCount++;
            if (_skipped.Count < Limits.HealSkippedListMax)
            {
                _skipped.Add(plan);
            }
        }
        else if (note is null || !Healing.IsWaiting(note))
        {
            healing.Enqueue(plan, note?.SinceMs ?? StorageService.NowMs);
        }
    }

    /// <summary>Most objects are: all positions on devices that are here and stay.</summary>
    private bool IsWhole(ObjectEntry entry)
    {
        foreach (Catalog.ShardLocation location in entry.Locations)
        {
            if (location.IsNone
                || healing.Service.Ordinals.Find(location.Device) is not { } device
                || !DeviceLosses.IsHere(device)
                || device.IsDraining)
            {
                return false;
            }
        }

        return true;
    }
}
