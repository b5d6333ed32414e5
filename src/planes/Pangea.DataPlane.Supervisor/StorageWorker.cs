using System.Globalization;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.Processes;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// The place of one storage worker: starts the process, hands it what it may touch, notices its
/// death, starts it again with growing pauses. The calls it has live in <see cref="WorkerCalls"/>.
/// </summary>
internal sealed partial class StorageWorker : IRpcPeer
{
    private const string Role = "storage";
    private const int Index = 0;
    private static readonly TimeSpan s_pauseMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromSeconds(10);

    // One that was ready served somebody, and calls wait for the next one: it comes at once. The
    // breaker keeps this from going on for ever, and a death soon after readiness still waits.
    private static readonly TimeSpan s_servedAfter = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_pauseAfterReadyMax = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_pingEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pingTimeMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_waitTimeMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_stopTimeMax = TimeSpan.FromSeconds(5);

    private readonly IReactor _reactor;
    private ApplianceConfiguration _configuration;
    private readonly StateDirectory _state;
    private readonly IPrivilegedSteps _steps;
    private readonly CancellationTokenSource _stopping = new();
    private readonly DeviceWatch _watch;
    private readonly Standby _standby;
    private ChildProcess? _child;
    private RpcConnection? _channel;
    private WorkerStartResult? _ready;
    private long _readySinceMs;
    private int _restarts;

    public StorageWorker(
        IReactor reactor,
        ApplianceConfiguration configuration,
        StateDirectory state,
        IPrivilegedSteps steps)
    {
        _reactor = reactor;
        _steps = steps;
        _configuration = configuration;
        _state = state;
        _breaker = new RestartBreaker(configuration.DeathsPerMinuteMax);
        Calls = new WorkerCalls(reactor, s_waitTimeMax);
        Devices = new WorkerDevices(
            configuration, state, new DeviceTable(configuration, state), steps);
        Changes = new DeviceChanges(
            reactor, configuration, state, Devices, Calls, () => State == WorkerState.Ready,
            MakeReachableAsync);
        _standby = new Standby(
            reactor, state, steps, this, () => State == WorkerState.Ready, OpenPlaces);
        _watch = new DeviceWatch(reactor, Devices, Changes, Calls);
    }

    public WorkerCalls Calls { get; }

    public WorkerState State { get; private set; } = WorkerState.Starting;

    /// <summary>True once a worker has been ready.</summary>
    public bool HasBeenReady { get; private set; }

    /// <summary>As they are open for the present worker.</summary>
    public WorkerDevices Devices { get; }

    public DeviceChanges Changes { get; }

    /// <summary>Starts, and keeps the place filled until <see cref="Stop"/>.</summary>
    /// <param name="onStopped">Called once when the last process has ended.</param>
    // async void on purpose: a defect in here ends the supervisor instead of leaving it without a
    // worker.
    public async void Run(Action onStopped)
    {
        TimeSpan pause = s_pauseMin;
        while (!_stopping.IsCancellationRequested)
        {
            State = WorkerState.Starting;
            Result started = Launch();
            if (started.IsOk)
            {
                ExitStatus status = await WaitForExitAsync(_child!);
                pause = PauseAfter(pause);
                OnExit(status);
            }
            else
            {
                Calls.LastFailure = started.Fault;
                EventLog.Write("worker.notStarted", started.Fault);
                NotifyReady(started.Fault);
            }

            if (_stopping.IsCancellationRequested)
            {
                break;
            }

            State = WorkerState.Restarting;
            if (_isRestarting)
            {
                // Asked for: no pause, and no sign of anything wrong.
                _isRestarting = false;
                _restarts++;
                continue;
            }

            await ReckonAsync();
            if (_stopping.IsCancellationRequested)
            {
                break;
            }

            State = WorkerState.Restarting;
            EventLog.Write(
                "worker.restarting", ("index", Index), ("pauseMs", (long)pause.TotalMilliseconds));
            await _reactor.DelayAsync(pause, _stopping.Token);
            pause = pause == TimeSpan.Zero ? s_pauseMin
                : pause * 2 < s_pauseMax ? pause * 2 : s_pauseMax;
            _restarts++;
        }

        State = WorkerState.Stopped;
        NotifyReady(new Fault(FaultCode.BadState, "the appliance is stopping"));
        await _standby.EndAsync();
        Devices.Dispose();
        onStopped();
    }

    /// <summary>Until the next start, after a death; before was the last pause, doubled.</summary>
    private TimeSpan PauseAfter(TimeSpan before)
    {
        if (_ready is null)
        {
            return before;
        }

        double aliveMs = Environment.TickCount64 - _readySinceMs;
        return aliveMs > s_servedAfter.TotalMilliseconds ? TimeSpan.Zero
            : before < s_pauseAfterReadyMax ? before : s_pauseAfterReadyMax;
    }

    /// <summary>
    /// Ends the worker: its channel closes, and if that does not end it in time, it is killed.
    /// </summary>
    public void Stop()
    {
        if (_stopping.IsCancellationRequested)
        {
            Kill("stopping at once");
            return;
        }

        _stopping.Cancel();
        Calls.Refuse(new Fault(
            FaultCode.BadState, "the appliance is stopping", "call again once it is back"));
        _channel?.Close(null);
        KillAfter(s_stopTimeMax, _child);
    }

    /// <summary>From now on this configuration; what a worker is told, the next one is.</summary>
    public void Use(ApplianceConfiguration configuration)
    {
        _configuration = configuration;
        _breaker.DeathsMax = configuration.DeathsPerMinuteMax;
        Devices.Use(configuration);
        Changes.Use(configuration);
        _standby.Keep(configuration);
    }

    /// <summary>What is known about the worker now.</summary>
    public WorkerStatus Status()
    {
        ProcessFacts? facts = _child is null ? null : ProcessFacts.Read(_child.Pid);
        bool ready = State == WorkerState.Ready;
        IReadOnlyList<DescriptorCount>? descriptors =
            _child is null ? null : ProcessFacts.Descriptors(_child.Pid);
        return new WorkerStatus
        {
            Index = Index,
            Role = Role,
            State = State,
            Pid = _child?.Pid,
            Core = _configuration.Cores.LoopCoreOf(WorkerRole.Storage),
            Node = _configuration.Cores.NodeOf(WorkerRole.Storage) ?? 0,
            Uid = facts?.Uid,
            Restarts = _restarts,
            UptimeSeconds = ready ? (Environment.TickCount64 - _readySinceMs) / 1000 : null,
            RssBytes = facts?.RssBytes,
            Ring = ready ? _ready?.Ring : null,
            RingReason = ready ? _ready?.RingReason : null,
            Buffers = ready ? _ready?.Buffers : null,
            ErasureKernel = ready ? _ready?.ErasureKernel : null,
            ErasureKernelReason = ready ? _ready?.ErasureKernelReason : null,
            Isolation = facts?.Isolation(_steps.StartedByRoot),
            Missing = ready ? _ready?.Missing : null,
            Gid = facts?.Gid,
            Threads = facts?.Threads,
            Capabilities = ProcessFacts.Text(facts?.Capabilities),
            CapabilitiesPermitted = ProcessFacts.Text(facts?.Permitted),
            CapabilitiesEffective = ProcessFacts.Text(facts?.Effective),
            CapabilitiesInheritable = ProcessFacts.Text(facts?.Inheritable),
            CapabilitiesAmbient = ProcessFacts.Text(facts?.Ambient),
            CapabilitiesBounding = ProcessFacts.Text(facts?.BoundingSet),
            NoNewPrivileges = facts?.NoNewPrivileges,
            Seccomp = facts?.SeccompName,
            Landlock = ready ? _ready?.Landlock : null,
            Cores = facts?.Cores,
            OpenDescriptors = descriptors?.Sum(each => each.Count),
            Descriptors = descriptors,
            Standby = _standby.Status(),
        };
    }

    public void OnMessage(RpcConnection connection, RpcMessage message, DescriptorSet descriptors)
    {
        if (!ReferenceEquals(connection, _channel))
        {
            _standby.OnMessage(connection, message);
            return;
        }

        if (message.Kind == RpcKind.Request)
        {
            // It has all that it may have; nothing of the supervisor's is for the asking.
            EventLog.Write(
                "worker.refused", ("index", Index), ("asked", WorkerCalls.Shorten(message.Method)));
            connection.Answer(message, new Fault(
                FaultCode.Denied, "a worker gets nothing for the asking"));
            return;
        }

        Calls.OnMessage(message);
    }

    public void OnRefused(RpcConnection connection, RpcRefusal refusal)
    {
        if (ReferenceEquals(connection, _channel))
        {
            EventLog.Write("worker.insane", refusal.Fault);
            Kill("it sent a line that is no message");
        }
    }

    public void OnClosed(RpcConnection connection, Fault? fault)
    {
        if (!ReferenceEquals(connection, _channel))
        {
            return; // An earlier worker's.
        }

        // A worker without its channel is of no use to anybody.
        LoseChannel();
        if (!_stopping.IsCancellationRequested)
        {
            Kill(fault?.Message ?? "it closed its channel");
        }
    }

    private Result Launch()
    {
        Result<OwnedFd> key = _state.OpenKey();
        if (!key.IsOk)
        {
            return key.Fault;
        }

        Result<OwnedFd> catalog = _state.OpenCatalog(_configuration.User);
        if (!catalog.IsOk)
        {
            key.Value.Dispose();
            return catalog.Fault;
        }

        RenewSegment();
        Devices.OpenAll();
        Result process = TakeProcess(catalog.Value);
        if (!process.IsOk)
        {
            key.Value.Dispose();
            catalog.Value.Dispose();
            return process;
        }

        _ready = null;
        Calls.Attach(_channel!);
        SendStart(key.Value, catalog.Value);
        return Result.Ok;
    }

    /// <summary>The standby where there is one that fits, a new process elsewhere.</summary>
    private Result TakeProcess(OwnedFd catalog)
    {
        List<OwnedFd> places = Places(catalog);
        if (_standby.Take(_configuration, catalog) is { } standby)
        {
            _reachable.UnionWith(standby.Places);
            _child = standby.Child;
            _channel = standby.Channel;
            return Result.Ok;
        }

        Result<(ChildProcess Child, UnixSocket Channel)> launched =
            WorkerLaunch.Start(_steps, _configuration, places);
        if (!launched.IsOk)
        {
            return launched.Fault;
        }

        _child = launched.Value.Child;
        _channel = new RpcConnection(_reactor, launched.Value.Channel, this, callsMax: 0);
        _channel.Start();
        return Result.Ok;
    }

    private void SendStart(OwnedFd key, OwnedFd catalog)
    {
        List<OwnedFd> descriptors = [];
        List<StartDevice> devices = Devices.ForStart(descriptors);

        var parameters = new WorkerStartParameters
        {
            Role = Role,
            Index = Index,
            Core = _configuration.Cores.LoopCoreOf(WorkerRole.Storage),
            StateId = _state.Id,
            Redundancy = new RedundancyRecord
            {
                DataShards = _configuration.Redundancy.DataShards,
                ParityShards = _configuration.Redundancy.ParityShards,
            },
            StripeBytes = _configuration.StripeBytes,
            Compression = _configuration.Compression,
            Classes = _configuration.Classes,
            EarlierGeometries = _state.Geometries,
            Threads = _configuration.StorageThreads,
            Devices = devices,
            Keys = [new StartKey { Descriptor = descriptors.Count }],
            Catalog = new StartCatalog { Descriptor = descriptors.Count + 1 },
            Storage = _configuration.Settings,
            Stats = _segment is null ? null : descriptors.Count + 2,
            Manifest = Manifest(),
        };
        descriptors.Add(key);
        descriptors.Add(catalog);
        if (_segment is not null)
        {
            descriptors.Add(OwnedFd.Borrow(_segment.File.Number));
        }

        ChildProcess child = _child!;
        Calls.Call(
            WorkerMethods.Start,
            parameters,
            new DescriptorSet(descriptors),
            Timeout.InfiniteTimeSpan,
            result => OnStarted(child, result));
    }

    /// <summary>
    /// Hands the worker the key file anew. The callback gets null when the worker has taken it, or
    /// will when it starts.
    /// </summary>
    public void ReloadKeys(Action<Fault?> onDone)
    {
        if (State != WorkerState.Ready)
        {
            onDone(null);
            return;
        }

        Result<OwnedFd> key = _state.OpenKey();
        if (!key.IsOk)
        {
            onDone(key.Fault);
            return;
        }

        Calls.Call(
            WorkerMethods.Keys,
            new WorkerKeysParameters { Keys = [new StartKey { Descriptor = 0 }] },
            new DescriptorSet([key.Value]),
            TimeSpan.FromSeconds(WorkerMethods.Keys.TimeoutSeconds),
            result => onDone(result.Fault));
    }

    private void OnStarted(ChildProcess child, Result<WorkerStartResult> result)
    {
        if (!ReferenceEquals(child, _child))
        {
            return; // The answer of a worker that has ended since.
        }

        if (!result.IsOk)
        {
            if (result.Fault.Code != FaultCode.WorkerLost)
            {
                Calls.LastFailure = result.Fault;
                EventLog.Write("worker.refusedStart", result.Fault);
                NotifyReady(result.Fault);
                Kill("it did not start");
            }

            return;
        }

        _ready = result.Value;
        _readySinceMs = Environment.TickCount64;
        Calls.LastFailure = null;
        State = WorkerState.Ready;
        HasBeenReady = true;
        ProcessFacts? facts = ProcessFacts.Read(child.Pid);
        EventLog.Write(
            "worker.started",
            ("index", Index),
            ("role", Role),
            ("pid", child.Pid),
            ("core", _configuration.Cores.LoopCoreOf(WorkerRole.Storage)),
            ("ring", _ready.Ring),
            ("buffers", _ready.Buffers),
            ("isolation", facts?.Isolation(_steps.StartedByRoot)));
        if (_state.NoteDevicesInUse(_ready.DevicesInUse) is { } notNoted)
        {
            EventLog.Write("state.notWritten", notNoted);
        }

        foreach (string remark in _ready.Remarks ?? [])
        {
            EventLog.Write("worker.remark", ("index", Index), ("text", remark));
        }

        Calls.Open();
        NotifyReady(null);
        Watch(child);
        WatchHeartbeat(child);
        Changes.OnWorkerReady();
        _standby.Keep(_configuration);
        _watch.Run(
            () => ReferenceEquals(child, _child) && State == WorkerState.Ready, LacksDevices,
            _stopping.Token);
    }

    /// <summary>
    /// A loop that no longer turns looks alive from outside; it is ended and started afresh.
    /// </summary>
    private async void Watch(ChildProcess child)
    {
        while (true)
        {
            await _reactor.DelayAsync(s_pingEvery, _stopping.Token);
            bool present = ReferenceEquals(child, _child) && State == WorkerState.Ready;
            if (!present || _stopping.IsCancellationRequested)
            {
                return;
            }

            // What devices there are may have changed, and with them the jail of the next one.
            _standby.Keep(_configuration);
            Calls.Call(WorkerMethods.Ping, new Nothing(), null, s_pingTimeMax, result =>
            {
                if (result.Fault?.Code == FaultCode.TimedOut && ReferenceEquals(child, _child))
                {
                    Kill("it does not answer");
                }
            });
        }
    }

    private async ValueTask<ExitStatus> WaitForExitAsync(ChildProcess child)
    {
        while (true)
        {
            if (child.TryReap() is { } status)
            {
                return status;
            }

            SysResult ended = await _reactor.PollAsync(child.PidFd, PollEvents.Readable);
            Invariant.Check(ended.IsOk, ended.ToString());
        }
    }

    private void OnExit(ExitStatus status)
    {
        EventLog.Write(
            _stopping.IsCancellationRequested || _isRestarting ? "worker.stopped" : "worker.lost",
            ("index", Index),
            ("pid", _child!.Pid),
            ("status", status));
        LoseChannel();
        KeepSegment(status);
        _child.Dispose();
        _child = null;
        _ready = null;
    }

    private void LoseChannel()
    {
        RpcConnection? channel = _channel;
        _channel = null;
        if (channel is null)
        {
            return;
        }

        channel.Close(null);
        State = _stopping.IsCancellationRequested ? State : WorkerState.Restarting;
        Calls.Detach(new Fault(
            FaultCode.WorkerLost,
            "the storage worker ended during the call",
            "call again: it is being restarted, and nothing half-done stays visible"));
    }

    private void Kill(string reason)
    {
        if (_child is not null && _child.TryReap() is null)
        {
            EventLog.Write(
                "worker.killed", ("index", Index), ("pid", _child.Pid), ("reason", reason));
            _child.Kill(ChildProcess.SigKill);
        }
    }

    private async void KillAfter(TimeSpan bound, ChildProcess? child)
    {
        await _reactor.DelayAsync(bound);
        if (child is not null && ReferenceEquals(child, _child))
        {
            Kill("it did not end in time");
        }
    }
}
