using System.Runtime.InteropServices;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Firewall;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// <c>pangea supervise [--config FILE] [--state DIR] [--socket PATH] [--user U] ...</c>: runs the
/// appliance until SIGTERM or SIGINT.
/// </summary>
public static class SuperviseVerb
{
    private const int FailedExit = 1;

    private const int UsageExit = 2;

    /// <summary>For the command line's help: what to type, and what it does.</summary>
    public static IReadOnlyList<(string Option, string Doc)> Options { get; } =
    [
        ("--config FILE", "configuration file (PANGEA_CONFIG); see docs/configuration.md"),
        ("--state DIR", "state directory (PANGEA_STATE; default ./var)"),
        ("--socket PATH", "control socket (PANGEA_SOCKET; default /run/pangea/control.sock)"),
        ("--user NAME|UID:GID", "whom workers run as under root (PANGEA_USER; default pangea)"),
        ("--device-places LIST", "directories below which devices may be added"),
        ("--redundancy K+M", "data and parity shards (default 8+4)"),
        ("--stripe-bytes N", "plain bytes of a stripe (default 1048576)"),
        ("--compression MODE", "none, balanced (default), archive or adaptive"),
        ("--durability MODE", "quorum (default) or all: devices a put waits for"),
        ("--deaths-per-minute N", "after so many a worker is given up (default 5)"),
        ("--stall-seconds N", "a worker whose loop stands so long is killed (default 10)"),
        ("--cores LIST", "cores of the storage worker, such as 2-3,6 (default auto)"),
        ("--threads N", "threads that compute stripes beside its loop (default: 2, on one core 0)"),
        ("--standby true|false", "keep a process ready to take a worker's place (default true)"),
    ];

    /// <summary>Runs on the calling thread, which must be the process's main one.</summary>
    /// <returns>0 after a stop in good order, 2 for a wrong configuration, 1 otherwise.</returns>
    public static int Run(string[] arguments)
    {
        int inherited = Array.IndexOf(arguments, Inheritance.Option);
        if (inherited >= 0 && inherited + 1 < arguments.Length)
        {
            return Continue(arguments[..inherited], arguments[inherited + 1]);
        }

        int check = Array.IndexOf(arguments, ProgramCheck.Option);
        if (check >= 0 && check + 1 < arguments.Length)
        {
            Fault? refusal = ProgramCheck.Answer(arguments[..check], arguments[check + 1]);
            return refusal is null ? 0 : Report(refusal);
        }

        // Both are answered by what comes anyway: the program that goes on in this one's place
        // reads the configuration anew.
        using PosixSignalRegistration hangUp = Ignore(PosixSignal.SIGHUP);
        using PosixSignalRegistration next = Ignore((PosixSignal)SignalFd.User2);
        return Begin(arguments);
    }

    /// <summary>
    /// Opens everything, then executes this very program, which begins with the signals blocked,
    /// and without privilege where there is some to give up. Returns only where something failed.
    /// </summary>
    private static int Begin(string[] arguments)
    {
        ConfigurationContext context = ConfigurationContext.Own;
        Result<ApplianceConfiguration> configuration = ConfigurationSources.Load(
            arguments, Environment.GetEnvironmentVariable, context);
        if (!configuration.IsOk)
        {
            return Report(configuration.Fault);
        }

        // The state before the socket: of two supervisors on one state the second must not get so
        // far as to touch the first one's socket.
        Result<StateDirectory> state = StateDirectory.Open(configuration.Value.StateDirectory);
        if (!state.IsOk)
        {
            return Report(state.Fault);
        }

        using StateDirectory held = state.Value;
        if (held.NoteGeometries(configuration.Value) is { } notNoted)
        {
            return Report(notNoted);
        }

        Result<ControlSocket> socket = ControlSocket.Listen(configuration.Value.SocketPath);
        if (!socket.IsOk)
        {
            return Report(socket.Fault);
        }

        using ControlSocket listening = socket.Value;
        if (configuration.Value.User is { Uid: not 0 } user && UserAccount.IsRoot)
        {
            return Report(PrivilegeDrop.Execute(
                arguments, configuration.Value, user, held, listening));
        }

        Result<OwnedFd> directory = held.OpenDirectory();
        if (!directory.IsOk)
        {
            return Report(directory.Fault);
        }

        using var steps = new OwnSteps(configuration.Value.User);
        return Report(PrivilegeDrop.Execute(
            ApplicationFiles.Current,
            arguments,
            PrivilegeDrop.Gather(
                configuration.Value, held, directory.Value, listening, steps)));
    }

    /// <summary>
    /// Goes on in the place of a program that opened everything and then gave up its privilege.
    /// </summary>
    private static int Continue(string[] arguments, string manifest)
    {
        Result<InheritedStart> start = InheritedStart.Read(arguments, manifest);
        if (!start.IsOk)
        {
            return Report(start.Fault);
        }

        using InheritedStart parts = start.Value;
        return Serve(
            parts.Configuration,
            parts.State,
            parts.Socket,
            parts.Steps,
            parts.Context,
            parts.Clients);
    }

    private static int Serve(
        ApplianceConfiguration configuration,
        StateDirectory state,
        ControlSocket socket,
        IPrivilegedSteps steps,
        ConfigurationContext context,
        IReadOnlyList<OwnedFd> clients)
    {
        Result<IReactor> made = Reactors.Create(null, new ReactorOptions());
        if (!made.IsOk)
        {
            return Report(made.Fault);
        }

        using IReactor reactor = made.Value;
        Result<SignalFd> taken = SignalFd.Create(PrivilegeDrop.Signals);
        if (!taken.IsOk)
        {
            return Report(taken.Fault);
        }

        using SignalFd signals = taken.Value;
        Result<FirewallService?> opened = OpenFirewall(reactor, configuration, state, steps);
        if (!opened.IsOk)
        {
            return Report(opened.Fault);
        }

        using FirewallService? firewall = opened.Value;
        var supervisor = new Supervisor(
            reactor, configuration, state, socket, steps,
            () => ConfigurationSources.Load(
                [.. configuration.Arguments], Environment.GetEnvironmentVariable, context),
            firewall);
        EventLog.Write(
            "supervisor.started",
            ("pid", Environment.ProcessId),
            ("version", BuildIdentity.Version),
            ("state", configuration.StateDirectory),
            ("id", state.Id),
            ("socket", configuration.SocketPath),
            ("redundancy", configuration.Redundancy),
            ("devices", configuration.Devices.Count),
            ("user", configuration.User ?? UserAccount.Current),
            ("ring", reactor.Kind),
            ("cores", configuration.Cores),
            ("housekeeping", CoreList.Format(configuration.Cores.Housekeeping)));
        if (reactor.Shortage is { } shortage)
        {
            EventLog.Write("supervisor.remark", ("text", shortage));
        }

        ReservedRoles.Tell(configuration);
        TellPrivilege(configuration, steps);
        reactor.Post(() =>
        {
            supervisor.Start();
            supervisor.Welcome(clients);
            Obey(signals, reactor, supervisor);
        });
        reactor.Run();
        firewall?.End(goesOn: supervisor.Next is not null);
        if (supervisor.Next is { } inheritance)
        {
            // Returns only where it failed.
            return Report(PrivilegeDrop.Execute(
                ApplicationFiles.Current, configuration.Arguments, inheritance));
        }

        EventLog.Write("supervisor.stopped");
        return supervisor.ExitCode;
    }

    /// <summary>
    /// Null without the section. Then what an earlier configuration left attached goes, where we
    /// are who may do that.
    /// </summary>
    private static Result<FirewallService?> OpenFirewall(
        IReactor reactor,
        ApplianceConfiguration configuration,
        StateDirectory state,
        IPrivilegedSteps steps)
    {
        if (configuration.Firewall is not { } settings)
        {
            if (steps.DiscardPins(state.Id) is { } left)
            {
                EventLog.Write("firewall.notDetached", left);
            }

            return (Result<FirewallService?>)(FirewallService?)null;
        }

        Result<FirewallService> opened = FirewallService.Open(reactor, settings, state, steps);
        return opened.IsOk ? opened.Value : opened.Fault;
    }

    private static void TellPrivilege(
        ApplianceConfiguration configuration, IPrivilegedSteps steps)
    {
        if (steps.WardenPid is { } warden)
        {
            EventLog.Write(
                "supervisor.dropped",
                ("uid", UserAccount.Current.Uid),
                ("capabilities", CapabilityTable.Describe(
                    [.. CapabilityTable.SupervisorOf(configuration).Where(each =>
                        (Privileges.Effective & (1UL << each.Number)) != 0)])),
                ("warden", warden),
                ("wardenCapabilities", CapabilityTable.Describe(CapabilityTable.Warden)));
        }
        else if (UserAccount.IsRoot)
        {
            EventLog.Write(
                "supervisor.notDropped",
                ("reason", "the workers' user is root: there is nobody to become"));
        }
        else
        {
            EventLog.Write("supervisor.unprivileged", ("effect", "workers run as the caller"));
        }
    }

    /// <summary>
    /// On the loop, until it ends: what comes later waits for the next program of this process.
    /// </summary>
    private static async void Obey(SignalFd signals, IReactor reactor, Supervisor supervisor)
    {
        while ((await reactor.PollAsync(signals.Fd, PollEvents.Readable)).IsOk)
        {
            switch (signals.Read())
            {
                case SignalFd.HangUp:
                    supervisor.Reload();
                    break;
                case SignalFd.User2:
                    supervisor.Upgrade();
                    break;
                case { } signal:
                    supervisor.Stop(signal == SignalFd.Terminate ? "SIGTERM" : "SIGINT");
                    break;
                case null:
                    break; // Another reader of this descriptor there is none: nothing to do.
            }
        }
    }

    private static PosixSignalRegistration Ignore(PosixSignal signal) =>
        PosixSignalRegistration.Create(signal, context => context.Cancel = true);

    private static int Report(Fault fault)
    {
        Console.Error.WriteLine($"pangea supervise: {fault.Message}");
        if (fault.Hint is not null)
        {
            Console.Error.WriteLine($"hint: {fault.Hint}");
        }

        return fault.Code == FaultCode.InvalidParameters ? UsageExit : FailedExit;
    }
}
