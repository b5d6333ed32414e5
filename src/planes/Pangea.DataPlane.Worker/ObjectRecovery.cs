using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>What a recovery did.</summary>
/// <param name="Remarks">For the log: what was mended, what could not be used.</param>
/// <param name="Entries">Entries of the logs that were read.</param>
internal sealed record RecoveryReport(IReadOnlyList<string> Remarks, long Entries);

/// <summary>
/// Brings the catalog up to the ends of the logs when a worker starts, from where the last
/// checkpoint left it or from their beginning. The rules are in docs/storage.md; in short:
/// <list type="number">
/// <item>a version of which k shards are here is visible, unless its put said that it
/// failed;</item>
/// <item>of several versions of a name the newest such one counts, and an older one is garbage only
/// once that is on a quorum;</item>
/// <item>what a tombstone names goes, on devices that were away as well;</item>
/// <item>a version of which too little is here is passed over, and given up only where every
/// device that could have more of it is here and readable.</item>
/// </list>
/// </summary>
internal sealed partial class ObjectRecovery
{
    /// <summary>
    /// Remarks that are worth a line each; a worker's first answer must fit one line.
    /// </summary>
    private const int RemarksMax = 50;

    private readonly StorageService _service;
    private readonly Dictionary<ObjectId, FoundObject> _found = [];
    private readonly HashSet<ObjectId> _void = [];
    private readonly HashSet<ObjectId> _unusable = [];

    /// <summary>Versions decided about by now that were found on no quorum.</summary>
    private readonly HashSet<ObjectId> _doubtful = [];
    private readonly Dictionary<ObjectId, long> _touched = [];
    private readonly List<string> _remarks = [];
    private readonly VersionChoice _choice;
    private readonly bool _counts;
    private int _remarksLeftOut;
    private long _entries;
    private bool _damaged;

    /// <param name="service">Whose.</param>
    /// <param name="counts">Whether live bytes are counted: not where the logs did so.</param>
    private ObjectRecovery(StorageService service, bool counts = true)
    {
        _service = service;
        _counts = counts;
        _choice = new VersionChoice(service, Remark, counts);
    }

    private ObjectCatalog Catalog => _service.Catalog;

    /// <summary>
    /// Reads the logs of all devices that are here; afterwards they take appends. A damaged catalog
    /// is thrown away first and made anew.
    /// </summary>
    public static async ValueTask<Result<RecoveryReport>> RunAsync(StorageService service)
    {
        var recovery = new ObjectRecovery(service);
        if (service.Catalog.NeedsRebuild is { } damage)
        {
            recovery.Remark($"the catalog is made anew: {damage.Message}");
            Result cleared = service.Catalog.Clear();
            if (!cleared.IsOk)
            {
                return cleared.Fault;
            }
        }
        else if (service.Kept.Load(service.Keys))
        {
            recovery.Remark("a key is back: the catalog is made anew with its objects");
            Result cleared = service.Catalog.Clear();
            if (!cleared.IsOk)
            {
                return cleared.Fault;
            }

            _ = service.Kept.Load(service.Keys);
        }

        service.Versions.PassedOver.Load();
        service.Refusals.Load();
        await recovery.ReplayAsync();
        await recovery.DecideAsync();
        Result durable = await recovery.CheckpointAsync();
        if (!durable.IsOk)
        {
            recovery.Remark($"no checkpoint could be made: {durable.Fault.Message}");
        }

        if (recovery._remarksLeftOut > 0)
        {
            recovery._remarks.Add($"and {recovery._remarksLeftOut} remarks more");
        }

        return new RecoveryReport(recovery._remarks, recovery._entries);
    }

    private void Remark(string text)
    {
        if (_remarks.Count < RemarksMax)
        {
            _remarks.Add(text);
        }
        else
        {
            _remarksLeftOut++;
        }
    }

    /// <summary>
    /// All logs side by side: the commits of one object then come close to each other, and little
    /// has to be remembered.
    /// </summary>
    private async ValueTask ReplayAsync()
    {
        var replays = new List<Task>();
        foreach (StorageDevice device in _service.Devices.All)
        {
            if (device.Log is not null && device.Id != default)
            {
                _service.Checkpoints.RestoreLiveBytes(device);
                replays.Add(ReplayAsync(device));
            }
        }

        Task all = Task.WhenAll(replays);
        while (!all.IsCompleted)
        {
            await Task.WhenAny(all, _service.Reactor.DelayAsync(
                TimeSpan.FromMilliseconds(20)).AsTask());
            if (Catalog.WantsCheckpoint)
            {
                // Bounds memory while much is read; the marks stay, so a crash reads it again.
                _ = await Catalog.CheckpointAsync(Catalog.Marks);
            }
        }

        await all;
    }

    private async Task ReplayAsync(StorageDevice device)
    {
        byte ordinal = _service.Ordinals.Of(device);
        LogMark mark = Catalog.Marks.FirstOrDefault(each => each.Ordinal == ordinal);
        Result<ReplayReport> report = await device.Log!.ReplayAsync(
            new LogPosition(mark.Segment, mark.Offset),
            (in LogEntryView entry) => Visit(device, entry));
        if (!report.IsOk)
        {
            _damaged = true;
            device.Report(report.Fault);
            Remark($"device {device.Index}: {report.Fault.Message}");
            return;
        }

        _entries += report.Value.Entries;
        if (!report.Value.IsComplete)
        {
            _damaged = true;
            Remark($"device {device.Index}: parts of its log cannot be read");
        }
    }

    private void Visit(StorageDevice device, in LogEntryView entry)
    {
        Claim(device, entry.Address);
        switch (entry.Kind)
        {
            case LogEntryKind.Commit:
                VisitCommit(device, entry);
                break;
            case LogEntryKind.Tombstone:
                VisitTombstone(device, entry);
                break;
            case LogEntryKind.Void:
                VisitVoid(entry.Id);
                break;
            case LogEntryKind.Touch:
                VisitTouch(entry.Id, entry.TimeMs);
                break;
            default:
                break; // Of a later release; it says nothing that we could break.
        }
    }

    private void VisitCommit(StorageDevice device, in LogEntryView entry)
    {
        ObjectId id = entry.Id;
        if (!_counts)
        {
            _seen.Add(id);
        }

        if (_unusable.Contains(id) || _service.InFlight.Contains(id))
        {
            return;
        }

        if (_void.Contains(id) || _service.Refusals.HasPut(id))
        {
            if (_counts)
            {
                device.Log!.Release(entry.Address);
            }

            return;
        }

        ShardLocation location = _service.Ordinals.LocationOf(device, entry.Address);
        if (!_found.TryGetValue(id, out FoundObject? found))
        {
            if (Catalog.Find(id) is { } visible)
            {
                ClaimFrames(device, entry, null);
                ObjectEntry moved = VersionChoice.WithLocation(
                    _service, visible, entry.Position, location);
                if (moved != visible)
                {
                    Catalog.Set(moved);
                }

                return;
            }

            found = Begin(entry);
            if (found is null)
            {
                return;
            }
        }

        long frameBytes = ClaimFrames(device, entry, found.Manifest);
        found.Add(entry, location, frameBytes, HasFrames(device, entry));
        if (found.IsComplete)
        {
            _found.Remove(id);
            Settle(found);
        }
    }

    /// <summary>The first commit of an object that was met: it must be genuine.</summary>
    private FoundObject? Begin(in LogEntryView entry)
    {
        Result<Manifest> manifest = ManifestCodec.Decode(entry.Manifest, _service.Keys);
        if (!manifest.IsOk || manifest.Value.ObjectId != entry.Id)
        {
            // Another device may have a good one; without the key none is.
            if (manifest.Fault?.Code == FaultCode.Denied
                && ManifestCodec.DecodeUnauthenticated(entry.Manifest) is { IsOk: true } unread)
            {
                _unusable.Add(entry.Id);
                _service.Kept.Add(entry.Id, unread.Value.KeyId);
            }

            Remark($"object {entry.Id} is not usable and was left alone: "
                + (manifest.Fault?.Message ?? "its manifest is another object's"));
            return null;
        }

        ulong expected = 0;
        for (int position = 0; position < manifest.Value.Devices.Length; position++)
        {
            var id = new DeviceId(new ObjectId(manifest.Value.Devices[position]));
            expected |= _service.Devices.Find(id)?.Log is null ? 0 : 1UL << position;
        }

        var found = new FoundObject(manifest.Value, expected);
        if (_service.Versions.PassedOver.Find(entry.Id) is { } known)
        {
            found.AddKnown(known);
        }

        _found.Add(entry.Id, found);
        return found;
    }

    /// <summary>The frames that a commit names are needed.</summary>
    /// <returns>Their bytes.</returns>
    private long ClaimFrames(
        StorageDevice device, in LogEntryView entry, Manifest? manifest)
    {
        if (entry.ExtentCount == 0)
        {
            return 0;
        }

        if (manifest is null)
        {
            Result<Manifest> read = ManifestCodec.DecodeUnauthenticated(entry.Manifest);
            if (!read.IsOk)
            {
                return 0;
            }

            manifest = read.Value;
        }

        long bytes = 0;
        for (int i = 0; i < entry.ExtentCount; i++)
        {
            Extent extent = entry.ExtentAt(i);
            uint frames = GarbageQueue.FrameBytesOf(manifest, extent);
            Claim(device, new LogAddress(extent.Segment, extent.Offset, frames));
            bytes += frames;
        }

        return bytes;
    }

    private void Claim(StorageDevice device, LogAddress address)
    {
        if (_counts)
        {
            device.Log!.Claim(address);
        }
    }

    /// <summary>
    /// Whether the segments are there that a commit points to; only then is it the last word about
    /// its position.
    /// </summary>
    private static bool HasFrames(StorageDevice device, in LogEntryView entry)
    {
        for (int i = 0; i < entry.ExtentCount; i++)
        {
            // 0: compaction met a rotten frame and says so.
            uint segment = entry.ExtentAt(i).Segment;
            if (segment != 0 && !device.Log!.Has(segment))
            {
                return false;
            }
        }

        return true;
    }

    private void VisitTombstone(StorageDevice device, in LogEntryView entry)
    {
        Result<ObjectName> name = ObjectName.Parse(entry.NameText);
        if (name.IsOk)
        {
            byte ordinal = _service.Ordinals.Of(device);
            _service.Versions.Forget(
                name.Value, entry.TimeMs, ordinal < 64 ? 1UL << ordinal : 0);
        }
    }

    private void VisitVoid(ObjectId id)
    {
        ObjectEntry? shown = Catalog.Find(id);
        if (_doubtful.Remove(id))
        {
            // All its commits were met before the first word of its failure was.
            _void.Add(id);
            if ((shown ?? _service.Versions.PassedOver.Find(id)) is { } entry)
            {
                _ = shown is null
                    ? _service.Versions.PassedOver.Remove(entry.Name, id)
                    : Catalog.Remove(entry.Name) is not null;
                _service.Garbage.Add(entry);
            }

            return;
        }

        // What became visible by an earlier recovery, before this device was back, stays.
        if (shown is null && _void.Add(id) && _found.Remove(id, out FoundObject? found))
        {
            _service.Garbage.Add(found.ToEntry());
        }
    }

    private void VisitTouch(ObjectId id, long expiresMs)
    {
        if (Catalog.Find(id) is { } entry)
        {
            Touch(entry, expiresMs);
        }
        else
        {
            _touched[id] = Math.Max(_touched.GetValueOrDefault(id), expiresMs);
        }
    }

    private void Touch(ObjectEntry entry, long expiresMs)
    {
        if (entry.ExpiresMs != 0 && entry.ExpiresMs < expiresMs)
        {
            Catalog.Set(entry with { ExpiresMs = expiresMs });
        }
    }

    /// <summary>All of a version that can be found was found.</summary>
    private void Settle(FoundObject found)
    {
        ObjectEntry entry = found.ToEntry();
        if (_touched.TryGetValue(entry.Id, out long expiresMs))
        {
            entry = entry with { ExpiresMs = Math.Max(entry.ExpiresMs, expiresMs) };
        }

        if (BitOperations.PopCount(found.FoundPositions) <= entry.DataShards)
        {
            _doubtful.Add(entry.Id);
        }

        _choice.Decide(
            entry, mayHaveMore: _damaged || found.PositionsPossible >= entry.DataShards);
    }

    /// <summary>
    /// What was not found whole is decided now that all logs were read, and what was passed over
    /// earlier is looked at again: its devices may be back.
    /// </summary>
    private async ValueTask DecideAsync()
    {
        foreach (FoundObject found in _found.Values)
        {
            Settle(found);
        }

        _found.Clear();
        foreach (ObjectEntry entry in _service.Versions.PassedOver.All)
        {
            _choice.Decide(entry, mayHaveMore: true);
        }

        foreach ((ObjectId id, long expiresMs) in _touched)
        {
            if (Catalog.Find(id) is { } entry)
            {
                Touch(entry, expiresMs);
            }
        }

        await _choice.WriteVoidsAsync();
        await _service.Refusals.SettleAsync();
    }

    /// <summary>
    /// What was decided is durable before it is shown: a later start, with other devices, must not
    /// decide otherwise.
    /// </summary>
    private async ValueTask<Result> CheckpointAsync() =>
        _choice.HasDecided ? await _service.Checkpoints.RunOnceAsync() : Result.Ok;
}
