using System.Collections;
using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// The end of root in the supervisor (decision 0026): everything is open; a warden is started for
/// the steps that go on needing root; then this process becomes the service user and executes
/// itself, so that no thread of the new image has ever had more (decision 0002).
/// </summary>
internal static class PrivilegeDrop
{
    public const string UserText = "user";
    public const string UserNameText = "userName";
    public const string StateText = "state";
    public const string SocketText = "socket";
    public const string WorkingDirectoryText = "workingDirectory";
    public const string WardenText = "warden";
    public const string StateDirectory = "state directory";
    public const string StateLock = "state lock";
    public const string Listener = "control socket";
    public const string SocketLock = "control socket lock";
    public const string Warden = "warden";
    public const string Client = "client";

    private const string PrivateRoot = "/tmp";

    private static readonly int[] s_signals =
        [SignalFd.HangUp, SignalFd.Interrupt, SignalFd.User2, SignalFd.Terminate];

    /// <summary>
    /// What a supervisor reads from a descriptor; blocked in all its threads, because they were in
    /// the thread that executed it.
    /// </summary>
    public static ReadOnlySpan<int> Signals => s_signals;

    /// <summary>Must run on the main thread. Returns only the reason why it did not work.</summary>
    public static Fault Execute(
        string[] arguments,
        ApplianceConfiguration configuration,
        UserAccount user,
        StateDirectory state,
        ControlSocket socket)
    {
        if (CheckCapabilities(user) is { } lacking)
        {
            return lacking;
        }

        Result<OwnedFd> directory = state.OpenDirectory();
        Fault? fault = directory.Fault ?? state.HandOver(user);
        if (fault is not null)
        {
            return fault;
        }

        ulong kept = CapabilityTable.SetOf(CapabilityTable.SupervisorOf(configuration))
            & Privileges.Effective;

        // What the warden gets is bounded before it is started: as root, a program gets all that
        // its bounding set has.
        Privileges.LimitTo(CapabilityTable.SetOf(CapabilityTable.Warden)
            | kept);
        fault = Privileges.SetNoNew();
        Result<(UnixSocket Ours, int Pid)> warden =
            fault is null ? StartWarden(configuration, user) : fault;
        if (!warden.IsOk)
        {
            return warden.Fault;
        }

        Inheritance inheritance = Gather(configuration, state, directory.Value, socket, null);
        inheritance.Add(
            Warden, DescriptorKind.Stream, DescriptorAccess.ReadWrite, warden.Value.Ours.Fd);
        inheritance.Add(WardenText, warden.Value.Pid.ToString(CultureInfo.InvariantCulture));
        AddUser(inheritance, user);

        Result<ApplicationFiles> files = Reachable(ApplicationFiles.Current, user);
        return files.Fault
            ?? Privileges.Become(user, kept)
            ?? Execute(files.Value, arguments, inheritance);
    }

    /// <summary>What every supervisor hands to the program after it.</summary>
    /// <param name="configuration">Where things are.</param>
    /// <param name="state">Its lock goes along.</param>
    /// <param name="directory">The state's.</param>
    /// <param name="socket">Listener and lock.</param>
    /// <param name="steps">Its warden goes along, where it has one.</param>
    public static Inheritance Gather(
        ApplianceConfiguration configuration,
        StateDirectory state,
        OwnedFd directory,
        ControlSocket socket,
        IPrivilegedSteps? steps)
    {
        var inheritance = new Inheritance();
        inheritance.Add(
            StateDirectory, DescriptorKind.Directory, DescriptorAccess.Read, directory);
        inheritance.Add(StateLock, DescriptorKind.File, DescriptorAccess.ReadWrite, state.Lock);
        inheritance.Add(
            Listener, DescriptorKind.Listener, DescriptorAccess.ReadWrite, socket.Listener.Fd);
        inheritance.Add(SocketLock, DescriptorKind.File, DescriptorAccess.ReadWrite, socket.Lock);
        inheritance.Add(StateText, configuration.StateDirectory);
        inheritance.Add(SocketText, configuration.SocketPath);
        inheritance.Add(WorkingDirectoryText, configuration.WorkingDirectory);
        if (steps is WardenClient { WardenPid: { } pid } warden)
        {
            inheritance.Add(
                Warden, DescriptorKind.Stream, DescriptorAccess.ReadWrite, warden.Channel.Fd);
            inheritance.Add(WardenText, pid.ToString(CultureInfo.InvariantCulture));
        }

        if (steps is not null && configuration.User is { } user)
        {
            AddUser(inheritance, user);
        }

        return inheritance;
    }

    private static void AddUser(Inheritance inheritance, UserAccount user)
    {
        inheritance.Add(UserText, $"{user.Uid}:{user.Gid}");
        inheritance.Add(UserNameText, user.Name);
    }

    /// <summary>
    /// Executes the supervisor's program in this process's place, with what is inherited. Returns
    /// only the reason why it did not work.
    /// </summary>
    public static Fault Execute(
        ApplicationFiles files, IEnumerable<string> arguments, Inheritance inheritance)
    {
        Result<OwnedFd> manifest = inheritance.Write();
        if (!manifest.IsOk)
        {
            return manifest.Fault;
        }

        using OwnedFd written = manifest.Value;
        if (InheritedFds.KeepOnly(
            [.. inheritance.Descriptors.Select(each => each.Fd), written]) is { } fault)
        {
            return fault;
        }

        // From here on they wait for the next program: without handlers of its own yet, one would
        // end it.
        SignalFd.Block(Signals);
        fault = Jail.Execute(
            files.Program,
            [
                .. files.LeadingArguments, "supervise", .. arguments, Inheritance.Option,
                written.Number.ToString(CultureInfo.InvariantCulture),
            ],
            Environment(files));
        _ = InheritedFds.KeepOnly([]);
        return fault;
    }

    private static Fault? CheckCapabilities(UserAccount user)
    {
        bool hasAll = (Privileges.Effective & CapabilityTable.NeededToDrop)
            == CapabilityTable.NeededToDrop;
        return hasAll
            ? null
            : new Fault(
                FaultCode.Denied,
                $"root without CAP_SETUID and CAP_SETGID cannot become {user}",
                "give the container both, or start it as an ordinary user",
                "user");
    }

    private static Result<(UnixSocket Ours, int Pid)> StartWarden(
        ApplianceConfiguration configuration, UserAccount user)
    {
        Result<(UnixSocket First, UnixSocket Second)> pair = UnixSocket.Pair();
        Result<OwnedFd> nothing = Files.Open("/dev/null", OpenFlags.Read);
        if (!pair.IsOk || !nothing.IsOk)
        {
            return pair.Fault ?? nothing.Fault!;
        }

        using UnixSocket theirs = pair.Value.Second;
        using OwnedFd input = nothing.Value;
        using OwnedFd log = OwnedFd.Borrow(2);
        List<string> arguments =
        [
            WardenVerb.Verb,
            WardenVerb.UserOption, $"{user.Uid}:{user.Gid}",
            WardenVerb.SocketOption, configuration.SocketPath,
        ];
        foreach (string place in AllowedPlaces.Of(
            configuration.Devices, configuration.DevicePlaces))
        {
            arguments.AddRange([WardenVerb.PlaceOption, place]);
        }

        if (configuration.FilePath is { } file)
        {
            arguments.AddRange([WardenVerb.ConfigurationOption, file]);
        }

        ApplicationFiles files = ApplicationFiles.Current;
        Result<ChildProcess> child = ChildProcess.Start(
            files.Program,
            [.. files.LeadingArguments, .. arguments],
            files.Environment(),
            [
                new(input, 0), new(log, 1), new(log, 2),
                new(theirs.Fd, WardenVerb.ChannelFd),
            ]);
        return child.IsOk ? (pair.Value.First, child.Value.Pid) : child.Fault;
    }

    /// <summary>
    /// Where the user can execute this program: where it lies, or below a private root where the
    /// way there is closed to them.
    /// </summary>
    private static Result<ApplicationFiles> Reachable(ApplicationFiles files, UserAccount user)
    {
        bool isOpen = PathAccess.IsOpenTo(user, files.Program)
            && (files.RuntimeRoot is null || PathAccess.IsOpenTo(user, files.RuntimeRoot));
        if (isOpen)
        {
            return files;
        }

        Fault? unbound = Jail.MakePrivateRoot(JailVerb.Bindings(files));
        return unbound is null
            ? JailVerb.Below(PrivateRoot, files)
            : new Fault(
                FaultCode.Denied,
                $"{user} has no way to {files.Program}, and: {unbound.Message}",
                "install the program below /usr/lib");
    }

    /// <summary>Our own, but for where the runtime lies.</summary>
    public static List<string> Environment(ApplicationFiles files)
    {
        const string runtime = "DOTNET_ROOT";
        List<string> variables =
        [
            .. System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
                .Where(each => (string)each.Key is not runtime)
                .Select(each => $"{each.Key}={each.Value}"),
        ];
        if (files.RuntimeRoot is { } root)
        {
            variables.Add($"{runtime}={root}");
        }

        return variables;
    }
}
