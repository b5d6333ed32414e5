using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Brings the catalog up from the devices when a worker starts, and finishes what a crash
/// interrupted:
/// <list type="number">
/// <item>what some device has published is published on the others that have it ready; what none
/// has published was never acknowledged and goes;</item>
/// <item>of several versions of a name the newest restorable one counts; an older one goes once
/// that is whole;</item>
/// <item>what a tombstone names goes; a tombstone goes when every device is here.</item>
/// </list>
/// Nothing is ever deleted on the ground that too little of it was found.
/// </summary>
internal sealed class ObjectRecovery
{
    /// <summary>Manifests read at once: enough to keep twelve disks seeking.</summary>
    private const int ReadersMax = 16;

    /// <summary>
    /// Remarks that are worth a line each; a worker's first answer must fit one line.
    /// </summary>
    private const int RemarksMax = 50;

    private readonly StorageService _service;
    private readonly Dictionary<ObjectId, ulong> _found = [];
    private readonly Dictionary<string, List<Version>> _versions = new(StringComparer.Ordinal);
    private readonly List<string> _remarks = [];
    private int _remarksLeftOut;
    private bool _complete = true;

    private ObjectRecovery(StorageService service) => _service = service;

    /// <returns>Remarks for the log: what was mended, what could not be used.</returns>
    public static async ValueTask<IReadOnlyList<string>> RunAsync(StorageService service)
    {
        var recovery = new ObjectRecovery(service);
        recovery.FindObjects();
        recovery.FinishPublishing();
        recovery.CollectTombstones();
        await recovery.ReadManifestsAsync();
        recovery.FillCatalog();
        await recovery.ForgetTombstonesAsync();
        if (recovery._remarksLeftOut > 0)
        {
            recovery._remarks.Add($"and {recovery._remarksLeftOut} remarks more");
        }

        return recovery._remarks;
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

    private void FindObjects()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            Result<List<ObjectId>> objects = device.ListObjects();
            if (!objects.IsOk)
            {
                device.Report(objects.Fault);
                _complete = false;
                Remark($"device {device.Index}: {objects.Fault.Message}");
                continue;
            }

            foreach (ObjectId id in objects.Value)
            {
                _found[id] = _found.GetValueOrDefault(id) | (1UL << device.Index);
            }
        }
    }

    private void FinishPublishing()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            Result<List<ObjectId>> finished = device.FinishRenames(id => _found.ContainsKey(id));
            if (!finished.IsOk)
            {
                Remark($"device {device.Index}: {finished.Fault.Message}");
                continue;
            }

            foreach (ObjectId id in finished.Value)
            {
                _found[id] |= 1UL << device.Index;
            }

            if (finished.Value.Count > 0)
            {
                Remark($"device {device.Index}: finished {finished.Value.Count} interrupted puts");
            }
        }
    }

    private void CollectTombstones()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            List<Tombstone> tombstones = device.ListTombstones(out bool complete);
            tombstones.ForEach(_service.NoteRemoved);
            _complete &= complete;
        }
    }

    private async ValueTask ReadManifestsAsync()
    {
        var objects = new Queue<ObjectId>(_found.Keys);
        var readers = new Task[Math.Min(ReadersMax, StorageService.SlabsNeeded)];
        for (int i = 0; i < readers.Length; i++)
        {
            readers[i] = ReadAsync(objects);
        }

        await Task.WhenAll(readers);
    }

    /// <summary>
    /// One of several readers that take objects from a common list; all on the loop's thread.
    /// </summary>
    private async Task ReadAsync(Queue<ObjectId> objects)
    {
        while (objects.TryDequeue(out ObjectId id))
        {
            using var reader = ObjectReader.Open(_service.Reactor, _service.Devices, id);
            Result<Manifest> manifest = await ObjectLocator.ReadManifestAsync(_service, reader, id);
            if (!manifest.IsOk)
            {
                _complete = false;
                Remark($"object {id} is not usable and was left alone: {manifest.Fault.Message}");
                continue;
            }

            Note(manifest.Value, _found[id], ObjectLocator.ShardsAvailable(manifest.Value, reader));
        }
    }

    private void Note(Manifest manifest, ulong mask, int shardsAvailable)
    {
        long createdMs = manifest.Created.ToUnixTimeMilliseconds();
        if (createdMs <= _service.RemovedMs(manifest.Name.Text))
        {
            _service.Devices.RemoveObject(manifest.ObjectId);
            Remark($"object \"{manifest.Name}\" {manifest.ObjectId} was removed earlier");
            return;
        }

        Redundancy redundancy = manifest.Geometry.Redundancy;
        var entry = new ObjectEntry(
            manifest.Name, manifest.ObjectId, createdMs, manifest.Bytes,
            ObjectLocator.FileBytes(manifest) * BitOperations.PopCount(mask),
            redundancy.DataShards, mask);
        if (!_versions.TryGetValue(manifest.Name.Text, out List<Version>? versions))
        {
            _versions.Add(manifest.Name.Text, versions = new List<Version>(1));
        }

        versions.Add(new Version(
            entry,
            shardsAvailable >= redundancy.DataShards,
            shardsAvailable >= redundancy.CommitQuorum));
    }

    /// <summary>
    /// Of several versions of a name the newest that can be restored counts, or the newest where
    /// none can. A newer one of which too little is here was either never acknowledged or its
    /// devices are away: it stays until they are back or its name is written again.
    /// </summary>
    private void FillCatalog()
    {
        foreach (List<Version> versions in _versions.Values)
        {
            versions.Sort((left, right) => right.Entry.CreatedMs.CompareTo(left.Entry.CreatedMs));
            int chosen = Math.Max(0, versions.FindIndex(version => version.IsRestorable));
            ObjectEntry entry = versions[chosen].Entry;
            _service.Catalog.Set(entry);
            for (int i = 0; i < versions.Count; i++)
            {
                if (i > chosen && versions[chosen].IsWhole)
                {
                    _service.Devices.RemoveObject(versions[i].Entry.Id);
                    Remark($"object \"{entry.Name}\": {versions[i].Entry.Id} was replaced earlier");
                }
                else if (i != chosen)
                {
                    _service.PassOver(versions[i].Entry);
                    Remark($"object \"{entry.Name}\": {versions[i].Entry.Id} was passed over");
                }
            }
        }
    }

    private async ValueTask ForgetTombstonesAsync()
    {
        // A device that is away, or an object that could not be read, may be a version that only
        // its tombstone tells from a live one.
        if (!_complete || !await _service.Devices.SyncAllAsync(_service.Reactor))
        {
            return;
        }

        foreach (StorageDevice device in _service.Devices.All)
        {
            foreach (Tombstone tombstone in device.ListTombstones(out _))
            {
                device.RemoveTombstone(tombstone.FileName);
                _service.ForgetTombstone(tombstone.Name, tombstone.RemovedMs);
            }
        }
    }

    /// <param name="Entry">The version.</param>
    /// <param name="IsRestorable">At least k of its devices are here.</param>
    /// <param name="IsWhole">At least the quorum of its devices is here.</param>
    private sealed record Version(ObjectEntry Entry, bool IsRestorable, bool IsWhole);
}
