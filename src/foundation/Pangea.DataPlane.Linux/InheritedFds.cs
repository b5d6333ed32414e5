using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>Which descriptors the next program gets, when this process executes one.</summary>
public static class InheritedFds
{
    /// <summary>
    /// The standard three and these, under the numbers they have, and nothing else. Call just
    /// before the exec: from here on every child gets them as well.
    /// </summary>
    public static Fault? KeepOnly(IEnumerable<OwnedFd> descriptors)
    {
        if (LibC.syscallCloseRange(
            Process.SYS_close_range, 3, uint.MaxValue, Process.CLOSE_RANGE_CLOEXEC) < 0)
        {
            return LastErrno().ToFault(
                "mark descriptors close-on-exec", "close_range needs Linux 5.11");
        }

        foreach (OwnedFd descriptor in descriptors)
        {
            if (LibC.fcntl(descriptor.Number, Process.F_SETFD, 0) < 0)
            {
                return LastErrno().ToFault($"hand {descriptor} to the next program");
            }
        }

        return null;
    }

    /// <summary>Takes one that came over an exec: from here on no child gets it.</summary>
    public static Result<OwnedFd> Take(int number) =>
        LibC.fcntl(number, Process.F_SETFD, Process.FD_CLOEXEC) < 0
            ? LastErrno().ToFault($"take over descriptor {number}")
            : new OwnedFd(number);

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
