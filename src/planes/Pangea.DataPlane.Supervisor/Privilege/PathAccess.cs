using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>Whether another user gets along a path, asked before becoming that user.</summary>
internal static class PathAccess
{
    private const int Execute = 1;

    /// <summary>
    /// Whether each directory on the way and the file itself may be passed and executed, as far as
    /// permission bits say; access lists are not read, so the answer may be no where it is yes.
    /// </summary>
    public static bool IsOpenTo(UserAccount user, string path)
    {
        for (string? part = Path.GetFullPath(path); part is not null;
            part = Path.GetDirectoryName(part))
        {
            Result<OwnedFd> opened = Files.Open(part, OpenFlags.Read | OpenFlags.NonBlocking);
            if (!opened.IsOk)
            {
                return false;
            }

            using OwnedFd fd = opened.Value;
            Result<FileStatus> status = Files.Status(fd);
            if (!status.IsOk || !MayExecute(user, status.Value))
            {
                return false;
            }
        }

        return true;
    }

    private static bool MayExecute(UserAccount user, FileStatus status)
    {
        int shift = status.Uid == user.Uid ? 6 : status.Gid == user.Gid ? 3 : 0;
        return ((status.Mode >> shift) & Execute) != 0;
    }
}
