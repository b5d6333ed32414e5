using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>What is particular to an open block device.</summary>
public static class BlockDevice
{
    private const int SEEK_END = 2;

    /// <summary>Its length. Moves the position, which positioned calls ignore.</summary>
    public static Result<long> BytesOf(OwnedFd device)
    {
        SysResult end = Call.Of(LibC.lseek(device.Number, 0, SEEK_END));
        return end.IsOk ? end.Value : end.Errno.ToFault("find a block device's length");
    }
}
