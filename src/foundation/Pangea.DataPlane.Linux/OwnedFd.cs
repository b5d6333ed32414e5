using Microsoft.Win32.SafeHandles;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// A file descriptor with one owner, who closes it. Descriptor 0 is valid. Every descriptor we open
/// is born close-on-exec.
/// </summary>
public sealed class OwnedFd : SafeHandleMinusOneIsInvalid
{
    /// <summary>Takes ownership of an open descriptor.</summary>
    public OwnedFd(int fd)
        : base(ownsHandle: true) => SetHandle(fd);

    private OwnedFd(int fd, bool ownsHandle)
        : base(ownsHandle) => SetHandle(fd);

    /// <summary>The number, for the kernel. Valid as long as this object is not disposed.</summary>
    public int Number
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (int)handle;
        }
    }

    /// <summary>A view of a descriptor that someone else owns, such as 0, 1 and 2.</summary>
    public static OwnedFd Borrow(int fd) => new(fd, ownsHandle: false);

    // close(2): the descriptor is gone even on EINTR, so the call is never repeated.
    protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;

    public override string ToString() => IsClosed ? "fd closed" : $"fd {(int)handle}";
}
