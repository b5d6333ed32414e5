using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>What healing and scrubbing tell whoever asks.</summary>
internal static class HealReports
{
    public static HealStatus Heal(Healing healing)
    {
        List<HealSkipped> skipped = Skipped(healing, out long skippedTotal, out long nextMs);
        long critical = healing.Queue.CountUpTo(healing.Settings.CriticalShards);
        return new HealStatus
        {
            Running = healing.Healer.IsRunning,
            QueuedCritical = critical,
            QueuedDegraded = healing.Queue.Count - critical,
            ObjectsHealed = healing.Counts.ObjectsHealed,
            ShardsHealed = healing.Counts.ShardsHealed,
            BytesWritten = healing.Counts.BytesWritten,
            Attempts = healing.Counts.Attempts,
            Failures = healing.Counts.Failures,
            SkippedTotal = skippedTotal,
            Skipped = skipped,
            BytesPerSecond = healing.Settings.BytesPerSecond,
            BackoffUntil = healing.Queue.Count == 0 && !healing.Healer.IsRunning
                ? TimeOf(nextMs)
                : null,
            LastFinished = TimeOf(healing.Counts.LastFinishedMs),
            NextCheck = TimeOf(healing.Check.NextMs),
        };
    }

    public static ScrubStatus Scrub(Healing healing)
    {
        ScrubState state = healing.Scrubber.State;
        return new ScrubStatus
        {
            Running = state.IsRunning,
            ObjectsChecked = state.Objects,
            ObjectsTotal = Math.Max(state.Objects, healing.Service.Catalog.Count),
            BytesChecked = state.Bytes,
            ErrorsFound = state.Errors,
            BytesPerSecond = healing.Scrubber.BytesPerSecond,
            Passes = state.Passes,
            Position = state.After.Length == 0 ? null : state.After,
            Started = TimeOf(state.StartedMs),
            LastFinished = state.Passes == 0 ? null : TimeOf(state.FinishedMs),
            Next = TimeOf(healing.Scrubber.NextMs),
        };
    }

    /// <summary>What is being done to a device; null where nothing is.</summary>
    public static DeviceHealing? Device(IHealQueue queue, StorageDevice device) =>
        queue is Healing healing && healing.Works.Find(device.Index) is { } work
            ? new DeviceHealing
            {
                ObjectsDone = work.ObjectsDone,
                ObjectsTotal = work.ObjectsDone + work.ObjectsLeft,
                BytesDone = work.BytesDone,
            }
            : null;

    /// <summary>
    /// Those that failed, and those that the last look found without a way to heal them.
    /// </summary>
    private static List<HealSkipped> Skipped(Healing healing, out long total, out long nextMs)
    {
        var skipped = new List<HealSkipped>();
        var named = new HashSet<ObjectId>();
        total = 0;
        nextMs = 0;
        foreach (HealNote note in healing.Journal.All)
        {
            if (note.Failures == 0 || healing.Service.Catalog.Find(note.Id) is not { } entry)
            {
                continue;
            }

            total++;
            named.Add(note.Id);
            nextMs = nextMs == 0 || (note.NextMs != 0 && note.NextMs < nextMs)
                ? note.NextMs
                : nextMs;
            Add(skipped, entry, note.Reason, note.ShardsAvailable, note.NextMs);
        }

        long left = healing.Check.SkippedCount;
        foreach (HealPlan plan in healing.Check.Skipped)
        {
            int available = System.Numerics.BitOperations.PopCount(plan.Here);
            Fault why = available < plan.DataShards ? plan.TooFew() : plan.NoPlace();
            if (named.Contains(plan.Entry.Id))
            {
                left--;
            }
            else
            {
                Add(skipped, plan.Entry, why.Message, available, healing.Check.NextMs);
            }
        }

        total += Math.Max(0, left);
        return skipped;
    }

    private static void Add(
        List<HealSkipped> skipped, ObjectEntry entry, string reason, int available, long nextMs)
    {
        if (skipped.Count < Limits.HealSkippedListMax)
        {
            skipped.Add(new HealSkipped
            {
                Name = entry.Name.Text,
                Id = entry.Id.ToString(),
                Reason = reason,
                ShardsAvailable = available,
                ShardsNeeded = entry.DataShards,
                Next = TimeOf(nextMs),
            });
        }
    }

    private static DateTime? TimeOf(long ms) =>
        ms == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(ms).UtcDateTime;
}
