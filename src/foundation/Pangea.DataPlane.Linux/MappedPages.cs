using System.Globalization;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>Pages of a file that someone else in this process mapped (a library, say).</summary>
public static unsafe class MappedPages
{
    /// <summary>
    /// Takes the pages out of this process; they stay in the page cache, and the next access maps
    /// them again. Only for shared mappings of a file, where nothing can be lost by it.
    /// </summary>
    /// <param name="address">Start of the mapping, page-aligned.</param>
    /// <param name="bytes">From there, not beyond the mapping's end.</param>
    public static SysResult GiveBack(nint address, long bytes) =>
        // SAFETY: by contract the range is a shared mapping of a file: MADV_DONTNEED (madvise(2))
        // changes no content that a reader sees, it only unmaps until the next access.
        Call.Of(LibC.madvise((void*)address, (nuint)bytes, Mman.MADV_DONTNEED));

    /// <summary>
    /// First address of the mapping that contains the address (/proc/self/maps, proc(5)); 0 where
    /// none does or the list cannot be read.
    /// </summary>
    public static nint StartOf(nint address)
    {
        try
        {
            // Each line begins "start-end ", in hexadecimal.
            foreach (string line in File.ReadLines("/proc/self/maps"))
            {
                int dash = line.IndexOf('-');
                int space = line.IndexOf(' ');
                if (dash > 0
                    && space > dash
                    && TryParse(line.AsSpan(0, dash), out nint start)
                    && TryParse(line.AsSpan(dash + 1, space - dash - 1), out nint end)
                    && address >= start
                    && address < end)
                {
                    return start;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return 0;
        }

        return 0;

        static bool TryParse(ReadOnlySpan<char> text, out nint value) =>
            nint.TryParse(text, NumberStyles.AllowHexSpecifier, null, out value);
    }
}
