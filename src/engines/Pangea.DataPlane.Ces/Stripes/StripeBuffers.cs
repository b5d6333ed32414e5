namespace Pangea.DataPlane.Ces;

/// <summary>Buffers for one stripe under way, and a codec; owned by one thread at a
/// time.</summary>
internal sealed class StripeBuffers : IDisposable
{
    private StripeBuffers(StripeCodec codec, in StripeGeometry geometry, int headerStride)
    {
        Codec = codec;
        Geometry = geometry;
        HeaderStride = headerStride;
        int total = geometry.Redundancy.TotalShards;
        Plain = AlignedMemory.Allocate(geometry.StripeBytes);
        Headers = GC.AllocateUninitializedArray<byte>(total * headerStride, pinned: true);
        Payload = GC.AllocateUninitializedArray<byte>(geometry.PayloadBytesMax, pinned: true);
        Shards = new ShardState[total];
    }

    public StripeCodec Codec { get; }

    public StripeGeometry Geometry { get; }

    public int HeaderStride { get; }

    /// <summary>At least a stripe, of whole blocks.</summary>
    public Memory<byte> Plain { get; }

    public byte[] Headers { get; }

    public byte[] Payload { get; }

    public ShardState[] Shards { get; }

    /// <summary>Where the records of the stripe go in the shard files.</summary>
    public long Offset { get; set; }

    /// <summary>The stripe in the buffers.</summary>
    public StripeInfo Stripe { get; set; }

    public static Core.Result<StripeBuffers> Create(in StripeGeometry geometry, int headerStride)
    {
        Core.Result<StripeCodec> codec = StripeCodec.Create();
        return codec.IsOk
            ? new StripeBuffers(codec.Value, geometry, headerStride)
            : codec.Fault;
    }

    public StripeInfo Encode(
        ObjectCipher cipher,
        ulong stripeIndex,
        bool isLast,
        ReadOnlySpan<byte> plain,
        CompressionLevel level) => Codec.Encode(
            cipher, Geometry, stripeIndex, isLast, plain, level, Headers, HeaderStride, Payload);

    public Core.Result Decode(ObjectCipher cipher, in StripeInfo stripe) => Codec.Decode(
        cipher, Geometry, stripe, Headers, HeaderStride, Payload, Shards, Plain.Span);

    public Memory<byte> Header(int shard) => Headers.AsMemory(shard * HeaderStride, HeaderStride);

    public Memory<byte> Shard(int shard, int shardBytes) =>
        Payload.AsMemory(shard * shardBytes, shardBytes);

    public void Dispose() => Codec.Dispose();
}
