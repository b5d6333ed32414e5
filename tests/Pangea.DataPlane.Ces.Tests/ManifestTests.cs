using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

public sealed class ManifestTests
{
    [Theory]
    [InlineData(0, 8, 4)]
    [InlineData(1, 8, 4)]
    [InlineData(10_000_000, 10, 3)]
    [InlineData(65_536, 1, 1)]
    public void Survives_its_encoding(long bytes, int k, int m)
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        Manifest manifest = Sample(keys.Current, bytes, new Redundancy(k, m));

        byte[] encoded = ManifestCodec.Encode(manifest, keys.Current);
        Result<Manifest> decoded = ManifestCodec.Decode(encoded, keys);

        Assert.True(decoded.IsOk, decoded.Fault?.ToString());
        AssertSame(manifest, decoded.Value);
        Assert.Equal(encoded, ManifestCodec.Encode(decoded.Value, keys.Current));
    }

    [Fact]
    public void Tells_every_stripe()
    {
        using MasterKey key = MasterKey.Generate();
        Manifest manifest = Sample(key, 150_000, Redundancy.Default);

        Assert.Equal(3, manifest.Stripes.Count);
        Assert.Equal(65_536, manifest.Stripe(0).PlainBytes);
        Assert.False(manifest.Stripe(1).IsLast);
        Assert.True(manifest.Stripe(2).IsLast);
        Assert.Equal(150_000 - (2 * 65_536), manifest.Stripe(2).PlainBytes);
        Assert.Equal(StripeCompression.Zstd, manifest.Stripe(1).Compression);
        Assert.Equal(30_000, manifest.Stripe(1).StoredBytes);
        Assert.Equal(4096, manifest.Stripe(1).ShardBytes);
    }

    [Fact]
    public void Any_flipped_bit_is_noticed()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[] encoded =
            ManifestCodec.Encode(Sample(keys.Current, 150_000, Redundancy.Default), keys.Current);

        for (int bit = 0; bit < 8 * encoded.Length; bit++)
        {
            encoded[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(ManifestCodec.Decode(encoded, keys).IsOk, $"bit {bit}");
            encoded[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_forger_who_mends_the_checksum_is_noticed()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[] encoded =
            ManifestCodec.Encode(Sample(keys.Current, 150_000, Redundancy.Default), keys.Current);
        int refused = 0;
        for (int i = 0; i < encoded.Length - ManifestCodec.TrailerBytes; i++)
        {
            byte[] forged = (byte[])encoded.Clone();
            forged[i] ^= 0x01;
            uint crc = Erasure.Crc32C.Compute(forged.AsSpan(0, forged.Length - 4));
            BitConverter.TryWriteBytes(forged.AsSpan(forged.Length - 4), crc);
            Assert.False(ManifestCodec.Decode(forged, keys).IsOk, $"byte {i}");
            refused++;
        }

        Assert.Equal(encoded.Length - ManifestCodec.TrailerBytes, refused);
    }

    [Fact]
    public void Any_truncation_is_noticed()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[] encoded =
            ManifestCodec.Encode(Sample(keys.Current, 150_000, Redundancy.Default), keys.Current);

        for (int bytes = 0; bytes < encoded.Length; bytes++)
        {
            Result<Manifest> decoded = ManifestCodec.Decode(encoded.AsSpan(0, bytes), keys);
            Assert.Equal(FaultCode.Corrupt, decoded.Fault!.Code);
        }
    }

    [Fact]
    public void A_missing_key_is_named()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        using KeyRing others = KeyRing.Of(MasterKey.Generate());
        byte[] encoded =
            ManifestCodec.Encode(Sample(keys.Current, 1, Redundancy.Default), keys.Current);

        Result<Manifest> decoded = ManifestCodec.Decode(encoded, others);

        Assert.Equal(FaultCode.Denied, decoded.Fault!.Code);
        Assert.True(ManifestCodec.DecodeUnauthenticated(encoded).IsOk);
    }

    internal static Manifest Sample(MasterKey key, long bytes, Redundancy redundancy)
    {
        StripeGeometry geometry = StripeGeometry.Create(redundancy, 65_536, 4096).Value;
        var stripes = new StripeTable();
        for (long i = 0; i < geometry.StripesFor(bytes); i++)
        {
            int plain = (int)Math.Min(65_536, bytes - (i * 65_536));
            bool isZstd = i % 2 == 1 && plain > 30_000;
            int stored = isZstd ? 30_000 : plain;
            Assert.True(stripes.Add(new StripeInfo(
                (ulong)i, false, plain, stored, geometry.ShardBytesFor(stored),
                isZstd ? StripeCompression.Zstd : StripeCompression.Raw)).IsOk);
        }

        return new Manifest
        {
            Name = ObjectName.Parse("films/über.mkv").Value,
            ObjectId = ObjectId.New(),
            KeyId = key.Id,
            Created = DateTimeOffset.FromUnixTimeMilliseconds(1_790_000_000_123),
            Bytes = bytes,
            ContentHash = [.. SHA256.HashData([1, 2, 3])],
            Geometry = geometry,
            HeaderStride = 4096,
            FileType = FileType.Matroska,
            Stripes = stripes,
            Devices =
                [.. Enumerable.Range(0, redundancy.TotalShards).Select(i => (UInt128)(i * 77))],
        };
    }

    private static void AssertSame(Manifest expected, Manifest actual)
    {
        Assert.Equal(expected.Devices.AsEnumerable(), actual.Devices);
        Assert.Equal(expected.ContentHash.AsEnumerable(), actual.ContentHash);
        Assert.Equal(expected.Stripes.StoredBytes, actual.Stripes.StoredBytes);
        for (int i = 0; i < expected.Stripes.Count; i++)
        {
            Assert.Equal(expected.Stripe(i), actual.Stripe(i));
        }

        Assert.Equal(
            expected with { Devices = default, ContentHash = default, Stripes = actual.Stripes },
            actual with { Devices = default, ContentHash = default });
    }
}
