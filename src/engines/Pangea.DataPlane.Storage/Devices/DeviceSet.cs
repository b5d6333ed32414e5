using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>The devices of one storage worker, in the order of the configuration.</summary>
public sealed class DeviceSet : IDisposable
{
    private readonly List<StorageDevice> _devices;

    /// <param name="devices">By ascending index; gaps are places without a device.</param>
    public DeviceSet(IEnumerable<StorageDevice> devices)
    {
        _devices = devices.ToList();
        Invariant.Check(_devices.Count is > 0 and <= Limits.DevicesMax);
        for (int i = 0; i < _devices.Count; i++)
        {
            Invariant.Check(_devices[i].Index is >= 0 and < Limits.DevicesMax);
            Invariant.Check(i == 0 || _devices[i].Index > _devices[i - 1].Index);
            RefuseCopy(_devices[i], _devices.Take(i));
        }
    }

    /// <summary>
    /// By ascending index. An index that a device was taken out of is not among them.
    /// </summary>
    public IReadOnlyList<StorageDevice> All => _devices;

    /// <summary>The device at an index; null where there is none.</summary>
    public StorageDevice? Find(int index) => _devices.Find(device => device.Index == index);

    /// <summary>
    /// Takes one more device in, at an index that is free; a copy of one that is here is rejected,
    /// which its state then says.
    /// </summary>
    public void Add(StorageDevice device)
    {
        Invariant.Check(device.Index is >= 0 and < Limits.DevicesMax);
        Invariant.Check(Find(device.Index) is null, "the index is free");
        int at = _devices.FindIndex(other => other.Index > device.Index);
        _devices.Insert(at < 0 ? _devices.Count : at, device);
        RefuseCopy(device, _devices);
    }

    /// <summary>Puts another device at an index; the caller closes the one that it gets
    /// back.</summary>
    public StorageDevice Replace(StorageDevice device)
    {
        int at = _devices.FindIndex(other => other.Index == device.Index);
        Invariant.Check(at >= 0, "there is a device to replace");
        StorageDevice before = _devices[at];
        _devices[at] = device;
        RefuseCopy(device, _devices);
        return before;
    }

    /// <summary>Takes a device out; the caller closes it.</summary>
    public void Remove(StorageDevice device) => _devices.Remove(device);

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
    /// Two directories with one identity: one is a copy, and writing to both would lose data.
    /// </summary>
    private static void RefuseCopy(StorageDevice device, IEnumerable<StorageDevice> others)
    {
        StorageDevice? first = others.FirstOrDefault(
            other => other != device && other.Id == device.Id && device.Id != default);
        if (first is not null)
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
