using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>The filters of bits before the tables of bans (bpf/bans.h).</summary>
internal static class BanFilter
{
    /// <summary>Sets the bits of one source; the program may set others meanwhile.</summary>
    internal static void Mark(SharedValues words, uint mask, ulong hash)
    {
        ref ulong word = ref words.At<ulong>((int)((uint)(hash >> 32) & mask));
        Interlocked.Or(
            ref word,
            (1UL << (int)(hash & 63))
                | (1UL << (int)((hash >> 6) & 63))
                | (1UL << (int)((hash >> 12) & 63)));
    }
}
