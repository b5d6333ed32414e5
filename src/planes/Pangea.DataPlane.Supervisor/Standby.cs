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
/// Keeps one process ready to take a worker's place: in the same jail, its runtime started, its
/// code rehearsed, without a single device. Decision 0028. Lives on the loop's thread.
/// </summary>
/// <param name="reactor">The supervisor's.</param>
/// <param name="state">Has the place for rehearsals.</param>
/// <param name="steps">Execute it.</param>
/// <param name="peer">Of its channel: the worker whose place it may take.</param>
/// <param name="isServing">Whether that worker serves; only then is there time for this.</param>
/// <param name="places">Where a worker may open files now.</param>
internal sealed class Standby(
    IReactor reactor,
    StateDirectory state,
    IPrivilegedSteps steps,
    IRpcPeer peer,
    Func<bool> isServing,
    Func<IReadOnlyList<OpenedPath>> places)
{
    /// <summary>A standby that lives so long has not died of its start.</summary>
    private const long SettledMs = 10_000;

    /// <summary>No call of a worker has it; its answer may come when it is one.</summary>
    private const long PrepareId = 0;

    // Calls that waited for the worker go first.
    private static readonly TimeSpan s_pauseMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_prepareTimeMax =
        TimeSpan.FromSeconds(WorkerMethods.Prepare.TimeoutSeconds);

    private readonly HashSet<StandbyProcess> _alive = [];
    private StandbyProcess? _present;
    private ApplianceConfiguration? _configuration;
    private TaskCompletionSource? _ended;
    private TimeSpan _pause = s_pauseMin;
    private bool _isComing;
    private bool _isEnding;

    /// <summary>
    /// From now on for this configuration: one of another kind goes, and where one is wanted and
    /// missing, it comes. Nothing where it is as it should be.
    /// </summary>
    public void Keep(ApplianceConfiguration configuration)
    {
        _configuration = configuration;
        bool isWanted = configuration.StorageStandby && !_isEnding;
        if (_present is { } present
            && !(isWanted && present.Fits(WorkerLaunch.Options(configuration), Identities())))
        {
            _present = null;
            End(present);
        }

        if (isWanted && isServing() && _present is null && !_isComing)
        {
            _isComing = true;
            Come();
        }
    }

    /// <summary>
    /// The process that takes the worker's place, which is the caller's from now on; null where
    /// there is none that can.
    /// </summary>
    /// <param name="configuration">Of the worker.</param>
    /// <param name="catalog">The directory that it will get; stays the caller's.</param>
    public StandbyProcess? Take(ApplianceConfiguration configuration, OwnedFd catalog)
    {
        StandbyProcess? taken = _present;
        _present = null;
        if (taken is null)
        {
            return null;
        }

        HashSet<DeviceIdentity> needed = Identities();
        needed.Add(IdentityOf(catalog));
        if (!taken.Fits(WorkerLaunch.Options(configuration), needed)
            || taken.Channel.IsClosed
            || taken.Child.TryReap() is not null)
        {
            End(taken);
            return null;
        }

        _alive.Remove(taken);
        Niceness.Restore(taken.Child.Pid);
        if (taken.Prepared is null)
        {
            state.RemoveRehearsal();
        }

        EventLog.Write(
            "standby.promoted",
            ("pid", taken.Child.Pid), ("rehearsed", taken.Prepared?.Rehearsed ?? false));
        return taken;
    }

    /// <summary>Ends what there is, and completes once it has been reaped.</summary>
    public async Task EndAsync()
    {
        _isEnding = true;
        _present = null;
        foreach (StandbyProcess each in _alive)
        {
            End(each);
        }

        if (_alive.Count > 0)
        {
            _ended = new TaskCompletionSource();
            await _ended.Task;
        }

        state.RemoveRehearsal();
    }

    /// <summary>The answer to <c>worker.prepare</c>; anything else is not for the asking.</summary>
    public void OnMessage(RpcConnection connection, RpcMessage message)
    {
        if (_present is not { } present || !ReferenceEquals(present.Channel, connection))
        {
            return;
        }

        if (message.Kind == RpcKind.Request)
        {
            EventLog.Write(
                "standby.refused", ("pid", present.Child.Pid),
                ("asked", WorkerCalls.Shorten(message.Method)));
            connection.Answer(message, new Fault(
                FaultCode.Denied, "a standby gets nothing for the asking"));
            return;
        }

        Result<WorkerPrepareResult> result =
            RpcParameters.ReadResult(WorkerMethods.Prepare, message);
        if (message.IdNumber != PrepareId || !result.IsOk)
        {
            EventLog.Write("standby.insane", ("pid", present.Child.Pid));
            present.Child.Kill(ChildProcess.SigKill);
            return;
        }

        present.Prepared = result.Value;
        state.RemoveRehearsal();
        EventLog.Write(
            "standby.ready",
            ("pid", present.Child.Pid),
            ("ms", Environment.TickCount64 - present.StartedMs),
            ("rehearsed", result.Value.Rehearsed),
            ("reason", result.Value.Reason));
    }

    /// <summary>What the kernel says about it now; null where there is none.</summary>
    public StandbyStatus? Status()
    {
        if (_present is not { } present)
        {
            return null;
        }

        ProcessFacts? facts = ProcessFacts.Read(present.Child.Pid);
        IReadOnlyList<DescriptorCount>? descriptors = ProcessFacts.Descriptors(present.Child.Pid);

        // A device that came after it is not in its jail; another one is on its way then.
        bool isReady = present.Prepared is not null
            && _configuration is { } configuration
            && present.Fits(WorkerLaunch.Options(configuration), Identities());
        return new StandbyStatus
        {
            State = isReady ? StandbyState.Ready : StandbyState.Starting,
            Pid = present.Child.Pid,
            Uid = facts?.Uid,
            RssBytes = facts?.RssBytes,
            Isolation = facts?.Isolation(steps.StartedByRoot),
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
            Landlock = present.Prepared?.Landlock,
            Cores = facts?.Cores,
            OpenDescriptors = descriptors?.Sum(each => each.Count),
            Descriptors = descriptors,
        };
    }

    private HashSet<DeviceIdentity> Identities() => [.. places().Select(each => each.Identity)];

    private static DeviceIdentity IdentityOf(OwnedFd directory) =>
        Files.Status(directory) is { IsOk: true, Value: { } status }
            ? new DeviceIdentity(DeviceKind.Directory, status.Device, status.Inode)
            : default;

    private async void Come()
    {
        await reactor.DelayAsync(_pause);
        _isComing = false;
        if (_isEnding || _present is not null || !isServing()
            || _configuration is not { StorageStandby: true } configuration)
        {
            return; // The next one who serves asks again.
        }

        Result<StandbyProcess> launched = Launch(configuration);
        if (!launched.IsOk)
        {
            EventLog.Write("standby.notStarted", launched.Fault);
            PauseLonger();
            Keep(configuration);
            return;
        }

        _present = launched.Value;
        _alive.Add(_present);
        EventLog.Write("standby.started", ("pid", _present.Child.Pid));
        WaitForEnd(_present);
        WaitForReadiness(_present);
    }

    private Result<StandbyProcess> Launch(ApplianceConfiguration configuration)
    {
        Result<OwnedFd> opened = state.OpenCatalog(configuration.User);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using OwnedFd catalog = opened.Value;
        Result<OwnedFd> rehearsal = state.MakeRehearsal(configuration.User);
        if (!rehearsal.IsOk)
        {
            return rehearsal.Fault;
        }

        IReadOnlyList<OpenedPath> devices = places();
        Result<(ChildProcess Child, UnixSocket Channel)> launched = WorkerLaunch.Start(
            steps,
            configuration,
            [.. devices.Select(each => each.Fd), catalog, rehearsal.Value],
            WorkerLaunch.StandbyNiceness);
        if (!launched.IsOk)
        {
            rehearsal.Value.Dispose();
            return launched.Fault;
        }

        var channel = new RpcConnection(reactor, launched.Value.Channel, peer, callsMax: 0);
        channel.Start();
        channel.Send(
            RpcWriter.Request(
                RpcIds.Write(PrepareId),
                WorkerMethods.Prepare,
                new WorkerPrepareParameters
                {
                    Rehearsal = 0,
                    Manifest = [DescriptorClaim.Of("rehearsal", DescriptorKind.Directory)],
                }),
            new DescriptorSet([rehearsal.Value]));
        return new StandbyProcess(
            launched.Value.Child,
            channel,
            WorkerLaunch.Options(configuration),
            new HashSet<DeviceIdentity>(
                [.. devices.Select(each => each.Identity), IdentityOf(catalog)]));
    }

    /// <summary>Reaps it, unless it became a worker, and has another one come.</summary>
    private async void WaitForEnd(StandbyProcess process)
    {
        ExitStatus? status = null;
        while (status is null)
        {
            SysResult ended = await reactor.PollAsync(
                process.Child.PidFd, PollEvents.Readable);
            if (!_alive.Contains(process))
            {
                return; // A worker by now, and reaped as one.
            }

            Invariant.Check(ended.IsOk, ended.ToString());
            status = process.Child.TryReap();
        }

        process.Channel.Close(null);
        process.Child.Dispose();
        _alive.Remove(process);
        if (_alive.Count == 0)
        {
            _ended?.TrySetResult();
        }

        if (!ReferenceEquals(process, _present))
        {
            return; // It was ended.
        }

        _present = null;
        PauseLonger(Environment.TickCount64 - process.StartedMs);
        EventLog.Write(
            "standby.lost",
            ("pid", process.Child.Pid),
            ("status", status),
            ("pauseMs", (long)_pause.TotalMilliseconds));
        Keep(_configuration!);
    }

    /// <summary>One that does not get ready is of no use, and may never be.</summary>
    private async void WaitForReadiness(StandbyProcess process)
    {
        await reactor.DelayAsync(s_prepareTimeMax);
        if (ReferenceEquals(process, _present) && process.Prepared is null)
        {
            EventLog.Write("standby.late", ("pid", process.Child.Pid));
            process.Child.Kill(ChildProcess.SigKill);
        }
    }

    private static void End(StandbyProcess process)
    {
        // It has nothing that could be lost.
        process.Channel.Close(null);
        process.Child.Kill(ChildProcess.SigKill);
    }

    private void PauseLonger(long livedMs = 0)
    {
        TimeSpan doubled = _pause * 2;
        _pause = livedMs > SettledMs ? s_pauseMin : doubled < s_pauseMax ? doubled : s_pauseMax;
    }
}
