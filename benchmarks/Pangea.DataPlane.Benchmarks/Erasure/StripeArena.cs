using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// Stripes one after the other in one block of memory, filled with random bytes. With one stripe
/// every round finds it where the last one left it (warm); with an arena many times the last-level
/// cache, walked in order, every stripe comes from memory (cold).
/// </summary>
/// <remarks>
/// On huge pages where the system grants them, as the appliance's buffers are: with pages of 4 KiB
/// it depends on the luck of the page allocator which lines share a set of the second-level cache.
/// </remarks>
internal sealed unsafe partial class StripeArena : IDisposable
{
    private const int HugePageBytes = 2 * 1024 * 1024;
    private const int AdviseHugePages = 14;
    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymous = 0x22;

    private readonly nint _mapped;
    private readonly nuint _mappedBytes;
    private readonly byte* _memory;
    private readonly nuint _stripeBytes;
    private readonly int _stripes;
    private int _next;

    /// <param name="dataShards">k.</param>
    /// <param name="parityShards">m.</param>
    /// <param name="shardBytes">Bytes of a shard.</param>
    /// <param name="arenaBytes">Memory to fill with stripes; 0 for one stripe.</param>
    public StripeArena(int dataShards, int parityShards, int shardBytes, long arenaBytes = 0)
    {
        DataShards = dataShards;
        ParityShards = parityShards;
        ShardBytes = shardBytes;
        _stripeBytes = (nuint)(dataShards + parityShards) * (nuint)shardBytes;
        _stripes = (int)Math.Max(1, arenaBytes / (long)_stripeBytes);
        nuint bytes = ((nuint)_stripes * _stripeBytes + HugePageBytes - 1)
            & ~(nuint)(HugePageBytes - 1);
        // Fresh from the kernel, because the allocator hands out pages that were small before.
        _mappedBytes = bytes + HugePageBytes;
        _mapped = mmap(null, _mappedBytes, ProtReadWrite, MapPrivateAnonymous, -1, 0);
        if (_mapped == -1)
        {
            throw new OutOfMemoryException($"no {_mappedBytes} bytes for an arena");
        }

        _memory = (byte*)((_mapped + HugePageBytes - 1) & ~(nint)(HugePageBytes - 1));

        // Advice: without huge pages the benchmark runs as well, a little slower for both sides.
        _ = madvise(_memory, bytes, AdviseHugePages);
        var random = new Random(1);
        byte[] pattern = new byte[64 * 1024];
        random.NextBytes(pattern);
        for (nuint at = 0; at < bytes; at += (nuint)pattern.Length)
        {
            pattern.CopyTo(new Span<byte>(_memory + at, pattern.Length));
        }

        Pointers = (byte**)NativeMemory.Alloc(
            (nuint)(dataShards + parityShards), (nuint)sizeof(byte*));
    }

    public int DataShards { get; }

    public int ParityShards { get; }

    public int ShardBytes { get; }

    /// <summary>Bytes of the data shards of one stripe.</summary>
    public int DataBytes => DataShards * ShardBytes;

    /// <summary>Room for the addresses of a stripe's shards, which <see cref="Point"/>
    /// fills.</summary>
    public byte** Pointers { get; }

    /// <summary>The next stripe of the walk.</summary>
    public byte* Next()
    {
        byte* stripe = _memory + (nuint)_next * _stripeBytes;
        _next = _next + 1 == _stripes ? 0 : _next + 1;
        return stripe;
    }

    public Span<byte> Whole(byte* stripe) => new(stripe, (int)_stripeBytes);

    public Span<byte> Data(byte* stripe) => new(stripe, DataBytes);

    public Span<byte> Parity(byte* stripe) => new(stripe + DataBytes, ParityShards * ShardBytes);

    /// <summary>Addresses of the stripe's shards, the form in which ISA-L wants them.</summary>
    public byte** Point(byte* stripe)
    {
        for (int shard = 0; shard < DataShards + ParityShards; shard++)
        {
            Pointers[shard] = stripe + (nint)shard * ShardBytes;
        }

        return Pointers;
    }

    public void Dispose()
    {
        _ = munmap(_mapped, _mappedBytes);
        NativeMemory.Free(Pointers);
    }

    [LibraryImport("libc")]
    private static partial nint mmap(
        void* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(void* address, nuint length, int advice);
}
