using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>The rival of the compression: libzstd alone, one context, one stripe a call.</summary>
internal sealed unsafe partial class PlainZstd : IDisposable
{
    private const string Library = "libzstd.so.1";

    private readonly nint _context = ZSTD_createCCtx();
    private readonly byte[] _output;

    public PlainZstd(int stripeBytes) => _output = new byte[ZSTD_compressBound((nuint)stripeBytes)];

    public int Compress(byte[] plain, int level)
    {
        // SAFETY: both arrays are pinned for the call and as long as is said.
        fixed (byte* from = plain)
        fixed (byte* to = _output)
        {
            return (int)ZSTD_compressCCtx(
                _context, to, (nuint)_output.Length, from, (nuint)plain.Length, level);
        }
    }

    public void Dispose() => _ = ZSTD_freeCCtx(_context);

    [LibraryImport(Library)]
    private static partial nint ZSTD_createCCtx();

    [LibraryImport(Library)]
    private static partial nuint ZSTD_freeCCtx(nint context);

    [LibraryImport(Library)]
    private static partial nuint ZSTD_compressBound(nuint bytes);

    [LibraryImport(Library)]
    private static partial nuint ZSTD_compressCCtx(
        nint context, byte* to, nuint capacity, byte* from, nuint bytes, int level);
}
