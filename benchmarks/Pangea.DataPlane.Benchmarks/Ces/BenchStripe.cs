using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>One stripe's buffers, 8+4, touched before use.</summary>
internal sealed class BenchStripe : IDisposable
{
    private static readonly int[] s_twoLost = [1, 6];

    private readonly StripeGeometry _geometry;
    private readonly int _headerStride;
    private readonly MasterKey _key = MasterKey.Generate();
    private readonly StripeCodec _codec = StripeCodec.Create().Value;
    private readonly ObjectCipher _cipher;
    private readonly byte[] _headers;
    private readonly byte[] _payload;
    private readonly ShardState[] _shards;
    private StripeInfo _stripe;
    private ulong _next;

    public BenchStripe(byte[] plain, int stripeBytes, int alignment, int headerStride)
    {
        _geometry = StripeGeometry.Create(Redundancy.Default, stripeBytes, alignment).Value;
        _headerStride = headerStride;
        _cipher = ObjectCipher.Create(_key, ObjectId.New());
        Plain = plain;
        Restored = GC.AllocateArray<byte>(stripeBytes, pinned: true);
        _shards = new ShardState[_geometry.Redundancy.TotalShards];
        _headers = GC.AllocateArray<byte>(_shards.Length * headerStride, pinned: true);
        _payload = GC.AllocateArray<byte>(_geometry.PayloadBytesMax, pinned: true);
    }

    public byte[] Plain { get; }

    public byte[] Restored { get; }

    public void Encode(CompressionLevel level) => Encode(Plain, level);

    public void Encode(byte[] plain, CompressionLevel level) => _stripe = _codec.Encode(
        _cipher, _geometry, _next++, false, plain, level, _headers, _headerStride, _payload);

    /// <summary>What a put of a small object costs: id, keys, one stripe.</summary>
    public void EncodeNewObject(CompressionLevel level)
    {
        using ObjectCipher cipher = ObjectCipher.Create(_key, ObjectId.New());
        _stripe = _codec.Encode(
            cipher, _geometry, 0, true, Plain, level, _headers, _headerStride, _payload);
    }

    public void Decode(int[] lost)
    {
        // As a reader does it: the data shards, and parity only in place of lost ones.
        Array.Clear(_shards);
        int wanted = _geometry.Redundancy.DataShards;
        for (int i = 0; i < _shards.Length && wanted > 0; i++)
        {
            if (!lost.AsSpan().Contains(i))
            {
                _shards[i] = ShardState.Read;
                wanted--;
            }
        }

        Result decoded = _codec.Decode(
            _cipher, _geometry, _stripe, _headers, _headerStride, _payload, _shards, Restored);
        if (!decoded.IsOk)
        {
            throw new InvalidOperationException(decoded.Fault.ToString());
        }
    }

    public void Cycle(int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            Encode(CompressionLevel.Fast);
            Decode(s_twoLost);
        }
    }

    public void Dispose()
    {
        _cipher.Dispose();
        _codec.Dispose();
        _key.Dispose();
    }
}
