using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Firewall;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>The steps taken by this process: as an ordinary user, or in the warden.</summary>
/// <param name="user">Whom workers run as, where that is somebody else.</param>
/// <param name="places">Where devices may lie; null where whoever asks may do the same by
/// itself.</param>
internal sealed class OwnSteps(UserAccount? user, AllowedPlaces? places = null) : IPrivilegedSteps
{
    public bool StartedByRoot => UserAccount.IsRoot;

    public int? WardenPid => null;

    public Result<ChildProcess> Launch(
        IReadOnlyList<string> arguments, UnixSocket channel, IReadOnlyList<OwnedFd> places)
    {
        Result<OwnedFd> nothing = Files.Open("/dev/null", OpenFlags.Read);
        if (!nothing.IsOk)
        {
            return nothing.Fault;
        }

        using OwnedFd input = nothing.Value;
        using OwnedFd log = OwnedFd.Borrow(2);
        ApplicationFiles files = ApplicationFiles.Current;

        // Standard output goes where the log goes: whoever reads the supervisor's own output gets
        // nothing of a worker's into it.
        return ChildProcess.Start(
            files.Program,
            [.. files.LeadingArguments, .. arguments],
            files.Environment(),
            [
                new(input, 0), new(log, 1), new(log, 2),
                new(channel.Fd, WorkerVerb.ChannelFd),
                .. places.Select(
                    (place, i) => new DescriptorMapping(place, WorkerVerb.FirstPlaceFd + i)),
            ]);
    }

    public Fault? InspectDevice(string path, string stateId) =>
        DeviceInspection.Check(path, stateId);

    public Result<OpenedPath> OpenDevice(string path) =>
        DeviceOpener.Open(path, user, places);

    public Result<string> ReadConfiguration(string path) => ConfigurationFile.ReadText(path);

    public Result<OwnedFd> OpenPins(string stateId) => PinDirectory.Open(
        stateId, user is { } other && other.Uid != UserAccount.Current.Uid ? other : null);

    public Fault? RemovePins(string stateId) => PinDirectory.Remove(stateId);

    public Fault? DiscardPins(string stateId) => PinDirectory.Discard(stateId);

    public void RemoveSocket(string path) => File.Delete(path);

    public void Dispose()
    {
        // Nothing is held.
    }
}
