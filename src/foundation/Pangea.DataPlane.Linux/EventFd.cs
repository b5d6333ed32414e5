using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>A counter that wakes a loop: any thread signals, one drains.</summary>
public sealed unsafe class EventFd : IDisposable
{
    private EventFd(OwnedFd fd) => Fd = fd;

    public OwnedFd Fd { get; }

    public static Result<EventFd> Create()
    {
        SysResult result = Call.Of(
            LibC.eventfd(0, Eventfd.EFD_CLOEXEC | Eventfd.EFD_NONBLOCK));
        return result.IsOk
            ? new EventFd(new OwnedFd((int)result.Value))
            : result.Errno.ToFault("make an eventfd");
    }

    /// <summary>
    /// Makes the descriptor readable. Cannot fail but by overflow, which is readable too.
    /// </summary>
    public void Signal()
    {
        ulong one = 1;
        // SAFETY: eight bytes of this stack frame, which outlives the call.
        _ = LibC.write(Fd.Number, &one, sizeof(ulong));
    }

    /// <summary>Makes the descriptor unreadable until the next signal.</summary>
    public void Drain()
    {
        ulong value;
        // SAFETY: eight bytes of this stack frame, which outlives the call.
        _ = LibC.read(Fd.Number, &value, sizeof(ulong));
    }

    public void Dispose() => Fd.Dispose();
}
