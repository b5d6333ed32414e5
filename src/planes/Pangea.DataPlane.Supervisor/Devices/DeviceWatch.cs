using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// Looks every few seconds for devices that are not there, such as a disk that is mounted later or
/// plugged in again, and hands each to the worker when it appears. Healthy devices are not touched.
/// </summary>
internal sealed class DeviceWatch(
    IReactor reactor, WorkerDevices devices, DeviceChanges changes, WorkerCalls calls)
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_statusTimeMax = TimeSpan.FromSeconds(3);

    private readonly Dictionary<int, string> _refusals = [];

    /// <summary>Watches for as long as a worker is ready.</summary>
    // async void on purpose: a defect in here ends the supervisor instead of its watchfulness.
    public async void Run(
        Func<bool> isReady, Func<bool> lacksDevices, CancellationToken stopping)
    {
        _refusals.Clear();
        while (true)
        {
            await reactor.DelayAsync(s_lookEvery, stopping);
            if (stopping.IsCancellationRequested || !isReady())
            {
                return;
            }

            // A full report costs the worker tens of kilobytes: it is asked for where the worker's
            // statistics, or what was opened for it, say that there is something to look for.
            bool isOpen = devices.Table.Places.All(
                place => devices.At(place.Index)?.Opened is not null);
            if (changes.IsChanging || (isOpen && !lacksDevices()))
            {
                continue;
            }

            StorageStatusResult? status = await StatusAsync();
            DevicePlace[] absent = status is null || !isReady()
                ? []
                : [.. devices.Table.Places.Where(place => IsAbsent(place, status))];
            foreach (DevicePlace place in absent)
            {
                await LookAsync(place);
            }
        }
    }

    private bool IsAbsent(DevicePlace place, StorageStatusResult status) =>
        devices.At(place.Index)?.Opened is null
        || status.Devices.Any(device => device.Index == place.Index
            && device.State is DeviceState.Missing or DeviceState.Failed);

    private async ValueTask LookAsync(DevicePlace place)
    {
        if (changes.IsChanging || !devices.Table.Places.Contains(place))
        {
            return; // Somebody else is at it, or it is gone by now.
        }

        Result<OpenedPath> opened = devices.Open(place);
        if (!opened.IsOk)
        {
            Note(place, opened.Fault);
            return;
        }

        // The same directory or disk as before: the worker has it open and tries it by itself.
        // Another one at the same path is a file system that has been mounted since.
        if (devices.Find(opened.Value.Identity) is not null)
        {
            opened.Value.Fd.Dispose();
            return;
        }

        if (await changes.ReturnAsync(place, opened.Value) is { } fault)
        {
            Note(place, fault);
            return;
        }

        _refusals.Remove(place.Index);
        EventLog.Write("device.returned", ("index", place.Index), ("path", place.Path));
    }

    /// <summary>Said once, not every two seconds.</summary>
    private void Note(DevicePlace place, Fault fault)
    {
        bool isKnown = _refusals.TryGetValue(place.Index, out string? known)
            && known == fault.Message;
        _refusals[place.Index] = fault.Message;
        if (!isKnown && fault.Code is not (FaultCode.NotFound or FaultCode.WorkerLost))
        {
            EventLog.Write("device.notReturned", fault);
        }
    }

    private Task<StorageStatusResult?> StatusAsync()
    {
        var answer = new TaskCompletionSource<StorageStatusResult?>();
        calls.Call(
            WorkerMethods.StorageStatus,
            new Nothing(),
            null,
            s_statusTimeMax,
            result => answer.SetResult(result.IsOk ? result.Value : null));
        return answer.Task;
    }
}
