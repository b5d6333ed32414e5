using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Takes objects from the queue and heals them, several at once; decides what becomes of those that
/// cannot be healed. Loop thread only.
/// </summary>
internal sealed class Healer
{
    /// <summary>
    /// Objects at once: enough small ones for their flushes to be shared. Each has a slab for
    /// reading commit entries.
    /// </summary>
    public const int ObjectsMax = 16;

    private readonly Healing _healing;
    private readonly Action _pump;
    private readonly HealBackoff _backoff;
    private readonly HashSet<ObjectId> _active = [];
    private readonly List<HealItem> _again = [];
    private readonly List<TaskCompletionSource> _idle = [];
    private bool _isScheduled;

    public Healer(Healing healing)
    {
        _healing = healing;
        _pump = Pump;
        _backoff = new HealBackoff(
            healing.Settings.BackoffSeconds * 1000L, healing.Settings.BackoffSecondsMax * 1000L);
    }

    public bool IsRunning => _active.Count > 0;

    /// <summary>True while the object is being healed.</summary>
    public bool IsAt(ObjectId id) => _active.Contains(id);

    /// <summary>Begins what is in the queue, soon.</summary>
    public void Wake()
    {
        if (!_isScheduled)
        {
            _isScheduled = true;
            _healing.Service.Reactor.Post(_pump);
        }
    }

    /// <summary>Completes when the queue is empty and nothing is being healed.</summary>
    public Task IdleAsync()
    {
        if (_active.Count == 0 && _healing.Queue.Count == 0)
        {
            return Task.CompletedTask;
        }

        var idle = new TaskCompletionSource();
        _idle.Add(idle);
        Wake();
        return idle.Task;
    }

    private void Pump()
    {
        _isScheduled = false;
        while (!_healing.IsEnding && _active.Count < ObjectsMax
            && _healing.Queue.TryTake(out HealItem item))
        {
            if (_active.Add(item.Id))
            {
                HealOne(item);
            }
            else
            {
                _again.Add(item);
            }
        }

        if (_active.Count == 0 && _healing.Queue.Count == 0)
        {
            Rest();
        }
    }

    private void Rest()
    {
        if (_healing.Queue.HasDropped)
        {
            // The most urgent ones are done; now everything, as the queue empties.
            _healing.Queue.HasDropped = false;
            _healing.Check.BeginGently();
        }

        TaskCompletionSource[] waiting = [.. _idle];
        _idle.Clear();
        Array.ForEach(waiting, idle => idle.SetResult());
    }

    private async void HealOne(HealItem item)
    {
        if (_healing.Service.Catalog.Find(item.Id) is { } entry)
        {
            HealNote? note = _healing.Journal.Find(item.Id);
            HealPlan plan = HealPlan.Make(
                _healing, entry, item.BadPositions | (note?.BadPositions ?? 0));
            int changes = _healing.DeviceChangeCount;
            HealOutcome outcome = await TryAsync(plan);
            _active.Remove(item.Id);
            Settle(item, plan, outcome, isStale: changes != _healing.DeviceChangeCount);
        }
        else
        {
            _active.Remove(item.Id);
            _healing.Forget(item.Id);
        }

        for (int i = _again.Count - 1; i >= 0; i--)
        {
            if (_again[i].Id == item.Id)
            {
                _healing.Queue.Add(_again[i]);
                _again.RemoveAt(i);
            }
        }

        if (_active.Count == 0 && _healing.Queue.Count == 0)
        {
            _healing.Counts.LastFinishedMs = StorageService.NowMs;
        }

        Wake();
    }

    private async ValueTask<HealOutcome> TryAsync(HealPlan plan)
    {
        int available = System.Numerics.BitOperations.PopCount(plan.Here);
        if (plan.Wanted == 0)
        {
            return new HealOutcome(null, 0, 0, 0, available);
        }

        if (available < plan.DataShards)
        {
            return new HealOutcome(plan.TooFew(), 0, 0, plan.Bad, available);
        }

        if (plan.Placed == 0)
        {
            return new HealOutcome(plan.NoPlace(), 0, 0, plan.Bad, available);
        }

        StorageService service = _healing.Service;
        bool rented = service.Pool.TryRent(SlabPlan.EntrySlabBytes, out BufferLease scratch);
        Invariant.Check(rented, "the pool has one slab for each object that is healed");
        HealOutcome outcome = GarbageQueue.IsSmall(plan.Entry)
            ? await PackedHeal.RunAsync(_healing, plan, scratch)
            : await StripedHeal.RunAsync(_healing, plan, scratch);
        service.Pool.Return(scratch);
        return outcome;
    }

    private void Settle(HealItem item, HealPlan plan, HealOutcome outcome, bool isStale)
    {
        HealCounts counts = _healing.Counts;
        ulong knownBad = item.BadPositions | (_healing.Journal.Find(item.Id)?.BadPositions ?? 0);
        counts.Attempts++;
        counts.ShardsHealed += outcome.Shards;
        _healing.Works.OnHealed(plan, outcome);
        if (outcome.Fault is null && outcome.StillBad == 0)
        {
            counts.ObjectsHealed += outcome.Shards > 0 ? 1 : 0;
            _healing.Forget(item.Id);
            return;
        }

        HealNote note = _healing.Journal.Find(item.Id) ?? Healing.NewNote(item.Id);
        note = note with
        {
            SinceMs = Math.Min(note.SinceMs, item.SinceMs),
            BadPositions = outcome.StillBad,
            Progress = outcome.Shards > 0 ? [] : note.Progress,
            ShardsAvailable = outcome.Available,
        };
        if (outcome.Shards > 0 && outcome.StillBad == 0)
        {
            // The rest has no device to go to; the catalog shows it, so nothing is to be noted.
            _healing.Forget(item.Id);
            Again(item, isStale);
            return;
        }

        bool goesOn = outcome.Shards > 0 || (outcome.StillBad & ~knownBad) != 0;
        if (goesOn && outcome.StillBad != 0 && outcome.Fault?.Code != FaultCode.Canceled)
        {
            // It found more than it was sent for: go on with that at once.
            _healing.Journal.Set(note with { Failures = 0, NextMs = 0 });
            _healing.Queue.Add(item with { BadPositions = outcome.StillBad });
            return;
        }

        if (isStale && outcome.Fault?.Code != FaultCode.Canceled)
        {
            _healing.Journal.Set(note);
            Again(item, isStale);
            return;
        }

        SettleFailure(note, outcome);
    }

    /// <summary>The devices changed during the try: what it found may be different now.</summary>
    private void Again(HealItem item, bool isStale)
    {
        if (isStale)
        {
            _healing.Queue.Add(item);
        }
    }

    private void SettleFailure(HealNote note, HealOutcome outcome)
    {
        switch (outcome.Fault?.Code)
        {
            case FaultCode.Canceled:
                return; // The worker ends; the next one goes on.
            case FaultCode.NotFound when _healing.Service.Catalog.Find(note.Id) is null:
                _healing.Forget(note.Id);
                return;
            default:
                _healing.Counts.Failures++;
                int failures = note.Failures + 1;
                _healing.Journal.Set(note with
                {
                    Failures = failures,
                    NextMs = _backoff.NextMs(failures, StorageService.NowMs),
                    Reason = outcome.Fault?.Message ?? "damage was found and could not be mended",
                });
                return;
        }
    }
}
