using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Brings the catalog up from the devices when a worker starts, and finishes what a crash interrupted:
/// <list type="number">
/// <item>what some device has published is published on the others that have it ready; what none has
/// published was never acknowledged and goes;</item>
/// <item>of several versions of a name the newest counts; an older one goes once the newest is whole;</item>
/// <item>what a tombstone names goes; a tombstone goes when every device is here.</item>
/// </list>
/// Nothing is ever deleted on the ground that too little of it was found.
/// </summary>
internal sealed class ObjectRecovery
{
    private readonly StorageService _service;
    private readonly Dictionary<ObjectId, ulong> _found = [];
    private readonly List<string> _remarks = [];

    private ObjectRecovery(StorageService service) => _service = service;

    /// <returns>Remarks for the log: what was mended, what could not be used.</returns>
    public static async ValueTask<IReadOnlyList<string>> RunAsync(StorageService service)
    {
        var recovery = new ObjectRecovery(service);
        recovery.FindObjects();
        recovery.FinishPublishing();
        recovery.CollectTombstones();
        await recovery.FillCatalogAsync();
        recovery.ForgetTombstones();
        return recovery._remarks;
    }

    private void FindObjects()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            Result<List<ObjectId>> objects = device.ListObjects();
            if (!objects.IsOk)
            {
                device.Report(objects.Fault);
                _remarks.Add($"device {device.Index}: {objects.Fault.Message}");
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
                _remarks.Add($"device {device.Index}: {finished.Fault.Message}");
                continue;
            }

            foreach (ObjectId id in finished.Value)
            {
                _found[id] |= 1UL << device.Index;
            }

            if (finished.Value.Count > 0)
            {
                _remarks.Add($"device {device.Index}: finished {finished.Value.Count} interrupted puts");
            }
        }
    }

    private void CollectTombstones()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            foreach (Tombstone tombstone in device.ListTombstones())
            {
                _service.NoteRemoved(tombstone);
            }
        }
    }

    private async ValueTask FillCatalogAsync()
    {
        foreach ((ObjectId id, ulong mask) in _found)
        {
            using var reader = ObjectReader.Open(_service.Reactor, _service.Devices, id);
            Result<Manifest> manifest = await ObjectLocator.ReadManifestAsync(_service, reader, id);
            if (!manifest.IsOk)
            {
                _remarks.Add($"object {id} is not usable and was left alone: {manifest.Fault.Message}");
                continue;
            }

            Enter(manifest.Value, mask);
        }
    }

    private void Enter(Manifest manifest, ulong mask)
    {
        long createdMs = manifest.Created.ToUnixTimeMilliseconds();
        var entry = new ObjectEntry(
            manifest.Name, manifest.ObjectId, createdMs, manifest.Bytes,
            ObjectLocator.FileBytes(manifest) * BitOperations.PopCount(mask), mask);
        if (createdMs <= _service.RemovedMs(manifest.Name.Text))
        {
            _service.Devices.RemoveObject(manifest.ObjectId);
            _remarks.Add($"object \"{manifest.Name}\" {manifest.ObjectId} was removed earlier");
            return;
        }

        ObjectEntry? known = _service.Catalog.Find(manifest.Name);
        if (known is null)
        {
            _service.Catalog.Set(entry);
            return;
        }

        (ObjectEntry newer, ObjectEntry older) =
            known.CreatedMs > createdMs ? (known, entry) : (entry, known);
        _service.Catalog.Set(newer);
        int quorum = manifest.Geometry.Redundancy.CommitQuorum;
        if (BitOperations.PopCount(newer.DeviceMask) >= quorum)
        {
            _service.Devices.RemoveObject(older.Id);
            _remarks.Add($"object \"{manifest.Name}\": version {older.Id} was replaced earlier");
        }
    }

    private void ForgetTombstones()
    {
        foreach (StorageDevice device in _service.Devices.All)
        {
            if (device.State != DeviceState.Ok)
            {
                return; // It may come back with versions that only a tombstone tells from live ones.
            }
        }

        foreach (StorageDevice device in _service.Devices.All)
        {
            if (!device.SyncObjects().IsOk)
            {
                return;
            }
        }

        foreach (StorageDevice device in _service.Devices.All)
        {
            foreach (Tombstone tombstone in device.ListTombstones())
            {
                device.RemoveTombstone(tombstone.FileName);
            }
        }
    }
}
