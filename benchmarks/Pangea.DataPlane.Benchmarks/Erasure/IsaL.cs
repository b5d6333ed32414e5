using System.Runtime.InteropServices;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// The rival: Intel's ISA-L as the distribution packages it (libisal2). It chooses its own kernel
/// for the CPU. It is given our matrix: its speed does not depend on the coefficients, and the two
/// outputs can be compared.
/// </summary>
internal sealed unsafe partial class IsaL
{
    private const string Library = "libisal.so.2";
    private const int TableBytesPerCoefficient = 32;

    private readonly byte* _table;
    private readonly int _dataShards;
    private readonly int _parityShards;

    public IsaL(int dataShards, int parityShards)
    {
        _dataShards = dataShards;
        _parityShards = parityShards;

        // SAFETY: ISA-L writes 32 bytes per coefficient; the block lives as long as the process.
        _table = (byte*)NativeMemory.AlignedAlloc(
            (nuint)(dataShards * parityShards * TableBytesPerCoefficient), 64);
        byte* matrix = stackalloc byte[dataShards * parityShards];
        for (int row = 0; row < parityShards; row++)
        {
            for (int column = 0; column < dataShards; column++)
            {
                matrix[row * dataShards + column] = ReedSolomon.Coefficient(row, column);
            }
        }

        ec_init_tables(dataShards, parityShards, matrix, _table);
    }

    /// <summary>The package version of the library that is loaded, or null when there is
    /// none.</summary>
    public static string? Version { get; } = FindVersion();

    public void Encode(byte** data, byte** parity, int shardBytes) =>
        ec_encode_data(shardBytes, _dataShards, _parityShards, _table, data, parity);

    public static uint Crc32C(byte* bytes, int length) => crc32_iscsi(bytes, length, 0xFFFFFFFF);

    [LibraryImport(Library)]
    private static partial void ec_init_tables(int k, int rows, byte* a, byte* gftbls);

    [LibraryImport(Library)]
    private static partial void ec_encode_data(
        int len, int k, int rows, byte* gftbls, byte** data, byte** coding);

    [LibraryImport(Library)]
    private static partial uint crc32_iscsi(byte* buffer, int len, uint init_crc);

    private static string? FindVersion()
    {
        if (!NativeLibrary.TryLoad(Library, out _))
        {
            return null;
        }

        // The file behind the link carries the version: libisal.so.2.0.30 is ISA-L 2.30.
        string[] folders =
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
        string? link = folders
            .Select(folder => Path.Combine(folder, Library))
            .FirstOrDefault(File.Exists);
        string? target = link is null ? null : File.ResolveLinkTarget(link, true)?.Name;
        return target is null ? "ISA-L" : $"ISA-L 2.{target[(target.LastIndexOf('.') + 1)..]}";
    }
}
