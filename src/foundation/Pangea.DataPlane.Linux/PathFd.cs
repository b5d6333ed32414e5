using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Descriptors that only name a place in the file system (O_PATH): opening one needs search
/// permission on the way to it and none on the place itself.
/// </summary>
public static class PathFd
{
    private const int O_CLOEXEC = 0x80000;
    private const int O_PATH = 0x200000;

    /// <summary>Names a directory or a file, links followed.</summary>
    public static unsafe Result<OwnedFd> Open(string path)
    {
        byte[] name = Encoding.UTF8.GetBytes(path + '\0');

        // SAFETY: the name is zero-terminated and pinned during the call.
        fixed (byte* start = name)
        {
            int fd;
            do
            {
                fd = LibC.openPath(start, O_PATH | O_CLOEXEC);
            }
            while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR.Value);
            return fd >= 0
                ? new OwnedFd(fd)
                : new Errno(Marshal.GetLastPInvokeError()).ToFault($"open {path}");
        }
    }
}
