using System.Collections.Immutable;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>How a worker opens devices that come while it runs.</summary>
/// <param name="StateId">The appliance state that they must belong to.</param>
/// <param name="Log">Bounds of their logs.</param>
internal sealed record DeviceTerms(string StateId, DeviceLogOptions Log);

/// <summary>
/// Takes devices in and out while the worker runs. Whoever comes back brings its log along, which
/// is read before the device takes part. Loop thread only.
/// </summary>
internal sealed class DeviceChanges(Healing healing, DeviceTerms terms)
{
    private StorageService Service => healing.Service;

    private DeviceSet Devices => healing.Service.Devices;

    /// <summary>A device for a free index, or one that was missing and is back.</summary>
    /// <param name="call">Which index; path for messages.</param>
    /// <param name="root">The open directory or block device; owned from now on.</param>
    public async ValueTask<Result<DeviceChangeResult>> AddAsync(
        WorkerDeviceParameters call, OwnedFd root)
    {
        StorageDevice? before = Devices.Find(call.Index);
        if (before is not null && DeviceLosses.IsHere(before))
        {
            root.Dispose();
            return new Fault(
                FaultCode.Exists,
                $"device {call.Index} ({before.Path}) is in use",
                "replace it instead");
        }

        Result<StorageDevice> opened = Open(call, root, before);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        if (before is not null && before.Id != default && before.Id != opened.Value.Id)
        {
            opened.Value.Dispose();
            return new Fault(
                FaultCode.Exists,
                $"{call.Path} holds device {opened.Value.Id}, at index {call.Index} is "
                    + $"{before.Id}",
                "replace the device, or bring back the one that was there");
        }

        return await TakeInAsync(opened.Value, before);
    }

    /// <summary>Another device for an index; healing makes anew what the old one held.</summary>
    /// <param name="call">Which index; path for messages.</param>
    /// <param name="root">The open directory or block device; owned from now on.</param>
    public async ValueTask<Result<DeviceChangeResult>> ReplaceAsync(
        WorkerDeviceParameters call, OwnedFd root)
    {
        StorageDevice? before = Devices.Find(call.Index);
        Result<StorageDevice> opened = before is null
            ? new Fault(FaultCode.NotFound, $"there is no device {call.Index} to replace")
            : Open(call, root, before);
        if (before is null || !opened.IsOk)
        {
            root.Dispose();
            return opened.Fault!;
        }

        ImmutableArray<DeviceId> lost = LostAt(before);
        Result<DeviceChangeResult> taken = await TakeInAsync(opened.Value, before);
        if (taken.IsOk)
        {
            lost = [.. lost.Where(id => Devices.Find(id) is null)];
            healing.Places.Set(call.Index, opened.Value.Id);
            if (lost.Length > 0)
            {
                healing.Works.BeginFill(opened.Value, lost);
            }

            healing.OnDevicesChanged();
        }

        return taken;
    }

    /// <summary>
    /// Takes a device out once its shards are elsewhere, or at once; replies when it is out.
    /// </summary>
    public async ValueTask<Result<DeviceChangeResult>> RemoveAsync(
        WorkerDeviceRemoveParameters call)
    {
        if (Devices.Find(call.Index) is not { } device)
        {
            return new Fault(FaultCode.NotFound, $"there is no device {call.Index}");
        }

        if (!call.Force)
        {
            Fault? refusal = RefuseToEmpty(device);
            Result emptied = refusal is null ? await EmptyAsync(device) : refusal;
            if (!emptied.IsOk)
            {
                return emptied.Fault;
            }
        }

        healing.Works.End(device.Index);
        healing.Places.Forget(device.Index);
        Devices.Remove(device);
        if (device.Id != default)
        {
            healing.Losses.GiveUp(Service.Ordinals.Of(device));
        }

        await device.CloseAsync();
        healing.OnDevicesChanged();
        return new DeviceChangeResult
        {
            Index = device.Index,
            Path = device.Path,
            Id = device.Id == default ? null : device.Id.ToString(),
            Draining = false,
        };
    }

    private async ValueTask<Result> EmptyAsync(StorageDevice device)
    {
        if (device.Id == default)
        {
            return Result.Ok; // It was never here: nothing is known to lie on it.
        }

        if (!DeviceLosses.IsHere(device))
        {
            healing.Losses.GiveUp(Service.Ordinals.Of(device));
        }

        return await healing.Works.DrainAsync(device);
    }

    /// <summary>Every class must find a device for each of its shards without this one.</summary>
    private Fault? RefuseToEmpty(StorageDevice device)
    {
        int remaining = Devices.All.Count(
            other => other != device && !other.IsDraining && DeviceLosses.IsHere(other));
        (string name, ObjectClass largest) =
            Service.Classes.MaxBy(each => each.Value.Geometry.Redundancy.TotalShards);
        int needed = largest.Geometry.Redundancy.TotalShards;
        return remaining >= needed
            ? null
            : new Fault(
                FaultCode.Unavailable,
                $"{remaining} healthy devices would remain, and objects of class \"{name}\" are "
                    + $"spread over {needed}",
                "replace the device, add another one first, or choose a smaller redundancy");
    }

    private Result<StorageDevice> Open(
        WorkerDeviceParameters call, OwnedFd root, StorageDevice? before)
    {
        StorageDevice device = StorageDevice.Open(
            call.Index, call.Path, root, terms.StateId, Service.Reactor, Service.Pool,
            mayFormat: call.MayFormat, options: terms.Log);
        Fault? fault = null;
        if (!device.IsOpen)
        {
            fault = new Fault(
                CodeOf(device.State), device.Reason ?? $"device {call.Index} cannot be opened");
        }
        else if (Devices.Find(device.Id) is { } same && same != before)
        {
            fault = new Fault(
                FaultCode.Exists,
                $"{call.Path} holds device {device.Id}, which is device {same.Index} "
                    + $"({same.Path}) already",
                "name another directory or disk");
        }
        else if (before is not null && before.Id == device.Id && DeviceLosses.IsHere(before))
        {
            fault = new Fault(
                FaultCode.Exists,
                $"{call.Path} is device {call.Index} itself",
                "name another directory or disk");
        }

        if (fault is null)
        {
            return device;
        }

        device.Dispose();
        return fault;
    }

    private async ValueTask<Result<DeviceChangeResult>> TakeInAsync(
        StorageDevice device, StorageDevice? before)
    {
        bool isEmpty = device.Log!.Segments.Count == 0;
        Result<RecoveryReport> read = await ObjectRecovery.TakeInAsync(
            Service, device, () => PutInPlace(device));
        if (!read.IsOk)
        {
            device.Dispose();
            return read.Fault;
        }

        if (before is not null)
        {
            await before.CloseAsync();
        }

        healing.Places.NoteAll();
        healing.OnDevicesChanged();
        return new DeviceChangeResult
        {
            Index = device.Index,
            Path = device.Path,
            State = ObjectReports.StateOf(device.State),
            Id = device.Id.ToString(),
            Reason = device.Reason,
            Formatted = isEmpty,
        };
    }

    private void PutInPlace(StorageDevice device)
    {
        if (Devices.Find(device.Index) is null)
        {
            Devices.Add(device);
        }
        else
        {
            Devices.Replace(device);
        }
    }

    /// <summary>
    /// Whose shards are missed when the device is exchanged: its own, those that it had yet to be
    /// filled with, and those of the device whose place it took unasked.
    /// </summary>
    private ImmutableArray<DeviceId> LostAt(StorageDevice device)
    {
        var lost = new HashSet<DeviceId> { device.Id, healing.Places.Find(device.Index) };
        if (healing.Works.Find(device.Index) is { Kind: DeviceWorkKind.Fill } work)
        {
            lost.UnionWith(work.Before);
        }

        lost.Remove(default);
        if (lost.Count == 0 && LostDevice() is var only && only != default)
        {
            lost.Add(only);
        }

        return [.. lost];
    }

    /// <summary>
    /// The device that was at a place where none was found at the start: the only one that the
    /// catalog knows and that is not here. Where there are several, nobody can tell.
    /// </summary>
    private DeviceId LostDevice()
    {
        var lost = new List<DeviceId>();
        for (int ordinal = 0; ordinal < byte.MaxValue; ordinal++)
        {
            UInt128 known = Service.Catalog.DeviceOf((byte)ordinal);
            var id = new DeviceId(new ObjectId(known));
            if (known != 0 && Devices.Find(id) is null)
            {
                lost.Add(id);
            }
        }

        return lost.Count == 1 ? lost[0] : default;
    }

    private static FaultCode CodeOf(Storage.DeviceState state) => state switch
    {
        Storage.DeviceState.Missing => FaultCode.BadState,
        Storage.DeviceState.Full => FaultCode.NoSpace,
        Storage.DeviceState.ReadOnly => FaultCode.Denied,
        _ => FaultCode.BadState,
    };
}
