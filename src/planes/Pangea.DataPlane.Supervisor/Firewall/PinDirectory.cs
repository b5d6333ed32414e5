using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The directory in the BPF file system where one appliance's program, maps and attachments have
/// their names: <c>/sys/fs/bpf/pangea/STATEID</c>, so that two appliances on a machine do not meet.
/// Made and removed by whoever is root; used through a descriptor, for systemd closes the way there
/// to all others.
/// </summary>
internal static class PinDirectory
{
    private const string Parent = BpfPins.DefaultMount + "/pangea";
    private const int DepthMax = 3;

    /// <summary>Makes it where it is missing, and gives it to the user with all that is in it.
    /// </summary>
    public static Result<OwnedFd> Open(string stateId, UserAccount? user)
    {
        if (!ObjectId.TryParse(stateId, out _))
        {
            return Fault.InvalidParameter("state", $"\"{stateId}\" is no id of a state");
        }

        string path = Path.Combine(Parent, stateId);
        Result mounted = BpfPins.Ensure(BpfPins.DefaultMount);
        if (!mounted.IsOk)
        {
            return mounted.Fault;
        }

        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(
                FaultCode.Denied,
                $"cannot make {path}: {e.Message}",
                "start the appliance as root: it keeps what the firewall needs and no more");
        }

        Result<DirectoryFd> opened = DirectoryFd.Open(path);
        if (!opened.IsOk || user is not { } account)
        {
            return opened.IsOk ? opened.Value.Fd : opened.Fault;
        }

        SysResult owned = HandOver(opened.Value, account, DepthMax);
        if (owned.IsOk)
        {
            return opened.Value.Fd;
        }

        opened.Value.Dispose();
        return owned.Errno.ToFault($"give {path} to {account}");
    }

    /// <summary>Removes it; it must be empty. One that is not there is no fault.</summary>
    public static Fault? Remove(string stateId)
    {
        if (!ObjectId.TryParse(stateId, out _))
        {
            return Fault.InvalidParameter("state", $"\"{stateId}\" is no id of a state");
        }

        try
        {
            string path = Path.Combine(Parent, stateId);
            if (Directory.Exists(path))
            {
                Directory.Delete(path);
            }

            if (Directory.Exists(Parent) && !Directory.EnumerateFileSystemEntries(Parent).Any())
            {
                Directory.Delete(Parent);
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot remove {Parent}/{stateId}: {e.Message}");
        }
    }

    /// <summary>Removes it with all names in it; one that is not there is no fault.</summary>
    public static Fault? Discard(string stateId)
    {
        if (!ObjectId.TryParse(stateId, out _))
        {
            return Fault.InvalidParameter("state", $"\"{stateId}\" is no id of a state");
        }

        string path = Path.Combine(Parent, stateId);
        try
        {
            if (!Directory.Exists(path))
            {
                return null;
            }

            Directory.Delete(path, recursive: true);
            EventLog.Write("firewall.detached", ("reason", "no section in the configuration"));
            return Remove(stateId);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot remove {path}: {e.Message}");
        }
    }

    private static SysResult HandOver(DirectoryFd directory, UserAccount user, int depth)
    {
        SysResult result = Files.ChangeOwner(directory.Fd, user.Uid, user.Gid);
        Result<List<DirectoryEntry>> entries = directory.List();
        if (!result.IsOk || !entries.IsOk || depth == 0)
        {
            return result;
        }

        foreach (DirectoryEntry entry in entries.Value)
        {
            Result<DirectoryFd> inner = directory.OpenDirectory(entry.Name);
            if (inner.IsOk)
            {
                using DirectoryFd opened = inner.Value;
                result = HandOver(opened, user, depth - 1);
            }
            else
            {
                result = directory.ChangeOwner(entry.Name, user.Uid, user.Gid);
            }

            if (!result.IsOk)
            {
                break;
            }
        }

        return result;
    }
}
