using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

public sealed class StripeCodecTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(32769)]
    [InlineData(65536)]
    public void Restores_any_length_raw_and_compressed(int bytes)
    {
        byte[][] contents = [StripeFixture.Random(bytes, bytes), StripeFixture.Text(bytes, 7)];
        foreach (byte[] plain in contents)
        {
            foreach (int alignment in new[] { 1, 64, 4096 })
            {
                using var stripe =
                    new StripeFixture(plain, CompressionLevel.Balanced, alignment: alignment);

                Result decoded = stripe.Decode(out byte[] restored);

                Assert.True(decoded.IsOk, decoded.Fault?.ToString());
                Assert.Equal(plain, restored);
            }
        }
    }

    [Fact]
    public void Stores_an_incompressible_mebibyte_as_eight_times_128_kibibytes()
    {
        using var stripe = new StripeFixture(
            StripeFixture.Random(1 << 20, 1), CompressionLevel.Dense, stripeBytes: 1 << 20);

        Assert.Equal(StripeCompression.Raw, stripe.Info.Compression);
        Assert.Equal(128 * 1024, stripe.Info.ShardBytes);
    }

    [Fact]
    public void Compresses_text_into_smaller_shards()
    {
        using var stripe = new StripeFixture(
            StripeFixture.Text(1 << 20, 1), CompressionLevel.Balanced, stripeBytes: 1 << 20);

        Assert.Equal(StripeCompression.Zstd, stripe.Info.Compression);
        Assert.True(stripe.Info.ShardBytes < 64 * 1024, $"{stripe.Info}");
    }

    [Theory]
    [InlineData(8, 4)]
    [InlineData(10, 3)]
    [InlineData(6, 6)]
    [InlineData(1, 1)]
    [InlineData(2, 7)]
    public void Restores_after_any_loss_that_leaves_k_shards(int k, int m)
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 20; round++)
        {
            byte[] plain = StripeFixture.Text(random.Next(1, 20_000), seed);
            using var stripe =
                new StripeFixture(plain, CompressionLevel.Fast, new(k, m), alignment: 64);
            int[] order = Enumerable.Range(0, k + m).OrderBy(_ => random.Next()).ToArray();
            foreach (int lost in order.Take(m))
            {
                stripe.Lose(lost);
            }

            Result decoded = stripe.Decode(out byte[] restored);

            Assert.True(decoded.IsOk, $"seed {seed}: {decoded.Fault}");
            Assert.True(plain.AsSpan().SequenceEqual(restored), $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(32_768, 4096, StripeCompression.Raw)]
    [InlineData(32_769, 4096, StripeCompression.Zstd)]
    [InlineData(512, 64, StripeCompression.Raw)]
    [InlineData(4096, 64, StripeCompression.Zstd)]
    public void Stays_raw_where_no_shard_can_get_smaller(
        int bytes, int alignment, StripeCompression compression)
    {
        using var stripe = new StripeFixture(
            StripeFixture.Text(bytes, 1), CompressionLevel.Balanced, alignment: alignment);

        Assert.Equal(compression, stripe.Info.Compression);
    }

    [Theory]
    [InlineData(1, 126, 1 << 24, true)]
    [InlineData(1, 127, 1 << 24, false)]
    [InlineData(1, 254, 1 << 24, false)]
    [InlineData(200, 55, 1 << 24, true)]
    public void Refuses_stripes_that_no_buffer_holds(
        int dataShards, int parityShards, int stripeBytes, bool isPossible)
    {
        Result<StripeGeometry> geometry = StripeGeometry.Create(
            new Redundancy(dataShards, parityShards), stripeBytes, 4096);

        Assert.Equal(isPossible, geometry.IsOk);
        Assert.True(!isPossible || geometry.Value.PayloadBytesMax > stripeBytes);
        Assert.True(isPossible || geometry.Fault!.Code == FaultCode.InvalidParameters);
    }

    [Fact]
    public void Says_how_many_shards_are_needed()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(50_000, 2), CompressionLevel.Skip);
        for (int i = 3; i < 8; i++)
        {
            stripe.Lose(i);
        }

        Result decoded = stripe.Decode(out _);

        Assert.False(decoded.IsOk);
        Assert.Equal(FaultCode.Unavailable, decoded.Fault.Code);
        Assert.Contains("needs 8 of 12 shards, has 7", decoded.Fault.Message);
    }

    [Fact]
    public void Can_be_called_again_with_more_shards()
    {
        byte[] plain = StripeFixture.Random(50_000, 3);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip);
        stripe.Shard(2)[17] ^= 1;
        for (int i = 8; i < 12; i++)
        {
            stripe.Shards[i] = ShardState.Missing;
        }

        Assert.Equal(FaultCode.Unavailable, stripe.Decode(out _).Fault!.Code);
        Assert.Equal(ShardState.DamagedPayload, stripe.Shards[2]);

        stripe.Shards[9] = ShardState.Read;
        Assert.True(stripe.Decode(out byte[] restored).IsOk);
        Assert.Equal(plain, restored);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rebuilds_the_very_same_shards_without_the_key(bool compressed)
    {
        byte[] plain = compressed ? StripeFixture.Text(60_000, 4) : StripeFixture.Random(60_000, 4);
        using var stripe = new StripeFixture(plain, CompressionLevel.Balanced);
        byte[] headers = (byte[])stripe.Headers.Clone();
        byte[] payload = (byte[])stripe.Payload.Clone();
        foreach (int lost in new[] { 0, 5, 8, 11 })
        {
            stripe.Lose(lost);
        }

        Result rebuilt = stripe.Codec.Rebuild(
            stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, stripe.Info,
            stripe.Headers, StripeFixture.HeaderStride, stripe.Payload, stripe.Shards);

        Assert.True(rebuilt.IsOk, rebuilt.Fault?.ToString());
        Assert.Equal(headers, stripe.Headers);
        Assert.Equal(payload, stripe.Payload);
        Assert.All(stripe.Shards, state => Assert.Equal(ShardState.Ok, state));
    }

    [Fact]
    public void Refuses_another_key_without_showing_a_byte()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Text(60_000, 5), CompressionLevel.Balanced);
        byte[] secret = new byte[MasterKey.Bytes];
        using ObjectCipher other =
            ObjectCipher.FromObjectKey(secret, stripe.Cipher.ObjectId, stripe.Key.Id);
        byte[] plain = new byte[60_000];

        Result decoded = stripe.Codec.Decode(
            other, stripe.Geometry, stripe.Info, stripe.Headers, StripeFixture.HeaderStride,
            stripe.Payload, stripe.Shards, plain);

        Assert.Equal(FaultCode.Corrupt, decoded.Fault!.Code);
        Assert.All(plain, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Allocates_nothing_per_stripe_after_the_first()
    {
        byte[] plain = StripeFixture.Text(16_384, 6);
        using var stripe =
            new StripeFixture(plain, CompressionLevel.Fast, stripeBytes: 16_384, alignment: 64);
        byte[] restored = new byte[plain.Length];
        Cycle(stripe, plain, restored, 50);

        // The runtime itself allocates a few hundred bytes once, when it recompiles hot methods; an
        // allocation per stripe would show in every window.
        long allocated = long.MaxValue;
        for (int window = 0; window < 3 && allocated != 0; window++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Cycle(stripe, plain, restored, 10_000);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(plain, restored);
        Assert.Equal(0, allocated);
    }

    private static void Cycle(StripeFixture stripe, byte[] plain, byte[] restored, int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            StripeInfo info = stripe.Codec.Encode(
                stripe.Cipher, stripe.Geometry, (ulong)i, false, plain, CompressionLevel.Fast,
                stripe.Headers, StripeFixture.HeaderStride, stripe.Payload);
            stripe.MarkAllRead();
            stripe.Shards[1] = ShardState.Missing;
            stripe.Shards[6] = ShardState.Missing;
            Result decoded = stripe.Codec.Decode(
                stripe.Cipher, stripe.Geometry, info, stripe.Headers, StripeFixture.HeaderStride,
                stripe.Payload, stripe.Shards, restored);
            Assert.True(decoded.IsOk);
        }
    }
}
