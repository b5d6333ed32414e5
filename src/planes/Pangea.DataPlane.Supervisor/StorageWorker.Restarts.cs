using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Processes;

namespace Pangea.DataPlane.Supervisor;

/// <content>
/// Restarts that are asked for, and the end of those that are not: a worker that keeps dying.
/// </content>
internal sealed partial class StorageWorker
{
    private static readonly TimeSpan s_drainTimeMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_drainLook = TimeSpan.FromMilliseconds(5);

    private readonly List<TaskCompletionSource<Fault?>> _awaitingReady = [];
    private readonly HashSet<DeviceIdentity> _reachable = [];
    private readonly List<OpenedPath> _joining = [];
    private readonly RestartBreaker _breaker;
    private TaskCompletionSource? _revival;
    private bool _isRestarting;

    /// <summary>Times it was started again, for whatever reason.</summary>
    public int Restarts => _restarts;

    /// <summary>
    /// Ends the worker once its calls are done, or after a bound, and starts another; calls that
    /// come meanwhile wait for it. A worker that had been given up gets another try.
    /// </summary>
    public async ValueTask<Result<WorkerRestartResult>> RestartAsync(string reason)
    {
        if (_stopping.IsCancellationRequested || _isRestarting)
        {
            return new Fault(
                _isRestarting ? FaultCode.Busy : FaultCode.BadState,
                _isRestarting ? "it is being restarted already" : "the appliance is stopping",
                "call again later");
        }

        var ready = new TaskCompletionSource<Fault?>();
        _awaitingReady.Add(ready);
        EventLog.Write("worker.restart", ("index", Index), ("reason", reason));
        bool drained = true;
        if (_revival is not null)
        {
            _breaker.Reset();
            _revival.TrySetResult();
        }
        else if (State == WorkerState.Ready)
        {
            drained = await EndInOrderAsync();
        }

        return await ready.Task is { } fault
            ? fault
            : new WorkerRestartResult { Index = Index, Drained = drained, Pid = _child?.Pid ?? 0 };
    }

    /// <summary>
    /// Behind Landlock a worker opens files only in the places that its jail was given, so a device
    /// that came later needs a new one. Its calls are drained first.
    /// </summary>
    /// <returns>Null once the worker can use the device; or why it does not.</returns>
    public async ValueTask<Fault?> MakeReachableAsync(OpenedPath device)
    {
        bool needsNone = _ready?.Landlock != true
            || device.Identity.Kind == DeviceKind.Block
            || _reachable.Contains(device.Identity);
        if (needsNone)
        {
            return null;
        }

        _joining.Add(device);
        Result<WorkerRestartResult> restarted = await RestartAsync("a device was added");
        _joining.Remove(device);
        return restarted.Fault;
    }

    /// <summary>Where the worker may open files: its devices and its catalog.</summary>
    private List<OwnedFd> Places(OwnedFd catalog)
    {
        OpenedPath[] devices =
            [.. Devices.All.Select(device => device.Opened).OfType<OpenedPath>(), .. _joining];
        _reachable.Clear();
        _reachable.UnionWith(devices.Select(device => device.Identity));
        return [.. devices.Select(device => device.Fd), catalog];
    }

    /// <summary>What <c>worker.start</c> brings, in its order.</summary>
    private List<DescriptorClaim> Manifest()
    {
        List<DescriptorClaim> claims =
        [
            .. Devices.All.Where(device => device.Opened is not null).Select(device =>
                DescriptorClaim.Of(
                    $"device {device.Place.Index}",
                    device.Opened!.Identity.Kind == DeviceKind.Block
                        ? DescriptorKind.BlockDevice
                        : DescriptorKind.Directory)),
            DescriptorClaim.Of("master key", DescriptorKind.File),
            DescriptorClaim.Of("catalog", DescriptorKind.Directory),
        ];
        if (_segment is not null)
        {
            claims.Add(DescriptorClaim.Of("statistics", DescriptorKind.Memory));
        }

        return claims;
    }

    /// <summary>Lets the worker finish, then go; false where the bound passed.</summary>
    private async ValueTask<bool> EndInOrderAsync()
    {
        ChildProcess? child = _child;
        _isRestarting = true;
        bool drained = await DrainAsync();
        if (ReferenceEquals(child, _child))
        {
            LoseChannel();
            KillAfter(s_stopTimeMax, child);
        }

        return drained;
    }

    /// <summary>
    /// Holds new calls and waits for those under way; false where the bound passed.
    /// </summary>
    private async ValueTask<bool> DrainAsync()
    {
        Calls.Hold(s_drainTimeMax + s_waitTimeMax);
        long deadline = Environment.TickCount64 + (long)s_drainTimeMax.TotalMilliseconds;
        while (Calls.CallersUnderWay > 0 && State == WorkerState.Ready)
        {
            if (Environment.TickCount64 > deadline || _stopping.IsCancellationRequested)
            {
                return false;
            }

            await _reactor.DelayAsync(s_drainLook, _stopping.Token);
        }

        return true;
    }

    /// <summary>
    /// After a death that nobody asked for: decides whether there is another start, and waits for
    /// somebody to ask for it where there is none.
    /// </summary>
    private async ValueTask ReckonAsync()
    {
        if (!_breaker.Note(Environment.TickCount64))
        {
            return;
        }

        State = WorkerState.Failed;
        string hint = $"read its log, then: pangea worker restart {Index}";
        var fault = new Fault(
            FaultCode.WorkerLost,
            $"{Role} worker {Index} died {_breaker.Deaths} times in a minute and is not started "
                + "again",
            hint);
        EventLog.Write("worker.failed", fault);
        NotifyReady(fault);
        Calls.Refuse(fault);
        _revival = new TaskCompletionSource();
        using (_stopping.Token.Register(() => _revival.TrySetResult()))
        {
            await _revival.Task;
        }

        _revival = null;
        if (!_stopping.IsCancellationRequested)
        {
            Calls.Accept();
        }
    }

    private void NotifyReady(Fault? fault)
    {
        TaskCompletionSource<Fault?>[] waiting = [.. _awaitingReady];
        _awaitingReady.Clear();
        foreach (TaskCompletionSource<Fault?> each in waiting)
        {
            each.SetResult(fault);
        }
    }
}
