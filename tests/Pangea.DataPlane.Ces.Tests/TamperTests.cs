using System.Buffers.Binary;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// Whatever is done to the shards, the reader gets the right bytes or a typed fault, never others.
/// </summary>
public sealed class TamperTests
{
    [Fact]
    public void Every_bit_flip_in_a_header_counts_the_shard_as_lost()
    {
        byte[] plain = StripeFixture.Random(8_000, 1);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip, alignment: 64);
        for (int bit = 0; bit < 8 * StripeCodec.HeaderBytes; bit++)
        {
            stripe.MarkAllRead();
            stripe.Header(3)[bit / 8] ^= (byte)(1 << (bit % 8));

            Result decoded = stripe.Decode(out byte[] restored);

            Assert.True(decoded.IsOk, $"bit {bit}: {decoded.Fault}");
            Assert.True(plain.AsSpan().SequenceEqual(restored), $"bit {bit}");
            Assert.Equal(ShardState.DamagedHeader, stripe.Shards[3]);
            stripe.Header(3)[bit / 8] ^= (byte)(1 << (bit % 8));
            stripe.Codec.Rebuild(
                stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, stripe.Info, stripe.Headers,
                StripeFixture.HeaderStride, stripe.Payload, stripe.Shards);
        }
    }

    [Fact]
    public void Every_header_field_is_bound_even_when_the_checksum_is_mended()
    {
        byte[] plain = StripeFixture.Random(8_000, 2);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip, alignment: 64);
        byte[] headers = (byte[])stripe.Headers.Clone();
        byte[] payload = (byte[])stripe.Payload.Clone();
        for (int at = 0; at < StripeCodec.HeaderBytes - 4; at++)
        {
            headers.CopyTo(stripe.Headers, 0);
            payload.CopyTo(stripe.Payload, 0);
            stripe.MarkAllRead();
            stripe.Header(3)[at] ^= 0x01;
            MendHeader(stripe.Header(3));

            Result decoded = stripe.Decode(out byte[] restored);

            Assert.True(decoded.IsOk, $"offset {at}: {decoded.Fault}");
            Assert.True(plain.AsSpan().SequenceEqual(restored), $"offset {at}");
            Assert.NotEqual(ShardState.Ok, stripe.Shards[3]);
        }
    }

    [Fact]
    public void The_same_lie_in_every_header_is_refused()
    {
        // A forger with access to all devices changes one field everywhere and mends the checksums,
        // and the reader is told to expect exactly that: only the authentication is left to notice.
        using var stripe = new StripeFixture(StripeFixture.Random(8_000, 3), CompressionLevel.Skip);
        StripeInfo[] lies =
        [
            stripe.Info with { IsLast = false },
            stripe.Info with { StripeIndex = 1 },
            stripe.Info with { PlainBytes = 7_999 },
            stripe.Info with { PlainBytes = 8_001 },
            stripe.Info with { StoredBytes = 7_999 },
            stripe.Info with { Compression = StripeCompression.Zstd },
        ];
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        foreach (StripeInfo lie in lies)
        {
            ShardHeader.WriteIdentity(
                identity, stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, lie);
            for (int i = 0; i < stripe.Total; i++)
            {
                ShardHeader.Write(
                    stripe.Header(i), identity, i, ShardHeader.Tag(stripe.Header(i)).ToArray(),
                    ShardHeader.PayloadCrc(stripe.Header(i)));
            }

            stripe.MarkAllRead();
            Result decoded = stripe.Decode(lie, out byte[] restored);

            Assert.Equal(FaultCode.Corrupt, decoded.Fault!.Code);
            Assert.All(restored, value => Assert.Equal(0, value));
        }
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(10, false)]
    [InlineData(2, true)]
    [InlineData(10, true)]
    public void One_forged_shard_with_mended_checksums_is_left_out(int forged, bool withLoss)
    {
        byte[] plain = StripeFixture.Text(60_000, 4);
        using var stripe = new StripeFixture(plain, CompressionLevel.Balanced);
        if (withLoss)
        {
            stripe.Lose(0);
        }

        stripe.Shard(forged)[11] ^= 0x40;
        MendPayload(stripe, forged);

        Result decoded = stripe.Decode(out byte[] restored);

        Assert.True(decoded.IsOk, decoded.Fault?.ToString());
        Assert.Equal(plain, restored);
    }

    [Theory]
    [InlineData(0, 11)]
    [InlineData(9, 3)]
    public void Healing_does_not_spread_a_forged_shard(int forged, int lost)
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(60_000, 5), CompressionLevel.Skip);
        stripe.Lose(lost);
        stripe.Shard(forged)[77] ^= 1;
        MendPayload(stripe, forged);

        Result rebuilt = stripe.Codec.Rebuild(
            stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, stripe.Info, stripe.Headers,
            StripeFixture.HeaderStride, stripe.Payload, stripe.Shards);

        Assert.Equal(FaultCode.Corrupt, rebuilt.Fault!.Code);
        Assert.NotEqual(ShardState.Ok, stripe.Shards[lost]);
    }

    [Fact]
    public void A_forged_shard_among_exactly_k_is_corrupt_and_shows_nothing()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Random(60_000, 5), CompressionLevel.Skip);
        stripe.Shard(7)[0] ^= 1;
        MendPayload(stripe, 7);
        for (int i = 8; i < 12; i++)
        {
            stripe.Lose(i);
        }

        Result decoded = stripe.Decode(out byte[] restored);

        Assert.Equal(FaultCode.Corrupt, decoded.Fault!.Code);
        Assert.All(restored, value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(new[] { 0, 1, 2 })]
    [InlineData(new[] { 2, 3, 4 })]
    [InlineData(new[] { 0, 3, 4 })]
    public void The_vote_on_the_tag_does_not_depend_on_the_order_of_reading(int[] readFirst)
    {
        byte[] plain = StripeFixture.Random(60_000, 5);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip, new Redundancy(3, 2));
        foreach (int forged in new[] { 0, 1 })
        {
            stripe.Header(forged)[64] ^= 1;
            MendHeader(stripe.Header(forged));
        }

        for (int i = 0; i < stripe.Total; i++)
        {
            stripe.Shards[i] = readFirst.Contains(i) ? ShardState.Read : ShardState.Missing;
        }

        Result decoded = stripe.Decode(out byte[] restored);
        if (!decoded.IsOk)
        {
            stripe.Shards.AsSpan().Replace(ShardState.Missing, ShardState.Read);
            decoded = stripe.Decode(out restored);
        }

        Assert.True(decoded.IsOk, decoded.Fault?.ToString());
        Assert.Equal(plain, restored);
    }

    [Fact]
    public void Stripes_cannot_change_places()
    {
        using MasterKey key = MasterKey.Generate();
        ObjectId id = ObjectId.New();
        using StripeFixture first = Stripe(key, id, 0), second = Stripe(key, id, 1);

        second.Headers.CopyTo(first.Headers, 0);
        second.Payload.CopyTo(first.Payload, 0);
        Result decoded = first.Decode(out _);

        Assert.Equal(FaultCode.Unavailable, decoded.Fault!.Code);
        Assert.All(first.Shards, state => Assert.Equal(ShardState.ForeignHeader, state));
    }

    [Fact]
    public void Shards_of_one_stripe_cannot_change_places()
    {
        byte[] plain = StripeFixture.Random(60_000, 6);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip);
        byte[] header = stripe.Header(0).ToArray();
        byte[] shard = stripe.Shard(0).ToArray();
        stripe.Header(1).CopyTo(stripe.Header(0));
        stripe.Shard(1).CopyTo(stripe.Shard(0));
        header.CopyTo(stripe.Header(1));
        shard.CopyTo(stripe.Shard(1));

        Assert.True(stripe.Decode(out byte[] restored).IsOk);
        Assert.Equal(plain, restored);
        Assert.Equal(ShardState.ForeignHeader, stripe.Shards[0]);
        Assert.Equal(ShardState.ForeignHeader, stripe.Shards[1]);
    }

    [Fact]
    public void Shards_cannot_be_replayed_from_another_object_or_an_older_version()
    {
        using MasterKey key = MasterKey.Generate();
        byte[] plain = StripeFixture.Random(8_000, 7);
        using StripeFixture newer = Stripe(key, ObjectId.New(), 0, plain);
        using StripeFixture older = Stripe(key, ObjectId.New(), 0);
        foreach (int shard in new[] { 0, 4, 9 })
        {
            older.Header(shard).CopyTo(newer.Header(shard));
            older.Shard(shard).CopyTo(newer.Shard(shard));
        }

        Assert.True(newer.Decode(out byte[] restored).IsOk);
        Assert.Equal(plain, restored);
        Assert.Equal(ShardState.ForeignHeader, newer.Shards[4]);
    }

    [Fact]
    public void A_foreign_payload_under_rewritten_headers_is_refused()
    {
        // Replay with the headers renamed to the newer object: the key and nonce are the object's
        // own.
        using MasterKey key = MasterKey.Generate();
        using StripeFixture newer = Stripe(key, ObjectId.New(), 0);
        using StripeFixture older = Stripe(key, ObjectId.New(), 0);
        older.Payload.CopyTo(newer.Payload, 0);
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(
            identity, newer.Cipher.ObjectId, key.Id, newer.Geometry, newer.Info);
        for (int i = 0; i < newer.Total; i++)
        {
            ShardHeader.Write(
                newer.Header(i), identity, i, ShardHeader.Tag(older.Header(i)),
                Crc32C.Compute(newer.Shard(i)));
        }

        Assert.Equal(FaultCode.Corrupt, newer.Decode(out _).Fault!.Code);
    }

    [Fact]
    public void A_truncated_shard_counts_as_lost()
    {
        byte[] plain = StripeFixture.Random(60_000, 8);
        using var stripe = new StripeFixture(plain, CompressionLevel.Skip);

        // What a reader has after a short read: the rest of the buffer is something else.
        stripe.Shard(1)[100..].Clear();
        stripe.Header(2)[64..].Clear();

        Assert.True(stripe.Decode(out byte[] restored).IsOk);
        Assert.Equal(plain, restored);
        Assert.Equal(ShardState.DamagedPayload, stripe.Shards[1]);
        Assert.Equal(ShardState.DamagedHeader, stripe.Shards[2]);
    }

    [Fact]
    public void Random_bytes_are_never_an_object()
    {
        using var stripe =
            new StripeFixture(StripeFixture.Text(60_000, 9), CompressionLevel.Balanced);
        for (int seed = 0; seed < 200; seed++)
        {
            new Random(seed).NextBytes(stripe.Headers);
            new Random(~seed).NextBytes(stripe.Payload);
            stripe.MarkAllRead();

            Assert.Equal(FaultCode.Unavailable, stripe.Decode(out _).Fault!.Code);
        }
    }

    [Fact]
    public void A_bomb_that_is_authentic_is_bounded_by_the_declared_length()
    {
        // 64 KiB of zeros make a frame of some bytes; here its header claims it expands to 100
        // bytes.
        using var stripe = new StripeFixture(new byte[65_536], CompressionLevel.Balanced);
        Span<byte> frame = new byte[stripe.Info.StoredBytes];
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(
            identity, stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, stripe.Info);
        Assert.True(stripe.Cipher.Open(
            0, identity, stripe.Payload.AsSpan(0, frame.Length),
            ShardHeader.Tag(stripe.Header(0)), frame));

        StripeInfo lie = stripe.Info with { PlainBytes = 100 };
        ShardHeader.WriteIdentity(
            identity, stripe.Cipher.ObjectId, stripe.Key.Id, stripe.Geometry, lie);
        Span<byte> tag = stackalloc byte[ObjectCipher.TagBytes];
        stripe.Cipher.Seal(0, identity, frame, stripe.Payload.AsSpan(0, frame.Length), tag);
        for (int i = 0; i < stripe.Total; i++)
        {
            ShardHeader.Write(
                stripe.Header(i), identity, i, tag, Crc32C.Compute(stripe.Shard(i)));
        }

        for (int i = 8; i < 12; i++)
        {
            stripe.Lose(i);
        }

        Result decoded = stripe.Decode(lie, out byte[] restored);

        Assert.Equal(FaultCode.Corrupt, decoded.Fault!.Code);
        Assert.Contains("libzstd", decoded.Fault.Message);
        Assert.All(restored, value => Assert.Equal(0, value));
    }

    private static StripeFixture Stripe(
        MasterKey key, ObjectId id, ulong index, byte[]? plain = null) =>
        new(
            plain ?? StripeFixture.Random(8_000, 40 + (int)index), CompressionLevel.Skip, key: key,
            objectId: id, stripeIndex: index, isLast: false);

    private static void MendPayload(StripeFixture stripe, int shard)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(
            stripe.Header(shard)[120..], Crc32C.Compute(stripe.Shard(shard)));
        MendHeader(stripe.Header(shard));
    }

    private static void MendHeader(Span<byte> header) =>
        BinaryPrimitives.WriteUInt32LittleEndian(header[124..], Crc32C.Compute(header[..124]));
}
