using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>What a supervisor has that begins in the place of an earlier program.</summary>
internal sealed class InheritedStart : IDisposable
{
    public required ApplianceConfiguration Configuration { get; init; }

    public required StateDirectory State { get; init; }

    public required ControlSocket Socket { get; init; }

    public required IPrivilegedSteps Steps { get; init; }

    /// <summary>How the configuration is read again.</summary>
    public required ConfigurationContext Context { get; init; }

    /// <summary>Connections of an earlier program of this process.</summary>
    public required IReadOnlyList<OwnedFd> Clients { get; init; }

    /// <summary>Takes everything over; the manifest's descriptors are checked.</summary>
    public static Result<InheritedStart> Read(string[] arguments, string manifest)
    {
        Result<Inheritance> read = Inheritance.Read(manifest);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        Inheritance inherited = read.Value;
        Result<IPrivilegedSteps> steps = StepsOf(inherited);
        Result<OwnedFd> directory = inherited.Take(PrivilegeDrop.StateDirectory);
        Result<OwnedFd> stateLock = inherited.Take(PrivilegeDrop.StateLock);
        Result<OwnedFd> listener = inherited.Take(PrivilegeDrop.Listener);
        Result<OwnedFd> socketLock = inherited.Take(PrivilegeDrop.SocketLock);
        Fault? fault = steps.Fault ?? directory.Fault ?? stateLock.Fault ?? listener.Fault
            ?? socketLock.Fault;
        if (fault is not null)
        {
            return fault;
        }

        string path = inherited.Text(PrivilegeDrop.StateText) ?? "/";
        string socket = inherited.Text(PrivilegeDrop.SocketText) ?? "/";
        var context = new ConfigurationContext(
            inherited.Text(PrivilegeDrop.WorkingDirectoryText) ?? "/",
            steps.Value.StartedByRoot,
            steps.Value.ReadConfiguration);
        Result<ApplianceConfiguration> configuration = ConfigurationSources.Load(
            arguments, Environment.GetEnvironmentVariable, context);
        Result<StateDirectory> state = configuration.IsOk
            ? StateDirectory.Adopt(path, directory.Value, stateLock.Value)
            : configuration.Fault;
        if (!state.IsOk)
        {
            return state.Fault;
        }

        var clients = new List<OwnedFd>();
        while (inherited.Take(PrivilegeDrop.Client) is { IsOk: true } client)
        {
            clients.Add(client.Value);
        }

        // What is open and who we are stays as it is, whatever the file says by now.
        return new InheritedStart
        {
            Configuration = configuration.Value with
            {
                StateDirectory = path,
                SocketPath = socket,
                User = UserOf(inherited),
            },
            State = state.Value,
            Socket = ControlSocket.Adopt(
                socket, listener.Value, socketLock.Value, steps.Value.RemoveSocket),
            Steps = steps.Value,
            Context = context,
            Clients = clients,
        };
    }

    private static UserAccount? UserOf(Inheritance inherited) =>
        inherited.Text(PrivilegeDrop.UserText) is { } text
            && UserAccount.Find(text) is { IsOk: true } found
            ? found.Value with { Name = inherited.Text(PrivilegeDrop.UserNameText) ?? text }
            : null;

    private static Result<IPrivilegedSteps> StepsOf(Inheritance inherited)
    {
        if (!int.TryParse(
            inherited.Text(PrivilegeDrop.WardenText), CultureInfo.InvariantCulture, out int pid))
        {
            return new OwnSteps(UserOf(inherited));
        }

        // Workers run as the same user.
        if (Privileges.ForbidInspection() is { } open)
        {
            return open;
        }

        Result<OwnedFd> warden = inherited.Take(PrivilegeDrop.Warden);
        return warden.IsOk
            ? new WardenClient(UnixSocket.Adopt(warden.Value), pid)
            : warden.Fault;
    }

    public void Dispose()
    {
        Socket.Dispose();
        State.Dispose();
        Steps.Dispose();
    }
}
