using System.Globalization;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Firewall;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.Processes;

namespace Pangea.DataPlane.Supervisor;

/// <content>New configuration, new program, and the end.</content>
internal sealed partial class Supervisor
{
    private static readonly TimeSpan s_stopTimeMax = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_upgradeTimeMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_flushTimeMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    private readonly Func<Result<ApplianceConfiguration>> _load;
    private bool _isReloading;
    private bool _isReloadAwaited;
    private bool _isUpgrading;
    private bool _isEnding;

    /// <summary>
    /// What the next program gets; null where the process ends with <see cref="ExitCode"/>.
    /// </summary>
    public Inheritance? Next { get; private set; }

    /// <summary>Clients whose connections an earlier program of this process had.</summary>
    public void Welcome(IEnumerable<OwnedFd> clients)
    {
        foreach (OwnedFd client in clients)
        {
            Welcome(UnixSocket.Adopt(client));
        }
    }

    /// <summary>
    /// Ends in good order: no new calls, those under way may end within a bound, the worker ends. A
    /// second time: at once.
    /// </summary>
    public async void Stop(string reason)
    {
        EventLog.Write("supervisor.stopping", ("reason", reason));
        if (Next is not null)
        {
            // The worker is on its way out already; the process ends with it after all.
            Next = null;
            return;
        }

        if (_stopping.IsCancellationRequested)
        {
            End();
            _worker.Stop();
            return;
        }

        _stopping.Cancel();
        _worker.Calls.Refuse(new Fault(
            FaultCode.BadState, "the appliance is stopping", "call again once it is back"));
        await WaitAsync(s_stopTimeMax, () => _worker.Calls.CallersUnderWay == 0 || _isEnding);
        End();
    }

    /// <summary>
    /// For SIGHUP: what came of it is in the log. Nobody repeats a signal, so one that comes while
    /// the appliance is being changed is obeyed afterwards; the next program reads the file anyway.
    /// </summary>
    public async void Reload()
    {
        _isReloadAwaited = _isReloading || _isUpgrading;
        if (!_isReloadAwaited)
        {
            await ReloadAsync();
        }
    }

    /// <summary>For SIGUSR2: what came of it is in the log.</summary>
    public async void Upgrade()
    {
        if (await PrepareUpgradeAsync() is null)
        {
            await GoOnAsync(callsLeft: 0, answer: null);
        }
    }

    /// <summary>All of a new configuration, or nothing of it.</summary>
    private async ValueTask<Result<ConfigReloadResult>> ReloadAsync()
    {
        if (_isReloading || _isUpgrading || _worker.Changes.IsChanging)
        {
            return new Fault(
                FaultCode.Busy, "the appliance is being changed already", "call again later");
        }

        _isReloading = true;
        Result<ConfigReloadResult> result = await ApplyAsync();
        _isReloading = false;
        ReloadAwaited();
        if (!result.IsOk)
        {
            EventLog.Write("config.refused", result.Fault);
        }
        else
        {
            EventLog.Write("config.reloaded", ("changes", string.Join(
                ", ", result.Value.Changes.Select(each => $"{each.Key} ({each.Effect})"))));
        }

        return result;
    }

    private void ReloadAwaited()
    {
        if (_isReloadAwaited)
        {
            _reactor.Post(Reload);
        }
    }

    private async ValueTask<Result<ConfigReloadResult>> ApplyAsync()
    {
        Result<ApplianceConfiguration> loaded = _load();
        if (!loaded.IsOk)
        {
            return loaded.Fault;
        }

        ApplianceConfiguration old = _configuration;
        IReadOnlyList<ConfigurationChange> changes = ConfigurationDiff.Between(
            old, loaded.Value);
        ApplianceConfiguration next = ConfigurationDiff.Apply(old, loaded.Value);
        if (_state.NoteGeometries(next) is { } unnoted)
        {
            return unnoted;
        }

        Result<FirewallReload?> firewall = await ReloadFirewallAsync(next);
        if (!firewall.IsOk)
        {
            return firewall.Fault;
        }

        if (firewall.Value is { HasNewRules: true }
            && changes.All(each => each.Key != ConfigurationDiff.FirewallRules))
        {
            changes =
            [
                .. changes,
                new ConfigurationChange
                {
                    Key = ConfigurationDiff.FirewallRules,
                    Effect = ConfigurationDiff.Now,
                },
            ];
        }

        Use(next);
        ReservedRoles.Tell(next);
        if (changes.Any(each => each.Effect == ConfigurationDiff.Worker))
        {
            Result<WorkerRestartResult> restarted =
                await _worker.RestartAsync("the configuration has changed");
            if (!restarted.IsOk)
            {
                // The worker did not take it: the next start has what served until now.
                Use(old);
                if (firewall.Value is { } applied)
                {
                    await applied.Undo();
                }

                return restarted.Fault;
            }
        }

        return new ConfigReloadResult { Changes = changes };
    }

    private async ValueTask<Result<FirewallReload?>> ReloadFirewallAsync(
        ApplianceConfiguration next)
    {
        if (_firewall is null || next.Firewall is not { } settings)
        {
            return (Result<FirewallReload?>)(FirewallReload?)null;
        }

        Result<FirewallReload> applied = await _firewall.ReloadAsync(settings);
        return applied.IsOk ? applied.Value : applied.Fault;
    }

    private void Use(ApplianceConfiguration configuration)
    {
        _configuration = configuration;
        _worker.Use(configuration);
    }

    private async void AnswerReload(RpcConnection connection, RpcMessage message)
    {
        Result<ConfigReloadResult> result = await ReloadAsync();
        if (result.IsOk)
        {
            connection.Answer(
                RpcWriter.Result(message.Id.Span, LifeMethods.ConfigReload, result.Value));
        }
        else
        {
            connection.Answer(message, result.Fault);
        }
    }

    private async void AnswerUpgrade(RpcConnection connection, RpcMessage message)
    {
        if (await PrepareUpgradeAsync() is { } fault)
        {
            connection.Answer(message, fault);
            return;
        }

        await GoOnAsync(callsLeft: 1, drained => connection.Answer(RpcWriter.Result(
            message.Id.Span,
            LifeMethods.SystemUpgrade,
            new SystemUpgradeResult
            {
                Program = ApplicationFiles.Current.Program,
                Drained = drained,
            })));
    }

    /// <summary>
    /// Everything that can go wrong is tried before anything is given up: the new program starts
    /// and takes this configuration, and the warden has become it.
    /// </summary>
    private async ValueTask<Fault?> PrepareUpgradeAsync()
    {
        if (_isUpgrading || _isReloading || _stopping.IsCancellationRequested)
        {
            return new Fault(
                FaultCode.Busy, "the appliance is being changed already", "call again later");
        }

        if (_firewall?.View.ConfirmBefore is { } before)
        {
            return new Fault(
                FaultCode.BadState,
                $"a change of the firewall waits to be confirmed before {before:HH:mm:ss}Z",
                "confirm it, or take it back");
        }

        _isUpgrading = true;
        Fault? fault = await ProgramCheck.RunAsync(_reactor, _configuration, _steps)
            ?? (_steps as WardenClient)?.Renew();
        if (fault is not null)
        {
            _isUpgrading = false;
            EventLog.Write("upgrade.refused", fault);
            AcceptLoop();
            ReloadAwaited();
        }

        return fault;
    }

    /// <summary>
    /// Lets calls end, stops the worker, and leaves the loop for the next program. What clients
    /// send meanwhile stays in their sockets, which the next program reads.
    /// </summary>
    /// <param name="callsLeft">Calls that <paramref name="answer"/> will end.</param>
    /// <param name="answer">Told whether all others have ended.</param>
    private async ValueTask GoOnAsync(int callsLeft, Action<bool>? answer)
    {
        EventLog.Write("upgrade.started", ("program", ApplicationFiles.Current.Program));
        foreach (RpcConnection client in _clients)
        {
            client.IsPaused = true;
        }

        bool drained = await WaitAsync(
            s_upgradeTimeMax,
            () => _clients.Sum(client => client.CallsOpen) <= callsLeft
                && _worker.Calls.CallersUnderWay == 0);
        if (_stopping.IsCancellationRequested)
        {
            return; // The end was asked for meanwhile, and is under way.
        }

        answer?.Invoke(drained);
        await WaitAsync(s_flushTimeMax, () => _clients.All(client => client.IsAtRest));
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        Result<OwnedFd> directory = _state.OpenDirectory();
        if (!directory.IsOk)
        {
            EventLog.Write("upgrade.failed", directory.Fault);
            Stop("the upgrade failed");
            return;
        }

        Next = PrivilegeDrop.Gather(_configuration, _state, directory.Value, _socket, _steps);
        foreach (RpcConnection client in _clients.Where(client => client.IsAtRest))
        {
            // A copy: the connections here end with the loop, and with them their descriptors.
            Result<OwnedFd> copy = Files.Duplicate(client.Descriptor);
            if (copy.IsOk)
            {
                Next.Add(
                    PrivilegeDrop.Client,
                    DescriptorKind.Stream,
                    DescriptorAccess.ReadWrite,
                    copy.Value);
            }
        }

        _stopping.Cancel();
        End();
    }

    /// <summary>False where the bound passed first.</summary>
    private async ValueTask<bool> WaitAsync(TimeSpan bound, Func<bool> isDone)
    {
        long deadline = Environment.TickCount64 + (long)bound.TotalMilliseconds;
        while (!isDone())
        {
            if (Environment.TickCount64 > deadline)
            {
                return false;
            }

            await _reactor.DelayAsync(s_look);
        }

        return true;
    }

    private void End()
    {
        if (!_isEnding)
        {
            _isEnding = true;
            _worker.Stop();
        }
    }

    private void OnWorkerStopped()
    {
        if (Next is null)
        {
            foreach (RpcConnection client in _clients)
            {
                client.CloseAfterSending();
            }
        }

        _reactor.Post(_reactor.Stop);
    }

    private List<ProcessPrivilege> DescribePrivilege()
    {
        List<ProcessPrivilege> all =
        [
            Describe(
                "supervisor",
                Environment.ProcessId,
                CapabilityTable.SupervisorOf(_configuration)),
        ];
        if (_steps.WardenPid is { } warden)
        {
            all.Add(Describe("warden", warden, CapabilityTable.Warden));
        }

        return all;
    }

    private static ProcessPrivilege Describe(
        string name, int pid, IReadOnlyList<KeptCapability> table)
    {
        ProcessFacts? facts = ProcessFacts.Read(pid);
        ulong real = facts?.Capabilities ?? 0;
        return new ProcessPrivilege
        {
            Process = name,
            Pid = pid,
            Uid = facts?.Uid ?? -1,
            Capabilities = real.ToString("x16", CultureInfo.InvariantCulture),
            NoNewPrivileges = facts?.NoNewPrivileges ?? false,
            Kept =
            [
                .. table.Where(each => (real & (1UL << each.Number)) != 0)
                    .Select(each => $"{each.Name}: {each.Reason}"),
            ],
        };
    }
}
