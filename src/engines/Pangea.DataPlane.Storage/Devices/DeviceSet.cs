using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>The devices of one storage worker, in the order of the configuration.</summary>
public sealed class DeviceSet : IDisposable
{
    private readonly StorageDevice[] _devices;

    public DeviceSet(IEnumerable<StorageDevice> devices)
    {
        _devices = devices.ToArray();
        Invariant.Check(_devices.Length is > 0 and <= Limits.DevicesMax);
        for (int i = 0; i < _devices.Length; i++)
        {
            Invariant.Check(_devices[i].Index == i);
            RefuseCopy(_devices[i]);
        }
    }

    public IReadOnlyList<StorageDevice> All => _devices;

    /// <summary>
    /// The device of that identity; null where it is not here (missing, replaced).
    /// </summary>
    public StorageDevice? Find(DeviceId id)
    {
        foreach (StorageDevice device in _devices)
        {
            if (device.Id == id && id != default)
            {
                return device;
            }
        }

        return null;
    }

    /// <summary>
    /// Makes removals durable on every device; false where not every configured device is here and
    /// well.
    /// </summary>
    public async ValueTask<bool> SyncAllAsync(IReactor reactor)
    {
        if (_devices.Any(device => !device.IsOpen || device.State != DeviceState.Ok))
        {
            return false;
        }

        var syncs = new ValueTask<SysResult>[_devices.Length];
        for (int i = 0; i < syncs.Length; i++)
        {
            syncs[i] = reactor.SyncAsync(_devices[i].ObjectsDirectory, dataOnly: false);
        }

        bool synced = true;
        foreach (ValueTask<SysResult> sync in syncs)
        {
            synced &= (await sync).IsOk;
        }

        return synced;
    }

    /// <summary>
    /// Removes an object's files everywhere; what cannot be removed now is found at the next start.
    /// </summary>
    public void RemoveObject(ObjectId id)
    {
        string name = ShardFile.NameOf(id);
        foreach (StorageDevice device in _devices)
        {
            Result removed = device.RemoveObject(name);
            if (!removed.IsOk)
            {
                device.Report(removed.Fault);
            }
        }
    }

    /// <summary>
    /// Two directories with one identity: one is a copy, and writing to both would lose data.
    /// </summary>
    private void RefuseCopy(StorageDevice device)
    {
        StorageDevice? first = Find(device.Id);
        if (first is not null && first != device)
        {
            device.Reject(new Fault(
                FaultCode.Exists,
                $"device {device.Index} ({device.Path}) is a copy of device {first.Index} "
                    + $"({first.Path})",
                "give this place an empty directory"));
        }
    }

    public void Dispose()
    {
        foreach (StorageDevice device in _devices)
        {
            device.Dispose();
        }
    }
}
