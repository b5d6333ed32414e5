using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// The few steps that may take more privilege than a supervisor has. Taken by itself where there is
/// none to give up, by the warden where it has dropped.
/// </summary>
internal interface IPrivilegedSteps : IDisposable
{
    /// <summary>Whether root started the appliance, however little is left of that.</summary>
    bool StartedByRoot { get; }

    /// <summary>The warden; null where there is none.</summary>
    int? WardenPid { get; }

    /// <summary>Starts this program through the jail.</summary>
    /// <param name="arguments">From <c>jail</c> on.</param>
    /// <param name="channel">The worker's end; stays the caller's.</param>
    /// <param name="places">Stay the caller's.</param>
    Result<ChildProcess> Launch(
        IReadOnlyList<string> arguments, UnixSocket channel, IReadOnlyList<OwnedFd> places);

    /// <summary>Why the place cannot be a device of this appliance; null where it may.</summary>
    Fault? InspectDevice(string path, string stateId);

    /// <summary>Opens a device and gives its directory to the workers' user.</summary>
    /// <param name="path">Full path.</param>
    Result<OpenedPath> OpenDevice(string path);

    /// <summary>The text of the configuration file.</summary>
    Result<string> ReadConfiguration(string path);

    /// <summary>The directory for the firewall's names in the BPF file system.</summary>
    /// <param name="stateId">Of this appliance.</param>
    Result<OwnedFd> OpenPins(string stateId);

    /// <summary>Removes that directory, which is empty.</summary>
    Fault? RemovePins(string stateId);

    /// <summary>
    /// Removes that directory with all that is named in it, which ends attachments that an earlier
    /// configuration left.
    /// </summary>
    Fault? DiscardPins(string stateId);

    /// <summary>Removes the control socket at the end.</summary>
    void RemoveSocket(string path);
}
