using System.Buffers.Binary;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// Goal: from any k shards the lost ones come back byte for byte, proved by the key, and a shard
/// that somebody forged spreads into no other.
/// </summary>
public sealed class RestoreTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Any_k_shards_make_the_wanted_ones_and_no_other(bool compressed)
    {
        byte[] plain = compressed ? StripeFixture.Text(60_001, 4) : StripeFixture.Random(60_001, 4);
        using var stripe = new StripeFixture(plain, CompressionLevel.Balanced);
        byte[] headers = (byte[])stripe.Headers.Clone();
        byte[] payload = (byte[])stripe.Payload.Clone();
        for (int lost = 0; lost < stripe.Total; lost++)
        {
            headers.CopyTo(stripe.Headers, 0);
            payload.CopyTo(stripe.Payload, 0);
            stripe.MarkAllRead();
            for (int i = 0; i < 4; i++)
            {
                stripe.Lose((lost + (i * 5)) % stripe.Total);
            }

            Result restored = Restore(stripe, 1UL << lost);

            Assert.True(restored.IsOk, $"{lost}: {restored.Fault}");
            Assert.Equal(HeaderOf(headers, lost), stripe.Header(lost).ToArray());
            Assert.Equal(
                ShardOf(payload, lost, stripe.Info.ShardBytes), stripe.Shard(lost).ToArray());
            Assert.Equal(ShardState.Ok, stripe.Shards[lost]);
            Assert.Equal(8 + 1, stripe.Shards.Count(state => state == ShardState.Ok));
        }
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(5, 9)]
    [InlineData(8, 1)]
    public void A_forged_shard_among_exactly_k_makes_nothing(int forged, int lost)
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(60_000, 5), CompressionLevel.Skip);
        stripe.Lose(lost);
        stripe.Lose(11);
        stripe.Lose(10);
        stripe.Lose(forged == 8 ? 9 : 8);
        stripe.Shard(forged)[77] ^= 1;
        Mend(stripe, forged);

        Assert.Equal(FaultCode.Corrupt, Restore(stripe, 1UL << lost).Fault?.Code);
        Assert.NotEqual(ShardState.Ok, stripe.Shards[lost]);
    }

    /// <summary>
    /// The tag ends with the stored bytes; parity is made of the zeros behind them as well.
    /// </summary>
    [Fact]
    public void A_forged_byte_behind_the_stored_ones_makes_nothing()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(60_001, 6), CompressionLevel.Skip);
        for (int i = 8; i < 12; i++)
        {
            stripe.Lose(i);
        }

        stripe.Shard(7)[^1] ^= 1;
        Mend(stripe, 7);

        Assert.Equal(FaultCode.Corrupt, Restore(stripe, 1UL << 9).Fault?.Code);
    }

    [Fact]
    public void Too_few_shards_are_unavailable_and_one_more_suffices()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(60_000, 7), CompressionLevel.Skip);
        byte[] shard = stripe.Shard(2).ToArray();
        byte[] spare = stripe.Shard(8).ToArray();
        byte[] header = stripe.Header(8).ToArray();
        stripe.Lose(2);
        for (int i = 8; i < 12; i++)
        {
            stripe.Lose(i);
        }

        Assert.Equal(FaultCode.Unavailable, Restore(stripe, 1UL << 2).Fault?.Code);
        spare.CopyTo(stripe.Shard(8));
        header.CopyTo(stripe.Header(8));
        stripe.Shards[8] = ShardState.Read;
        Assert.True(Restore(stripe, 1UL << 2).IsOk);
        Assert.Equal(shard, stripe.Shard(2).ToArray());
    }

    private static Result Restore(StripeFixture stripe, ulong wanted) => stripe.Codec.Restore(
        stripe.Cipher, stripe.Geometry, stripe.Info, stripe.Headers, StripeFixture.HeaderStride,
        stripe.Payload, stripe.Shards, wanted);

    private static byte[] HeaderOf(byte[] headers, int shard) => headers.AsSpan(
        shard * StripeFixture.HeaderStride, StripeFixture.HeaderStride).ToArray();

    private static byte[] ShardOf(byte[] payload, int shard, int shardBytes) =>
        payload.AsSpan(shard * shardBytes, shardBytes).ToArray();

    private static void Mend(StripeFixture stripe, int shard)
    {
        Span<byte> header = stripe.Header(shard);
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[120..], Crc32C.Compute(stripe.Shard(shard)));
        BinaryPrimitives.WriteUInt32LittleEndian(header[124..], Crc32C.Compute(header[..124]));
    }
}
