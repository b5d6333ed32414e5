using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.State;

/// <content>
/// A place for a standby worker to rehearse in: devices and a catalog of its own, of no value.
/// </content>
public sealed partial class StateDirectory
{
    private const string RehearsalDirectory = "rehearsal";

    private string RehearsalPath => System.IO.Path.Combine(_root, RehearsalDirectory);

    /// <summary>
    /// A new, empty directory that belongs to the workers' user (null: to ourselves).
    /// </summary>
    internal Result<OwnedFd> MakeRehearsal(UserAccount? user)
    {
        RemoveRehearsal();
        if (MakeDirectory(RehearsalPath) is { } fault)
        {
            return fault;
        }

        Result<DirectoryFd> opened = DirectoryFd.Open(RehearsalPath);
        if (!opened.IsOk || user is not { } account)
        {
            return opened.IsOk ? opened.Value.Fd : opened.Fault;
        }

        SysResult owned = DirectoryOwner.HandOver(opened.Value, account);
        if (!owned.IsOk)
        {
            opened.Value.Dispose();
            return owned.Errno.ToFault($"give {RehearsalPath} to {account}");
        }

        return opened.Value.Fd;
    }

    /// <summary>
    /// Removes it with all that is in it. Whoever may still open files there, may no more: a
    /// directory that was removed takes none.
    /// </summary>
    internal void RemoveRehearsal()
    {
        try
        {
            if (Directory.Exists(RehearsalPath))
            {
                Directory.Delete(RehearsalPath, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody still writes there; the next one who makes or removes it tries again.
            EventLog.Write("rehearsal.notRemoved", ("reason", e.Message));
        }
    }
}
