using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.State;

/// <summary>One device directory as the supervisor sees it.</summary>
/// <param name="Index">Position in the configuration.</param>
/// <param name="Path">Full path.</param>
/// <param name="Directory">Open; null where it could not be opened.</param>
/// <param name="State">What the worker is told.</param>
/// <param name="Reason">Why it is not open.</param>
public sealed record DeviceDirectory(
    int Index, string Path, DirectoryFd? Directory, DeviceState State, string? Reason);

/// <summary>
/// Opens the device directories for a worker: the one thing about devices that needs privilege and
/// paths. No file below them is touched here.
/// </summary>
public static class DeviceDirectories
{
    private const int Private = 0x1C0; // 0700

    /// <summary>Opens each directory anew; the caller disposes what is open.</summary>
    public static List<DeviceDirectory> Open(ApplianceConfiguration configuration)
    {
        var devices = new List<DeviceDirectory>(configuration.Devices.Count);
        for (int i = 0; i < configuration.Devices.Count; i++)
        {
            string path = configuration.Devices[i];
            Result<DirectoryFd> opened = OpenOne(path, configuration);
            devices.Add(opened.IsOk
                ? new DeviceDirectory(i, path, opened.Value, DeviceState.Ok, null)
                : new DeviceDirectory(i, path, null, StateOf(opened.Fault), opened.Fault.Message));
        }

        return devices;
    }

    private static DeviceState StateOf(Fault fault) =>
        fault.Code == FaultCode.NotFound ? DeviceState.Missing : DeviceState.Failed;

    private static Result<DirectoryFd> OpenOne(string path, ApplianceConfiguration configuration)
    {
        if (configuration.CreatesDevices && !Directory.Exists(path))
        {
            try
            {
                // A device that was lost comes back empty, as after a change of disks.
                Directory.CreateDirectory(path, (UnixFileMode)Private);
                EventLog.Write("device.made", ("path", path));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return new Fault(FaultCode.Io, $"cannot make device directory {path}: {e.Message}");
            }
        }

        Result<DirectoryFd> opened = DirectoryFd.Open(path);
        if (!opened.IsOk || configuration.User is not { } user)
        {
            return opened;
        }

        // On a file system that is mounted read-only this fails and the worker finds out by itself
        // what it can still do with the device.
        SysResult owned = DirectoryOwner.HandOver(opened.Value, user);
        if (!owned.IsOk && owned.Errno != Errno.EROFS)
        {
            EventLog.Write(
                "device.notOwned",
                ("path", path),
                ("user", user),
                ("reason", owned.Errno.Text));
        }

        return opened;
    }
}
