// HOT PATH
// Budget: 1 MiB at 5 GB/s is 200 us, a 4 KiB object has 6.6 us in all. The probe counts 8 KiB of a
// large stripe (1 KiB of a small one) and, only where those look random, searches a part of it for
// repeats nearby, and in large ones for whole files that are there twice: about 11 us and 1 us; no
// allocation.
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Tells whether a stripe looks as if compression would not pay: bytes evenly spread (order 0), no
/// four bytes repeated nearby, nothing long repeated anywhere. libzstd needs 2 ms for a random MiB
/// at level 6; this needs some microseconds.
/// </summary>
internal static class CompressibilityProbe
{
    /// <summary>Below this the sample says nothing and libzstd is quick anyway.</summary>
    private const int StripeBytesMin = 512;

    private const int Symbols = 256;
    private const int Chunks = 16;

    // What is looked at, by stripe size: a sample costs in proportion, the gain of skipping does
    // too.
    private const int LargeStripeBytes = 64 * 1024;
    private const int CountedBytesLarge = 8192;
    private const int CountedBytesSmall = 1024;
    private const int SearchedBytesLarge = 4096;
    private const int SearchedBytesSmall = 512;

    // Evenness is 256 * sum(p^2): 1 for uniform bytes, with a standard deviation of 22.6 / n for n
    // samples. At 1.06 the collision entropy is 7.92 bits, so skipping gives away about one
    // percent; the second term leaves room of 4 deviations for small samples.
    private const double EvennessMax = 1.06;
    private const double EvennessSlack = 4 * 22.6;

    private const int RepeatHashBits = 10;
    private const uint RepeatHashFactor = 2654435761;
    private const int BytesPerRepeat = 64;

    // Anchors are words at regular places; a window is as many consecutive places as lie between
    // two anchors, so it meets one of them if it repeats what is around it.
    private const int Anchors = 1536;
    private const int AnchorHashBits = 12;
    private const ulong AnchorHashFactor = 0x9E3779B97F4A7C15;
    private const uint AnchorTag = 0xFFFF0000;
    private const int Windows = 3;

    public static bool LooksIncompressible(ReadOnlySpan<byte> plain)
    {
        if (plain.Length < StripeBytesMin)
        {
            return false;
        }

        bool isLarge = plain.Length >= LargeStripeBytes;
        return IsEven(plain, isLarge ? CountedBytesLarge : CountedBytesSmall)
            && !HasRepeats(plain, isLarge ? SearchedBytesLarge : SearchedBytesSmall)
            && !(isLarge && HasLongRepeats(plain));
    }

    private static bool IsEven(ReadOnlySpan<byte> plain, int countedBytes)
    {
        // Two tables, because consecutive equal bytes would otherwise wait for each other's store.
        Span<ushort> counts = stackalloc ushort[2 * Symbols];
        counts.Clear();
        int chunkBytes = Math.Min(countedBytes, plain.Length) / Chunks & ~1;
        int step = (plain.Length - chunkBytes) / (Chunks - 1);
        for (int chunk = 0; chunk < Chunks; chunk++)
        {
            ReadOnlySpan<byte> bytes = plain.Slice(chunk * step, chunkBytes);
            for (int i = 0; i + 1 < bytes.Length; i += 2)
            {
                counts[bytes[i]]++;
                counts[Symbols + bytes[i + 1]]++;
            }
        }

        int squares = 0;
        for (int symbol = 0; symbol < Symbols; symbol++)
        {
            int count = counts[symbol] + counts[Symbols + symbol];
            squares += count * count;
        }

        // Sampling n values gives n too many even for uniform bytes (each value meets itself).
        int samples = chunkBytes * Chunks;
        double evenness = (double)(squares - samples) * Symbols / ((double)samples * (samples - 1));
        return evenness < EvennessMax + (EvennessSlack / samples);
    }

    private static bool HasRepeats(ReadOnlySpan<byte> plain, int searchedBytes)
    {
        // One sample at the start and one at the end: files often begin with a header unlike the
        // rest.
        Span<ushort> last = stackalloc ushort[1 << RepeatHashBits];
        int sampleBytes = Math.Min(searchedBytes, plain.Length) / 2;
        return CountRepeats(plain[^sampleBytes..], last) > sampleBytes / BytesPerRepeat
            || CountRepeats(plain[..sampleBytes], last) > sampleBytes / BytesPerRepeat;
    }

    /// <summary>
    /// Archives of archives hold the same file more than once; libzstd finds that at no cost, if it
    /// is asked. Of the mixed file's stripes that look random, a sixth of the bytes goes this way.
    /// </summary>
    private static bool HasLongRepeats(ReadOnlySpan<byte> plain)
    {
        // A slot has the anchor in its lower half and, so that few are looked up in vain, bits of
        // its word in the upper one.
        Span<uint> anchors = stackalloc uint[1 << AnchorHashBits];
        anchors.Clear();
        int step = plain.Length / Anchors;
        for (int i = 1; i < Anchors; i++)
        {
            ulong hash = MemoryMarshal.Read<ulong>(plain[(i * step)..]) * AnchorHashFactor;
            anchors[(int)(hash >> (64 - AnchorHashBits))] = ((uint)hash & AnchorTag) | (uint)i;
        }

        int windowStep = (plain.Length - step - sizeof(ulong)) / Windows;
        for (int window = 0; window < Windows; window++)
        {
            int from = window * windowStep;
            ReadOnlySpan<byte> places = plain.Slice(from, step + sizeof(ulong));
            for (int i = 0; i < step; i++)
            {
                ulong word = MemoryMarshal.Read<ulong>(places[i..]);
                ulong hash = word * AnchorHashFactor;
                uint slot = anchors[(int)(hash >> (64 - AnchorHashBits))];
                int anchor = (int)(slot & ~AnchorTag) * step;
                if ((slot & AnchorTag) == ((uint)hash & AnchorTag) && anchor != from + i
                    && MemoryMarshal.Read<ulong>(plain[anchor..]) == word)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static int CountRepeats(ReadOnlySpan<byte> bytes, Span<ushort> last)
    {
        last.Clear();
        int repeats = 0;
        for (int i = 1; i + sizeof(uint) <= bytes.Length; i++)
        {
            uint word = MemoryMarshal.Read<uint>(bytes[i..]);
            int slot = (int)((word * RepeatHashFactor) >> (32 - RepeatHashBits));
            int seen = last[slot];
            if (seen != 0 && MemoryMarshal.Read<uint>(bytes[seen..]) == word)
            {
                repeats++;
            }

            last[slot] = (ushort)i;
        }

        return repeats;
    }
}
