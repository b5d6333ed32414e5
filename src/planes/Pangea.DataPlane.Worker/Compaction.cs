using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Gives the room of garbage back, in the background and at a bounded rate: the segment with the
/// largest share of it is copied where it is live, and goes once a checkpoint no longer names it.
/// Answers the logs' questions about what is live from the catalog. Loop thread only.
/// </summary>
internal sealed class Compaction(StorageService service) : ILogLiveness
{
    private const double GarbageShareUsual = 0.5;
    private const double GarbageShareShort = 0.25;
    private const double GarbageShareFull = 0.05;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(1);

    private readonly uint[] _oldestJournal = new uint[Limits.DevicesMax];
    private bool _stopping;

    /// <summary>Room given back since the start.</summary>
    public long FreedBytes { get; private set; }

    public async void Run()
    {
        while (!_stopping && (await service.Reactor.DelayAsync(s_lookEvery)).IsOk)
        {
            while (!_stopping && await RunOnceAsync() > 0)
            {
                // As long as there is something to gain.
            }
        }
    }

    public void Stop() => _stopping = true;

    /// <summary>Compacts the worst segment of each device; the result is the room gained.</summary>
    public async ValueTask<long> RunOnceAsync()
    {
        if (service.Catalog.NeedsRebuild is not null || service.Catalog.IsFull || !HasWork())
        {
            return 0;
        }

        var emptied = new List<(DeviceLog Log, IReadOnlyList<uint> Segments)>();
        long freed = 0;
        foreach (StorageDevice device in service.Devices.All.ToArray())
        {
            if (device.Log is { } log && !_stopping)
            {
                freed += await CompactAsync(device, log);
                emptied.Add((log, log.TakeEmptied()));
            }
        }

        if (emptied.All(each => each.Segments.Count == 0))
        {
            return 0;
        }

        // Until then the catalog on the disk points into them.
        Result durable = await service.Checkpoints.RunFreshAsync();
        if (!durable.IsOk)
        {
            return 0;
        }

        foreach ((DeviceLog log, IReadOnlyList<uint> segments) in emptied)
        {
            _ = await log.RemoveEmptiedAsync(segments);
        }

        FreedBytes += freed;
        return freed;
    }

    /// <summary>
    /// Whether there is anything to compact or to remove: asked once a second, it allocates
    /// nothing.
    /// </summary>
    private bool HasWork()
    {
        IReadOnlyList<StorageDevice> devices = service.Devices.All;
        for (int i = 0; i < devices.Count; i++)
        {
            if (devices[i].Log is { } log
                && (log.HasEmptied || log.ChooseForCompaction(ShareFor(devices[i])) is not null))
            {
                return true;
            }
        }

        return false;
    }

    public Liveness Find(ObjectId id, int deviceIndex, out LogAddress commit)
    {
        commit = default;
        if (service.InFlight.Contains(id) || service.Garbage.IsBeingRead(id)
            || service.Kept.Contains(id))
        {
            return Liveness.Busy;
        }

        ObjectEntry? entry = service.Catalog.Find(id) ?? service.Versions.PassedOver.Find(id);
        int position = entry is null ? -1 : PositionOn(entry, deviceIndex);
        if (position < 0)
        {
            return Liveness.Dead;
        }

        commit = service.Ordinals.SourceOf(entry!, position).Commit;
        return Liveness.Live;
    }

    public bool Relocated(ObjectId id, int deviceIndex, LogAddress from, LogAddress to)
    {
        ObjectEntry? visible = service.Catalog.Find(id);
        ObjectEntry? entry = visible ?? service.Versions.PassedOver.Find(id);
        int position = entry is null ? -1 : PositionOn(entry, deviceIndex);
        if (position < 0 || service.Ordinals.SourceOf(entry!, position).Commit != from)
        {
            return false;
        }

        ShardLocation location = service.Ordinals.LocationOf(
            service.Ordinals.SourceOf(entry!, position).Device!, to);
        ObjectEntry moved = entry! with
        {
            Locations = entry.Locations.SetItem(position, location),
        };
        if (visible is not null)
        {
            service.Catalog.Set(moved);
        }
        else
        {
            service.Versions.PassedOver.Set(moved);
        }

        return true;
    }

    /// <summary>
    /// A tombstone speaks of commits that were written before it. Where it stands in the oldest
    /// journal segment, none of those is left on the device; and only where every device has it can
    /// none come back with a device that was away. The same holds for a void, device by device.
    /// </summary>
    public bool IsNeeded(in LogEntryView entry, int deviceIndex)
    {
        bool isOldest = entry.Address.Segment <= _oldestJournal[deviceIndex];
        switch (entry.Kind)
        {
            case LogEntryKind.Tombstone:
                RemovedName? removed = service.Catalog.FindRemoved(entry.NameText);
                return removed is null
                    ? !isOldest
                    : removed.RemovedMs == entry.TimeMs && !(isOldest && IsEverywhere(removed));
            case LogEntryKind.Void:
                return !isOldest;
            case LogEntryKind.Touch:
                return service.Catalog.Find(entry.Id) is { } touched
                    && touched.ExpiresMs <= entry.TimeMs;
            default:
                return true; // Of a later release: not ours to throw away.
        }
    }

    private bool IsEverywhere(RemovedName removed)
    {
        foreach (StorageDevice device in service.Devices.All)
        {
            byte ordinal = device.Id == default ? byte.MaxValue : service.Ordinals.Of(device);
            if (ordinal >= 64 || (removed.DeviceMask & (1UL << ordinal)) == 0)
            {
                return false;
            }
        }

        return true;
    }

    private int PositionOn(ObjectEntry entry, int deviceIndex)
    {
        StorageDevice? device = service.Devices.All.FirstOrDefault(
            each => each.Index == deviceIndex);
        if (device is null || device.Id == default)
        {
            return -1;
        }

        byte ordinal = service.Ordinals.Of(device);
        for (int position = 0; position < entry.Locations.Length; position++)
        {
            ShardLocation location = entry.Locations[position];
            if (!location.IsNone && location.Device == ordinal)
            {
                return position;
            }
        }

        return -1;
    }

    private async ValueTask<long> CompactAsync(StorageDevice device, DeviceLog log)
    {
        if (log.ChooseForCompaction(ShareFor(device)) is not { } segment)
        {
            return 0;
        }

        _oldestJournal[device.Index] = log.Segments
            .Where(each => each.Kind == SegmentKind.Journal)
            .Select(each => each.Sequence)
            .FirstOrDefault(uint.MaxValue);
        Result<CompactionReport> report = await log.CompactAsync(
            segment, this, service.Settings.CompactionBytesPerSecond);
        if (!report.IsOk)
        {
            device.Report(report.Fault);
            return 0;
        }

        return report.Value.FreedBytes - report.Value.CopiedBytes;
    }

    /// <summary>The fuller the device, the less garbage is worth the copying.</summary>
    private static double ShareFor(StorageDevice device)
    {
        if (device.State == DeviceState.Full)
        {
            return GarbageShareFull;
        }

        return device.Space() is { TotalBytes: > 0 } space
            && space.FreeBytes < space.TotalBytes / 10
            ? GarbageShareShort
            : GarbageShareUsual;
    }
}
