using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// Stripes one after the other in one block of memory, filled with random bytes. With one stripe
/// every round finds it where the last one left it (warm); with an arena many times the last-level
/// cache, walked in order, every stripe comes from memory (cold).
/// </summary>
internal sealed unsafe class StripeArena : IDisposable
{
    private const int HugePageBytes = 2 * 1024 * 1024;

    private readonly byte* _memory;
    private readonly nuint _stripeBytes;
    private readonly int _shards;
    private readonly int _stripes;
    private readonly byte** _pointers;
    private int _next;

    /// <param name="shards">Shards of a stripe.</param>
    /// <param name="shardBytes">Bytes of a shard.</param>
    /// <param name="arenaBytes">Memory to fill with stripes; 0 for one stripe.</param>
    public StripeArena(int shards, int shardBytes, long arenaBytes = 0)
    {
        _shards = shards;
        ShardBytes = shardBytes;
        _stripeBytes = (nuint)shards * (nuint)shardBytes;
        _stripes = (int)Math.Max(1, arenaBytes / (long)_stripeBytes);
        nuint bytes = (nuint)_stripes * _stripeBytes;
        _memory = (byte*)NativeMemory.AlignedAlloc(bytes, HugePageBytes);
        _pointers = (byte**)NativeMemory.Alloc((nuint)shards, (nuint)sizeof(byte*));
        var random = new Random(1);
        for (nuint at = 0; at < bytes; at += _stripeBytes)
        {
            random.NextBytes(new Span<byte>(_memory + at, (int)_stripeBytes));
        }
    }

    public int ShardBytes { get; }

    /// <summary>
    /// The shards of the next stripe. The list is reused: it holds until the next call.
    /// </summary>
    public byte** Next()
    {
        byte* stripe = _memory + (nuint)_next * _stripeBytes;
        _next = _next + 1 == _stripes ? 0 : _next + 1;
        for (int shard = 0; shard < _shards; shard++)
        {
            _pointers[shard] = stripe + shard * ShardBytes;
        }

        return _pointers;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        NativeMemory.Free(_pointers);
    }
}
