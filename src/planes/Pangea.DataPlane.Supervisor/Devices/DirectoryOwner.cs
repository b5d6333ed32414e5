using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>Gives directories of ours to the user that workers run as.</summary>
internal static class DirectoryOwner
{
    // A device has one level of directories below it; anything deeper is not ours.
    private const int DepthMax = 2;

    /// <summary>
    /// Gives the directory and what is in it to the user, unless the directory is theirs already.
    /// </summary>
    public static SysResult HandOver(DirectoryFd directory, UserAccount user)
    {
        Result<FileStatus> status = Files.Status(directory.Fd);
        return status.IsOk && status.Value.Uid == user.Uid
            ? new SysResult(0)
            : HandOver(directory, user, DepthMax);
    }

    /// <summary>
    /// Gives a directory and what is in it to the workers' user, which matters when that user was
    /// changed. The directory itself comes last: its owner says that the rest is done.
    /// </summary>
    private static SysResult HandOver(DirectoryFd directory, UserAccount user, int depthMax)
    {
        Result<List<DirectoryEntry>> entries = directory.List();
        if (entries.IsOk && depthMax > 0)
        {
            foreach (DirectoryEntry entry in entries.Value)
            {
                HandOver(directory, entry.Name, user, depthMax);
            }
        }

        return Files.ChangeOwner(directory.Fd, user.Uid, user.Gid);
    }

    private static void HandOver(DirectoryFd parent, string name, UserAccount user, int depthMax)
    {
        if (!parent.StatusOf(name, out FileStatus status).IsOk)
        {
            return;
        }

        if (status.Kind == FileKind.Directory)
        {
            Result<DirectoryFd> opened = parent.OpenDirectory(name);
            if (opened.IsOk)
            {
                HandOver(opened.Value, user, depthMax - 1);
                opened.Value.Dispose();
            }
        }
        else if (status.Kind == FileKind.Regular && status.LinkCount == 1)
        {
            // A second name could be someone else's file, linked here by the previous user.
            _ = parent.ChangeOwner(name, user.Uid, user.Gid);
        }
    }
}
