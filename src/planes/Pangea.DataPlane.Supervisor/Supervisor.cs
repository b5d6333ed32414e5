using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Firewall;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// The one process with privilege and names: listens on the public socket, answers what is about
/// the appliance itself, forwards what is about objects, and keeps its worker alive. Touches no
/// payload. All of it runs on the loop's thread.
/// </summary>
internal sealed partial class Supervisor : IRpcPeer
{
    private static readonly TimeSpan s_statusTimeMax = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_acceptPause = TimeSpan.FromMilliseconds(100);

    private readonly IReactor _reactor;
    private ApplianceConfiguration _configuration;
    private readonly StateDirectory _state;
    private readonly ControlSocket _socket;
    private readonly StorageWorker _worker;
    private readonly HashSet<RpcConnection> _clients = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly IPrivilegedSteps _steps;
    private readonly FirewallService? _firewall;
    private readonly FirewallCalls _firewallCalls;

    // Who started it. Not who it has become: the workers are that user too, and have no business
    // here.
    private readonly uint _uid;
    private readonly long _startedMs = Environment.TickCount64;

    public Supervisor(
        IReactor reactor,
        ApplianceConfiguration configuration,
        StateDirectory state,
        ControlSocket socket,
        IPrivilegedSteps steps,
        Func<Result<ApplianceConfiguration>> load,
        FirewallService? firewall)
    {
        _firewall = firewall;
        _firewallCalls = new FirewallCalls(firewall);
        _load = load;
        _reactor = reactor;
        _configuration = configuration;
        _state = state;
        _socket = socket;
        _steps = steps;
        _uid = steps.StartedByRoot ? 0 : UserAccount.Current.Uid;
        _worker = new StorageWorker(reactor, configuration, state, steps);
    }

    /// <summary>Of the process: 1 where it ended because it had to.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Starts on the loop's thread, from <see cref="IReactor.Run"/>.</summary>
    public void Start()
    {
        _worker.Run(OnWorkerStopped);
        _firewall?.Start();
        AcceptLoop();
        new IdleCollection(_reactor).Run();
        if (_steps is WardenClient warden)
        {
            WatchWarden(warden);
        }
    }

    /// <summary>
    /// Without its warden a supervisor can start no worker, and the present ones end with it.
    /// </summary>
    private async void WatchWarden(WardenClient warden)
    {
        // Between two calls it has nothing to say: what comes is its end.
        SysResult gone = await _reactor.PollAsync(
            warden.Channel.Fd, PollEvents.None, _stopping.Token);
        if (gone.IsOk && !_stopping.IsCancellationRequested)
        {
            EventLog.Write("warden.lost", ("effect", "the supervisor ends"));
            ExitCode = 1;
            Stop("its warden is gone");
        }
    }

    public void OnMessage(RpcConnection connection, RpcMessage message, DescriptorSet descriptors)
    {
        if (message.Kind is RpcKind.Result or RpcKind.Error)
        {
            return; // We asked nothing.
        }

        RpcMethod? method = RpcMethods.Find(message.Method);
        Fault? fault = method is null
            ? RpcMethods.NotFound(message.Method)
            : RpcParameters.Check(method, message);
        if (fault is not null)
        {
            Answer(connection, message, fault);
        }
        else if (method!.Scope == RpcScope.Forwarded)
        {
            _worker.Calls.Forward(connection, message, descriptors);
        }
        else if (message.Kind == RpcKind.Request && method == LifeMethods.ConfigReload)
        {
            AnswerReload(connection, message);
        }
        else if (message.Kind == RpcKind.Request && method == LifeMethods.SystemUpgrade)
        {
            AnswerUpgrade(connection, message);
        }
        else if (message.Kind == RpcKind.Request
            && !_firewallCalls.TryAnswer(connection, message, method, descriptors))
        {
            AnswerOwn(connection, message, method);
        }
    }

    public void OnRefused(RpcConnection connection, RpcRefusal refusal)
    {
        // Answered by the connection; a client's bad line is its own affair.
    }

    public void OnClosed(RpcConnection connection, Fault? fault)
    {
        _clients.Remove(connection);
        _worker.Calls.CallerGone(connection);
    }

    private static void Answer(RpcConnection connection, RpcMessage message, Fault fault)
    {
        if (message.Kind == RpcKind.Request)
        {
            connection.Answer(message, fault);
        }
    }

    private async void AcceptLoop()
    {
        bool failing = false;
        while (!_stopping.IsCancellationRequested)
        {
            SysResult ready = await _reactor.PollAsync(
                _socket.Listener.Fd, PollEvents.Readable, _stopping.Token);
            if (_stopping.IsCancellationRequested || _isUpgrading)
            {
                break;
            }

            Invariant.Check(ready.IsOk, ready.ToString());
            Result<UnixSocket?> accepted = _socket.Listener.Accept();
            if (!accepted.IsOk)
            {
                // Out of descriptors or memory: pause instead of spinning, others may leave. Said
                // once, not ten times a second.
                if (!failing)
                {
                    EventLog.Write("client.notAccepted", accepted.Fault);
                }

                failing = true;
                await _reactor.DelayAsync(s_acceptPause, _stopping.Token);
            }
            else if (accepted.Value is { } socket)
            {
                failing = false;
                Welcome(socket);
            }
        }
    }

    private void Welcome(UnixSocket socket)
    {
        PeerCredentials peer = socket.Peer;
        var connection = new RpcConnection(_reactor, socket, this, Limits.CallsPerConnectionMax);
        Fault? refusal = peer.Uid != 0 && peer.Uid != _uid
            ? new Fault(
                FaultCode.Denied,
                $"uid {peer.Uid} may not control this appliance",
                "ask its administrator")
            : _clients.Count >= Limits.ConnectionsMax
                ? new Fault(
                    FaultCode.Busy,
                    $"{_clients.Count} clients are connected",
                    "connect again later")
                : null;
        if (refusal is not null)
        {
            EventLog.Write(
                "client.refused", ("pid", peer.Pid), ("uid", peer.Uid), ("code", refusal.Code));
            connection.Send(RpcWriter.Error(RpcIds.Null.Span, refusal));
            connection.CloseAfterSending();
            return;
        }

        _clients.Add(connection);
        connection.Start();
    }

    private void AnswerOwn(RpcConnection connection, RpcMessage message, RpcMethod method)
    {
        ReadOnlySpan<byte> id = message.Id.Span;
        if (method == RpcMethods.SystemVersion)
        {
            connection.Answer(
                RpcWriter.Result(id, RpcMethods.SystemVersion, BuildIdentity.Describe()));
        }
        else if (method == RpcMethods.WorkerList)
        {
            var result = new WorkerListResult { Workers = [_worker.Status()] };
            connection.Answer(RpcWriter.Result(id, RpcMethods.WorkerList, result));
        }
        else if (method == WorkerControlMethods.Restart)
        {
            Restart(connection, message);
        }
        else if (method == StatsMethods.Read)
        {
            connection.Answer(RpcWriter.Result(id, StatsMethods.Read, AllStatistics()));
        }
        else if (method == StatsMethods.Postmortem)
        {
            AnswerPostmortem(connection, message);
        }
        else if (method == RpcMethods.RpcDiscover)
        {
            connection.Answer(RpcWriter.ResultRaw(id, RpcDiscovery.Write(BuildIdentity.Version)));
        }
        else if (method == RpcMethods.SystemStatus)
        {
            AnswerStatus(connection, message);
        }
        else if (method == StorageMethods.DeviceList)
        {
            AnswerDevices(connection, message);
        }
        else if (method == StorageMethods.DeviceAdd)
        {
            Change(connection, message, StorageMethods.DeviceAdd, _worker.Changes.AddAsync);
        }
        else if (method == StorageMethods.DeviceRemove)
        {
            Change(connection, message, StorageMethods.DeviceRemove, _worker.Changes.RemoveAsync);
        }
        else if (method == StorageMethods.DeviceReplace)
        {
            Change(
                connection, message, StorageMethods.DeviceReplace, _worker.Changes.ReplaceAsync);
        }
        else if (method == RpcMethods.KeyList)
        {
            AnswerKeys(connection, message, RpcMethods.KeyList, _state.KeyIds());
        }
        else if (method == RpcMethods.KeyRotate)
        {
            RotateKey(connection, message);
        }
        else
        {
            connection.Answer(
                message, new Fault(FaultCode.Internal, $"{method.Name} has no handler"));
        }
    }

    private void AnswerPostmortem(RpcConnection connection, RpcMessage message)
    {
        Result<WorkerIndexParameters> parameters =
            RpcParameters.Read(StatsMethods.Postmortem, message);
        Result<PostmortemResult> result = !parameters.IsOk
            ? parameters.Fault
            : parameters.Value.Index == 0
                ? _worker.Postmortem()
                : WorkerControlMethods.NoSuchWorker(parameters.Value.Index);
        if (result.IsOk)
        {
            connection.Answer(
                RpcWriter.Result(message.Id.Span, StatsMethods.Postmortem, result.Value));
        }
        else
        {
            connection.Answer(message, result.Fault);
        }
    }

    private StatsReadResult AllStatistics() => new()
    {
        Processes =
        [
            .. ((ProcessStats?[])[Statistics(), _worker.Statistics()]).OfType<ProcessStats>(),
        ],
    };

    /// <summary>
    /// The supervisor's own values; it has no segment, for nobody else reads them.
    /// </summary>
    private ProcessStats Statistics() => new()
    {
        Role = "supervisor",
        Index = 0,
        Pid = Environment.ProcessId,
        Heartbeats = (Environment.TickCount64 - _startedMs) / 1000,
        Metrics =
        [
            Gauge("pangea_supervisor_clients", "connections", "clients connected", _clients.Count),
            Gauge("pangea_supervisor_calls_open", "calls", "calls under way or waiting",
                _worker.Calls.Count),
            Gauge("pangea_supervisor_worker_restarts", "restarts", "restarts of all workers",
                _worker.Restarts),
            .. _firewall?.Metrics() ?? [],
        ],
    };

    private static MetricRecord Gauge(string name, string unit, string help, long value) => new()
    {
        Name = name,
        Unit = unit,
        Kind = "gauge",
        Help = help,
        Value = value,
    };

    private async void Restart(RpcConnection connection, RpcMessage message)
    {
        Result<WorkerIndexParameters> parameters =
            RpcParameters.Read(WorkerControlMethods.Restart, message);
        Result<WorkerRestartResult> result = !parameters.IsOk
            ? parameters.Fault
            : parameters.Value.Index == 0
                ? await _worker.RestartAsync("asked for")
                : WorkerControlMethods.NoSuchWorker(parameters.Value.Index);
        if (result.IsOk)
        {
            connection.Answer(RpcWriter.Result(
                message.Id.Span, WorkerControlMethods.Restart, result.Value));
        }
        else
        {
            connection.Answer(message, result.Fault);
        }
    }

    private void AnswerStatus(RpcConnection connection, RpcMessage message)
    {
        AskStorage(storage => connection.Answer(RpcWriter.Result(
            message.Id.Span, RpcMethods.SystemStatus, DescribeStatus(storage))));
    }

    private void AnswerDevices(RpcConnection connection, RpcMessage message)
    {
        AskStorage(storage => connection.Answer(RpcWriter.Result(
            message.Id.Span,
            StorageMethods.DeviceList,
            new DeviceListResult { Devices = DescribeDevices(storage) })));
    }

    private IReadOnlyList<DeviceStatus> DescribeDevices(StorageStatusResult? storage) =>
        DeviceReports.Describe(_worker.Devices, _worker.Changes, storage);

    private void AskStorage(Action<StorageStatusResult?> reply)
    {
        if (_worker.State != WorkerState.Ready)
        {
            reply(null);
            return;
        }

        // A worker that does not answer must not keep its status from being seen.
        _worker.Calls.Call(
            WorkerMethods.StorageStatus,
            new Nothing(),
            null,
            s_statusTimeMax,
            storage => reply(storage.IsOk ? storage.Value : null));
    }

    /// <summary>Makes a change of devices and answers the call with what came of it.</summary>
    private static async void Change<TParameters>(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod<TParameters, DeviceChangeResult> method,
        Func<TParameters, ValueTask<Result<DeviceChangeResult>>> change)
    {
        Result<TParameters> parameters = RpcParameters.Read(method, message);
        Result<DeviceChangeResult> result =
            parameters.IsOk ? await change(parameters.Value) : parameters.Fault;
        if (result.IsOk)
        {
            connection.Answer(RpcWriter.Result(message.Id.Span, method, result.Value));
        }
        else
        {
            connection.Answer(message, result.Fault);
        }
    }

    /// <summary>
    /// The key is durable in the file before the worker hears of it; a worker that does not answer
    /// reads it when it starts again.
    /// </summary>
    private void RotateKey(RpcConnection connection, RpcMessage message)
    {
        Result<string> added = _state.AddKey();
        if (!added.IsOk)
        {
            connection.Answer(message, added.Fault);
            return;
        }

        EventLog.Write("key.rotated", ("id", added.Value));
        _worker.ReloadKeys(fault =>
        {
            if (fault is { Code: not FaultCode.WorkerLost })
            {
                connection.Answer(message, fault);
            }
            else
            {
                AnswerKeys(connection, message, RpcMethods.KeyRotate, _state.KeyIds());
            }
        });
    }

    private static void AnswerKeys(
        RpcConnection connection,
        RpcMessage message,
        RpcMethod<Nothing, KeyListResult> method,
        Result<IReadOnlyList<string>> ids)
    {
        if (ids.IsOk)
        {
            var result = new KeyListResult { Current = ids.Value[^1], Keys = ids.Value };
            connection.Answer(RpcWriter.Result(message.Id.Span, method, result));
        }
        else
        {
            connection.Answer(message, ids.Fault);
        }
    }

    private SystemStatusResult DescribeStatus(StorageStatusResult? storage)
    {
        IReadOnlyList<DeviceStatus> devices = DescribeDevices(storage);
        return new SystemStatusResult
        {
            State = StateOf(storage, devices),
            UptimeSeconds = (Environment.TickCount64 - _startedMs) / 1000,
            Pid = Environment.ProcessId,
            StateDirectory = _configuration.StateDirectory,
            User = (_configuration.User ?? UserAccount.Current).ToString(),
            Redundancy = new RedundancyRecord
            {
                DataShards = _configuration.Redundancy.DataShards,
                ParityShards = _configuration.Redundancy.ParityShards,
            },
            StripeBytes = _configuration.StripeBytes,
            Objects = storage?.Objects,
            ObjectBytes = storage?.ObjectBytes,
            StoredBytes = storage?.StoredBytes,
            Durability = storage?.Durability,
            Catalog = storage?.Catalog,
            Devices = devices,
            Workers = [_worker.Status()],
            Privilege = DescribePrivilege(),
        };
    }

    private ApplianceState StateOf(
        StorageStatusResult? storage, IReadOnlyList<DeviceStatus> devices)
    {
        if (_stopping.IsCancellationRequested)
        {
            return ApplianceState.Stopping;
        }

        if (!_worker.HasBeenReady)
        {
            return ApplianceState.Starting;
        }

        bool well = storage is not null && devices.All(device => device.State == DeviceState.Ok);
        return well ? ApplianceState.Ready : ApplianceState.Degraded;
    }
}
