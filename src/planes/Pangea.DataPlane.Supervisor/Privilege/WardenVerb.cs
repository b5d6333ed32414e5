using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// <c>pangea warden --user U:G --socket PATH [--config FILE]</c>: the one process of the appliance
/// that stays root, for the few steps that take it. It speaks with its supervisor only, parses no
/// client's bytes, starts nothing but this program's jail for the workers' user, and opens nothing
/// but devices and one configuration file. Ends with the supervisor.
/// </summary>
public static class WardenVerb
{
    internal const string Verb = "warden";
    internal const string UserOption = "--user";
    internal const string SocketOption = "--socket";
    internal const string ConfigurationOption = "--config";

    /// <summary>Where devices may lie; as often as there are such places.</summary>
    internal const string PlaceOption = "--place";

    /// <summary>The channel to the supervisor.</summary>
    internal const int ChannelFd = 3;

    /// <summary>Set where it has executed itself to lose what only the supervisor keeps.</summary>
    private const string LimitedOption = "--limited";

    /// <summary>Set where an earlier program of this process waits for the answer.</summary>
    internal const string RenewedOption = "--renewed";

    private const int UsageExit = 2;

    /// <summary>Serves until the supervisor ends.</summary>
    public static int Run(string[] arguments)
    {
        string? Option(string name)
        {
            int at = Array.IndexOf(arguments, name);
            return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
        }

        Result<UserAccount> user = UserAccount.Find(Option(UserOption) ?? "none");
        Result<OwnedFd> channel = InheritedFds.Take(ChannelFd);
        if (!user.IsOk || !channel.IsOk || Option(SocketOption) is not { } socket)
        {
            EventLog.Write("warden.refused", ("hint", "started by pangea supervise only"));
            return UsageExit;
        }

        // Its own table is smaller than what the supervisor goes on with, and only an exec takes
        // privilege from all threads.
        ulong table = CapabilityTable.SetOf(CapabilityTable.Warden);
        if ((Privileges.Effective & ~table) != 0 && !arguments.Contains(LimitedOption))
        {
            Privileges.LimitTo(table);
            Fault failed = Execute(channel.Value, [.. arguments, LimitedOption]);
            EventLog.Write("warden.notLimited", failed);
        }

        // The supervisor gets the signals of the terminal or of systemd and ends in order, and we
        // with it: here they mean nothing.
        using PosixSignalRegistration term = Ignore(PosixSignal.SIGTERM);
        using PosixSignalRegistration interrupt = Ignore(PosixSignal.SIGINT);
        using PosixSignalRegistration hangUp = Ignore(PosixSignal.SIGHUP);
        using PosixSignalRegistration next = Ignore((PosixSignal)SignalFd.User2);
        if ((Privileges.EndWithParent() ?? Privileges.ForbidInspection()) is { } fault)
        {
            EventLog.Write("warden.failed", fault);
            return 1;
        }

        using var wire = new WardenWire(UnixSocket.Adopt(channel.Value));
        var warden = new Warden(
            wire, user.Value, socket, Option(ConfigurationOption),
            Places(arguments, Option(ConfigurationOption)), arguments);
        if (arguments.Contains(RenewedOption))
        {
            wire.Send([WardenWire.Done], []);
        }

        warden.Serve();
        return 0;
    }

    /// <summary>
    /// Executes the program that is installed now; its own path, no other. Returns only with the
    /// reason why that did not work.
    /// </summary>
    internal static Fault Execute(OwnedFd channel, IEnumerable<string> arguments)
    {
        ApplicationFiles files = ApplicationFiles.Current;
        if (InheritedFds.KeepOnly([channel]) is { } fault)
        {
            return fault;
        }

        // In the next program they mean nothing from its first instruction on.
        SignalFd.Block(PrivilegeDrop.Signals);
        fault = Jail.Execute(
            files.Program,
            [.. files.LeadingArguments, Verb, .. arguments],
            files.Environment());
        _ = InheritedFds.KeepOnly([]);
        return fault;
    }

    /// <summary>
    /// As given at the start, and as the configuration file says now, which root alone writes.
    /// </summary>
    private static AllowedPlaces Places(string[] arguments, string? file)
    {
        string[] given =
        [
            .. arguments.Zip(arguments.Skip(1))
                .Where(pair => pair.First == PlaceOption)
                .Select(pair => pair.Second),
        ];
        return new AllowedPlaces(given, () =>
        {
            Result<string> text = file is null ? "" : ConfigurationFile.ReadText(file);
            Result<ConfigurationValues> values =
                text.IsOk && file is not null
                    ? ConfigurationFile.Parse(file, text.Value)
                    : new ConfigurationValues();
            return values.IsOk
                ? AllowedPlaces.Of(
                    values.Value.Devices ?? [], values.Value.DevicePlaces ?? [])
                : [];
        });
    }

    private static PosixSignalRegistration Ignore(PosixSignal signal) =>
        PosixSignalRegistration.Create(signal, context => context.Cancel = true);
}
