using System.Runtime.InteropServices;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The one door to libzstd (Debian package libzstd1, decision A12): a compression and a
/// decompression context, reused for every stripe so that nothing is allocated after the first. Not
/// thread-safe. Signatures: zstd.h 1.4 and later, "stable API" section.
/// </summary>
internal sealed unsafe partial class Zstd : IDisposable
{
    /// <summary>Result of a call that did not produce bytes.</summary>
    public const int Failed = -1;

    private const string Library = "libzstd.so.1";
    private const int CompressionLevelParameter = 100;
    private const int HashLogParameter = 102;
    private const int ChainLogParameter = 103;

    // Level 3 searches with two tables, of 2^17 and 2^16 entries in a stripe of 1 MiB: with the
    // stripe more than an L2 cache holds. A quarter of that takes 22 % off the time and adds 1.5 %
    // to the bytes (experiments/0002). Below this many bytes libzstd shrinks its tables itself.
    private const int SmallTablesLevel = 3;
    private const int SmallTablesBytesMin = 512 * 1024;
    private const int SmallHashLog = 15;
    private const int SmallChainLog = 14;
    private const int DefaultLog = 0;

    private nint _compressor;
    private nint _decompressor;
    private int _level = int.MinValue;
    private bool _hasSmallTables;

    private Zstd(nint compressor, nint decompressor)
    {
        _compressor = compressor;
        _decompressor = decompressor;
    }

    /// <summary>The library's version, or why it cannot be used.</summary>
    public static Result<string> Version()
    {
        try
        {
            uint version = ZSTD_versionNumber();
            return $"{version / 10000}.{version / 100 % 100}.{version % 100}";
        }
        catch (TypeLoadException)
        {
            return new Fault(
                FaultCode.Unsupported,
                $"{Library} cannot be loaded",
                "install the package libzstd1");
        }
    }

    public static Result<Zstd> Create()
    {
        Result<string> version = Version();
        if (!version.IsOk)
        {
            return version.Fault;
        }

        nint compressor = ZSTD_createCCtx();
        nint decompressor = ZSTD_createDCtx();
        Invariant.Check(compressor != 0 && decompressor != 0, "libzstd has no memory");
        return new Zstd(compressor, decompressor);
    }

    /// <summary>
    /// Compresses into one frame; <see cref="Failed"/> where it would not fit into
    /// <paramref name="destination"/>, which is how a stripe that does not shrink is noticed.
    /// </summary>
    public int Compress(ReadOnlySpan<byte> source, Span<byte> destination, int level)
    {
        Invariant.Check(_compressor != 0);
        bool isSmall = level == SmallTablesLevel && source.Length >= SmallTablesBytesMin;
        if (level != _level || isSmall != _hasSmallTables)
        {
            Set(CompressionLevelParameter, level);
            Set(HashLogParameter, isSmall ? SmallHashLog : DefaultLog);
            Set(ChainLogParameter, isSmall ? SmallChainLog : DefaultLog);
            _level = level;
            _hasSmallTables = isSmall;
        }

        // SAFETY: both spans are pinned for the call, libzstd reads source.Length and writes at
        // most destination.Length bytes, and the context belongs to this object, which one thread
        // uses.
        fixed (byte* from = source)
        fixed (byte* to = destination)
        {
            nuint written = ZSTD_compress2(
                _compressor, to, (nuint)destination.Length, from, (nuint)source.Length);
            return ZSTD_isError(written) == 0 ? (int)written : Failed;
        }
    }

    /// <summary>
    /// Decompresses frames that together have at most <paramref name="destination"/>'s length:
    /// whatever a frame declares, nothing is written or allocated beyond it. <see cref="Failed"/>
    /// on bad input.
    /// </summary>
    public int Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        Invariant.Check(_decompressor != 0);

        // SAFETY: as in Compress. One-shot decompression uses the destination as its window, so a
        // frame cannot make libzstd allocate one.
        fixed (byte* from = source)
        fixed (byte* to = destination)
        {
            nuint written = ZSTD_decompressDCtx(
                _decompressor, to, (nuint)destination.Length, from, (nuint)source.Length);
            return ZSTD_isError(written) == 0 ? (int)written : Failed;
        }
    }

    public void Dispose()
    {
        _ = ZSTD_freeCCtx(Interlocked.Exchange(ref _compressor, 0));
        _ = ZSTD_freeDCtx(Interlocked.Exchange(ref _decompressor, 0));
    }

    private void Set(int parameter, int value) => Invariant.Check(
        ZSTD_isError(ZSTD_CCtx_setParameter(_compressor, parameter, value)) == 0,
        "libzstd refuses a parameter");

    [LibraryImport(Library)]
    private static partial uint ZSTD_versionNumber();

    [LibraryImport(Library)]
    private static partial nint ZSTD_createCCtx();

    [LibraryImport(Library)]
    private static partial nuint ZSTD_freeCCtx(nint context);

    [LibraryImport(Library)]
    private static partial nint ZSTD_createDCtx();

    [LibraryImport(Library)]
    private static partial nuint ZSTD_freeDCtx(nint context);

    [LibraryImport(Library)]
    private static partial nuint ZSTD_CCtx_setParameter(nint context, int parameter, int value);

    [LibraryImport(Library)]
    private static partial nuint ZSTD_compress2(
        nint context, byte* destination, nuint capacity, byte* source, nuint bytes);

    [LibraryImport(Library)]
    private static partial nuint ZSTD_decompressDCtx(
        nint context, byte* destination, nuint capacity, byte* source, nuint bytes);

    [LibraryImport(Library)]
    private static partial uint ZSTD_isError(nuint code);
}
