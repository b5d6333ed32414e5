using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// Changes the devices of a running appliance: opens what is new, lets the worker take it or give
/// it up, and notes the change in the state once the worker has. A change that is interrupted
/// anywhere before that note has not happened and can be asked for again. One at a time.
/// </summary>
internal sealed class DeviceChanges(
    IReactor reactor,
    ApplianceConfiguration configuration,
    StateDirectory state,
    WorkerDevices devices,
    WorkerCalls calls,
    Func<bool> isReady,
    Func<OpenedPath, ValueTask<Fault?>> makeReachable)
{
    // What is wrong with a removal shows at once; emptying a device takes as long as it takes.
    private static readonly TimeSpan s_refusalTimeMax = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_callTimeMax =
        TimeSpan.FromSeconds(WorkerDeviceMethods.Add.TimeoutSeconds);

    private readonly Dictionary<int, string> _remarks = [];
    private bool _changing;

    private ApplianceConfiguration _configuration = configuration;

    /// <summary>From now on this configuration.</summary>
    public void Use(ApplianceConfiguration next) => _configuration = next;

    /// <summary>True while a change is under way.</summary>
    public bool IsChanging => _changing;

    /// <summary>Why the last attempt to empty the device failed; null where none did.</summary>
    public string? RemarkOn(int index) => _remarks.GetValueOrDefault(index);

    public async ValueTask<Result<DeviceChangeResult>> AddAsync(DeviceAddParameters call)
    {
        if (devices.Table.FreeIndex is not { } index)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"there are {Limits.DevicesMax} devices, more are not possible",
                "take one out, or replace one by a larger one");
        }

        var place = new DevicePlace(index, call.Path, DeviceSource.State, Draining: false);
        return await AttachAsync(place, WorkerDeviceMethods.Add, replaced: null);
    }

    public async ValueTask<Result<DeviceChangeResult>> ReplaceAsync(DeviceReplaceParameters call)
    {
        Result<DevicePlace> found = devices.Table.Find(call.Device);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        if (found.Value.Draining)
        {
            return new Fault(
                FaultCode.BadState,
                $"device {found.Value.Index} is being taken out",
                "wait until it is out and add the new one, or take it out with force");
        }

        var place = new DevicePlace(
            found.Value.Index, call.Path, DeviceSource.State, Draining: false);
        return await AttachAsync(place, WorkerDeviceMethods.Replace, found.Value);
    }

    /// <summary>
    /// Replies when the device is out, or as soon as it is clear that emptying it has begun.
    /// </summary>
    public async ValueTask<Result<DeviceChangeResult>> RemoveAsync(DeviceRemoveParameters call)
    {
        Result<DevicePlace> found = devices.Table.Find(call.Device);
        Fault? fault = found.Fault ?? Begin() ?? CheckRemaining(found.Value);
        if (fault is not null)
        {
            return fault;
        }

        DevicePlace place = found.Value;
        _changing = true;
        try
        {
            if (call.Force)
            {
                return await TakeOutAsync(place, force: true);
            }

            var underWay = new DeviceChangeResult
            {
                Index = place.Index,
                Path = place.Path,
                Draining = true,
            };
            if (place.Draining)
            {
                return underWay;
            }

            if (devices.Table.SetDraining(place, draining: true) is { } unnoted)
            {
                return unnoted;
            }

            DevicePlace draining = place with { Draining = true };
            Show(draining);
            Task<Result<DeviceChangeResult>> drained = DrainAsync(draining);
            await Task.WhenAny(drained, reactor.DelayAsync(s_refusalTimeMax).AsTask());
            return drained.IsCompleted && drained.Result.Fault?.Code != FaultCode.WorkerLost
                ? drained.Result
                : underWay;
        }
        finally
        {
            _changing = false;
        }
    }

    /// <summary>Goes on emptying what was being emptied when an earlier worker ended.</summary>
    public void OnWorkerReady()
    {
        foreach (DevicePlace place in devices.Table.Places.Where(place => place.Draining))
        {
            _ = DrainAsync(place);
        }
    }

    /// <summary>
    /// Gives the worker a device that was missing and is back. Nothing is noted: it is where the
    /// table says already.
    /// </summary>
    public async ValueTask<Fault?> ReturnAsync(DevicePlace place, OpenedPath opened)
    {
        _changing = true;
        try
        {
            Result<DeviceChangeResult> taken = await CallAsync(
                WorkerDeviceMethods.Add, Parameters(place, devices.MayFormat(place)), opened);

            // A worker that was restarted to reach the device got it with its start already.
            bool isHere = devices.Find(opened.Identity)?.Place.Index == place.Index;
            if (!taken.IsOk || isHere)
            {
                opened.Fd.Dispose();
                return isHere ? state.NoteDevicesInUse([place.Path]) : taken.Fault;
            }

            devices.Put(new OpenedDevice(place, opened, DeviceState.Ok, null));
            return state.NoteDevicesInUse([place.Path]);
        }
        finally
        {
            _changing = false;
        }
    }

    private async ValueTask<Result<DeviceChangeResult>> AttachAsync(
        DevicePlace place,
        RpcMethod<WorkerDeviceParameters, DeviceChangeResult> method,
        DevicePlace? replaced)
    {
        Fault? fault = DeviceOpener.CheckPath(place.Path) ?? Begin() ?? CheckFree(place)
            ?? devices.Steps.InspectDevice(place.Path, state.Id);
        if (fault is not null)
        {
            return fault;
        }

        Result<OpenedPath> opened = devices.Steps.OpenDevice(place.Path);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        if (devices.Find(opened.Value.Identity) is { } same)
        {
            opened.Value.Fd.Dispose();
            return new Fault(
                FaultCode.Exists,
                $"{place.Path} is the place of device {same.Place.Index} ({same.Place.Path})",
                "name another directory or disk");
        }

        _changing = true;
        try
        {
            return await TakeInAsync(place, opened.Value, method, replaced);
        }
        finally
        {
            _changing = false;
        }
    }

    private async ValueTask<Result<DeviceChangeResult>> TakeInAsync(
        DevicePlace place,
        OpenedPath opened,
        RpcMethod<WorkerDeviceParameters, DeviceChangeResult> method,
        DevicePlace? replaced)
    {
        Result<DeviceChangeResult> taken = await CallAsync(
            method, Parameters(place, mayFormat: true), opened);
        Fault? fault = taken.Fault ?? devices.Table.Put(place.Index, place.Path);
        if (fault is not null)
        {
            opened.Fd.Dispose();
            return fault;
        }

        // As the table has it now: a path that the configuration names as well is not the state's.
        DevicePlace noted = devices.Table.Places.First(known => known.Index == place.Index);
        devices.Put(new OpenedDevice(noted, opened, DeviceState.Ok, null));
        _remarks.Remove(place.Index);
        if (replaced is not null && replaced.Path != place.Path)
        {
            Forget(replaced.Path);
        }

        if (state.NoteDevicesInUse([place.Path]) is { } unnoted)
        {
            EventLog.Write("state.notWritten", unnoted);
        }

        EventLog.Write(
            replaced is null ? "device.added" : "device.replaced",
            ("index", place.Index),
            ("path", place.Path),
            ("before", replaced?.Path),
            ("id", taken.Value.Id),
            ("formatted", taken.Value.Formatted));
        return taken.Value with { Index = place.Index, Path = place.Path };
    }

    /// <summary>Empties the device and takes it out; a worker's end is made up for later.</summary>
    private async Task<Result<DeviceChangeResult>> DrainAsync(DevicePlace place)
    {
        EventLog.Write("device.draining", ("index", place.Index), ("path", place.Path));
        Result<DeviceChangeResult> removed = await TakeOutAsync(place, force: false);
        if (removed.IsOk || removed.Fault.Code is FaultCode.WorkerLost or FaultCode.Canceled)
        {
            return removed;
        }

        EventLog.Write("device.notDrained", removed.Fault);
        DevicePlace? known = devices.Table.Places.FirstOrDefault(
            each => each.Index == place.Index && each.Path == place.Path && each.Draining);
        if (known is not null)
        {
            _remarks[place.Index] = $"cannot be emptied: {removed.Fault.Message}";
            if (devices.Table.SetDraining(known, draining: false) is { } unnoted)
            {
                EventLog.Write("state.notWritten", unnoted);
            }

            Show(known with { Draining = false });
        }

        return removed;
    }

    private async Task<Result<DeviceChangeResult>> TakeOutAsync(DevicePlace place, bool force)
    {
        Result<DeviceChangeResult> removed = await CallAsync(
            WorkerDeviceMethods.Remove,
            new WorkerDeviceRemoveParameters { Index = place.Index, Force = force },
            null);
        if (!removed.IsOk)
        {
            return removed;
        }

        // Two calls may end it: one that empties it and one that does not wait for that.
        if (devices.At(place.Index)?.Place.Path == place.Path)
        {
            if (devices.Table.Remove(place.Index) is { } unnoted)
            {
                return unnoted;
            }

            devices.Remove(place.Index);
            _remarks.Remove(place.Index);
            Forget(place.Path);
            EventLog.Write(
                "device.removed", ("index", place.Index), ("path", place.Path), ("force", force));
        }

        return new DeviceChangeResult
        {
            Index = place.Index,
            Path = place.Path,
            Id = removed.Value.Id,
            Draining = false,
        };
    }

    private Fault? Begin() => _changing
        ? new Fault(FaultCode.Busy, "the devices are being changed already", "call again later")
        : isReady()
            ? null
            : new Fault(
                FaultCode.Busy,
                "no storage worker is ready to change its devices",
                "call again once pangea status shows one that is");

    private Fault? CheckFree(DevicePlace place) =>
        devices.Table.Places.FirstOrDefault(known =>
            known.Path == place.Path && known.Index != place.Index) is { } other
            ? new Fault(
                FaultCode.Exists,
                $"{place.Path} is device {other.Index} already",
                "name another directory or disk")
            : null;

    /// <summary>Every class must find as many devices as it has shards.</summary>
    private Fault? CheckRemaining(DevicePlace place)
    {
        int remaining = devices.Table.Places.Count(
            known => known.Index != place.Index && !known.Draining);
        int needed = _configuration.Classes
            .Select(kind => kind.Redundancy.DataShards + kind.Redundancy.ParityShards)
            .Append(_configuration.Redundancy.TotalShards)
            .Max();
        return remaining >= needed
            ? null
            : new Fault(
                FaultCode.Unavailable,
                $"{remaining} devices would remain, and objects are spread over {needed}",
                "replace the device, add another one first, or choose a smaller redundancy");
    }

    private static WorkerDeviceParameters Parameters(DevicePlace place, bool mayFormat) => new()
    {
        Index = place.Index,
        Path = place.Path,
        Descriptor = 0,
        MayFormat = mayFormat,
    };

    private void Show(DevicePlace place)
    {
        if (devices.At(place.Index) is { } device)
        {
            devices.Put(device with { Place = place });
        }
    }

    private void Forget(string path)
    {
        if (state.ForgetDeviceInUse(path) is { } unnoted)
        {
            EventLog.Write("state.notWritten", unnoted);
        }
    }

    private async Task<Result<TResult>> CallAsync<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method, TParameters parameters, OpenedPath? opened)
    {
        if (opened is not null && await makeReachable(opened) is { } unreachable)
        {
            return unreachable;
        }

        var answer = new TaskCompletionSource<Result<TResult>>();
        calls.Call(
            method,
            parameters,
            opened is null ? null : new DescriptorSet([OwnedFd.Borrow(opened.Fd.Number)]),
            method.TimeoutSeconds == 0 ? Timeout.InfiniteTimeSpan : s_callTimeMax,
            answer.SetResult);
        return await answer.Task;
    }
}
