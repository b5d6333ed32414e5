using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>What a supervisor has that begins in the place of an earlier program.</summary>
internal sealed class DroppedStart : IDisposable
{
    public required ApplianceConfiguration Configuration { get; init; }

    public required StateDirectory State { get; init; }

    public required ControlSocket Socket { get; init; }

    public required WardenClient Steps { get; init; }

    /// <summary>How the configuration is read again.</summary>
    public required ConfigurationContext Context { get; init; }

    /// <summary>Takes everything over; the manifest's descriptors are checked.</summary>
    public static Result<DroppedStart> Read(string[] arguments, string manifest)
    {
        if (Privileges.ForbidInspection() is { } open)
        {
            return open;
        }

        Result<Inheritance> read = Inheritance.Read(manifest);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        Inheritance inherited = read.Value;
        Result<OwnedFd> warden = inherited.Take(PrivilegeDrop.Warden);
        Result<OwnedFd> directory = inherited.Take(PrivilegeDrop.StateDirectory);
        Result<OwnedFd> stateLock = inherited.Take(PrivilegeDrop.StateLock);
        Result<OwnedFd> listener = inherited.Take(PrivilegeDrop.Listener);
        Result<OwnedFd> socketLock = inherited.Take(PrivilegeDrop.SocketLock);
        Fault? fault = warden.Fault ?? directory.Fault ?? stateLock.Fault ?? listener.Fault
            ?? socketLock.Fault;
        string path = inherited.Text(PrivilegeDrop.StateText) ?? "/";
        if (fault is not null || !int.TryParse(
            inherited.Text(PrivilegeDrop.WardenText), CultureInfo.InvariantCulture, out int pid))
        {
            return fault ?? new Fault(FaultCode.Internal, "the manifest names no warden");
        }

        var steps = new WardenClient(UnixSocket.Adopt(warden.Value), pid);
        var context = new ConfigurationContext(
            inherited.Text(PrivilegeDrop.WorkingDirectoryText) ?? "/",
            StartedByRoot: true,
            steps.ReadConfiguration);
        Result<ApplianceConfiguration> configuration = ConfigurationSources.Load(
            arguments, Environment.GetEnvironmentVariable, context);
        Result<StateDirectory> state = configuration.IsOk
            ? StateDirectory.Adopt(path, directory.Value, stateLock.Value)
            : configuration.Fault;
        if (!state.IsOk)
        {
            return state.Fault;
        }

        return new DroppedStart
        {
            Configuration = configuration.Value,
            State = state.Value,
            Socket = ControlSocket.Adopt(
                inherited.Text(PrivilegeDrop.SocketText) ?? "/",
                listener.Value,
                socketLock.Value,
                steps.RemoveSocket),
            Steps = steps,
            Context = context,
        };
    }

    public void Dispose()
    {
        Socket.Dispose();
        State.Dispose();
        Steps.Dispose();
    }
}
