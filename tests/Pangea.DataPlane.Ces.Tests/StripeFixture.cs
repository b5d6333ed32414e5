using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>One encoded stripe with its buffers; headers are 4096 apart as on devices.</summary>
internal sealed class StripeFixture : IDisposable
{
    public const int HeaderStride = 4096;

    public StripeFixture(
        byte[] plain,
        CompressionLevel level,
        Redundancy? redundancy = null,
        int stripeBytes = 64 * 1024,
        int alignment = 4096,
        MasterKey? key = null,
        ObjectId? objectId = null,
        ulong stripeIndex = 0,
        bool isLast = true)
    {
        Key = key ?? MasterKey.Generate();
        Geometry = StripeGeometry
            .Create(redundancy ?? Redundancy.Default, stripeBytes, alignment).Value;
        Codec = StripeCodec.Create().Value;
        Cipher = ObjectCipher.Create(Key, objectId ?? ObjectId.New());
        Plain = plain;
        Headers = new byte[Total * HeaderStride];
        Payload = new byte[Geometry.PayloadBytesMax];
        Info = Codec.Encode(
            Cipher, Geometry, stripeIndex, isLast, plain, level, Headers, HeaderStride, Payload);
        Shards = new ShardState[Total];
        MarkAllRead();
    }

    public MasterKey Key { get; }

    public StripeGeometry Geometry { get; }

    public StripeCodec Codec { get; }

    public ObjectCipher Cipher { get; }

    public byte[] Plain { get; }

    public byte[] Headers { get; }

    public byte[] Payload { get; }

    public StripeInfo Info { get; }

    public ShardState[] Shards { get; }

    public int Total => Geometry.Redundancy.TotalShards;

    public void MarkAllRead() => Array.Fill(Shards, ShardState.Read);

    /// <summary>As if the device were gone: the buffers hold garbage.</summary>
    public void Lose(int shard)
    {
        Shards[shard] = ShardState.Missing;
        Header(shard).Fill(0xEE);
        Shard(shard).Fill(0xEE);
    }

    public Span<byte> Header(int shard) => Headers.AsSpan(shard * HeaderStride, HeaderStride);

    public Span<byte> Shard(int shard) => Payload.AsSpan(shard * Info.ShardBytes, Info.ShardBytes);

    public Result Decode(out byte[] plain) => Decode(Info, out plain);

    public Result Decode(StripeInfo expected, out byte[] plain)
    {
        plain = new byte[expected.PlainBytes];
        return Codec.Decode(
            Cipher, Geometry, expected, Headers, HeaderStride, Payload, Shards, plain);
    }

    public void Dispose()
    {
        Cipher.Dispose();
        Codec.Dispose();
    }

    public static byte[] Random(int bytes, int seed)
    {
        byte[] data = new byte[bytes];
        new Random(seed).NextBytes(data);
        return data;
    }

    /// <summary>Words in random order: shrinks to about a third.</summary>
    public static byte[] Text(int bytes, int seed)
    {
        string[] words =
            ["shard", "stripe", "parity", "ring", "lease", "slab", "verdict", "epoch", "\n"];
        var random = new Random(seed);
        var text = new System.Text.StringBuilder(bytes + 16);
        while (text.Length < bytes)
        {
            text.Append(words[random.Next(words.Length)]).Append(random.Next(100)).Append(' ');
        }

        return System.Text.Encoding.ASCII.GetBytes(text.ToString(0, bytes));
    }
}
