using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>The filters of bits before the tables of bans (bpf/bans.h).</summary>
internal static class BanFilter
{
    /// <summary>Index of the word that a source's bits are in.</summary>
    internal static int Word(uint mask, ulong hash) => (int)((uint)(hash >> 32) & mask);

    /// <summary>Its bits there, at most three.</summary>
    internal static ulong Bits(ulong hash) =>
        (1UL << (int)(hash & 63))
            | (1UL << (int)((hash >> 6) & 63))
            | (1UL << (int)((hash >> 12) & 63));

    /// <summary>Sets the bits of one source; the program may set others meanwhile.</summary>
    internal static void Mark(SharedValues words, uint mask, ulong hash) =>
        Interlocked.Or(ref words.At<ulong>(Word(mask, hash)), Bits(hash));
}
