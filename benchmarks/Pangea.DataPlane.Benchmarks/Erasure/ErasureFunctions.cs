using BenchmarkDotNet.Attributes;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// Encoding 8+4 with 64 KiB shards, warm, as functions for BenchmarkDotNet: a second opinion on the
/// paired run, which times the same two calls.
/// </summary>
public unsafe class ErasureFunctions
{
    /// <summary>Bytes of the data shards, what GB/s count.</summary>
    public const int DataBytes = DataShards * ShardBytes;

    private const int DataShards = 8;
    private const int ParityShards = 4;
    private const int ShardBytes = 64 * 1024;

    private readonly ReedSolomon _code = ReedSolomon.Create(DataShards, ParityShards);
    private StripeArena? _arena;
    private IsaL? _isaL;
    private byte* _stripe;

    [GlobalSetup]
    public void Setup()
    {
        _arena = new StripeArena(DataShards, ParityShards, ShardBytes);
        _stripe = _arena.Next();
        _isaL = IsaL.Version is null ? null : new IsaL(DataShards, ParityShards);
    }

    [GlobalCleanup]
    public void Cleanup() => _arena?.Dispose();

    [Benchmark]
    public void Ours() =>
        _code.Encode(_arena!.Data(_stripe), _arena.Parity(_stripe), ShardBytes);

    /// <summary>Throws where ISA-L is not installed; the area leaves the row without a
    /// rival.</summary>
    [Benchmark]
    public void Rival()
    {
        byte** shards = _arena!.Point(_stripe);
        _isaL!.Encode(shards, shards + DataShards, ShardBytes);
    }
}
