using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Memory that direct I/O takes: it begins at a multiple of <see cref="Alignment"/>. Pinned for
/// good, so native code sees it too and the collector need not move megabytes.
/// </summary>
internal static class AlignedMemory
{
    public const int Alignment = 4096;

    /// <summary>Uninitialised; the length is rounded up to whole blocks.</summary>
    public static Memory<byte> Allocate(int bytes)
    {
        int blocks = (bytes + Alignment - 1) & -Alignment;
        byte[] all = GC.AllocateUninitializedArray<byte>(blocks + Alignment, pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(all, 0);
        return all.AsMemory((int)(-address & (Alignment - 1)), blocks);
    }
}
