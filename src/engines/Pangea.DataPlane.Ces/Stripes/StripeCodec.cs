// HOT PATH
// Per 1 MiB stripe, 8+4, incompressible: the cipher reads 1 MiB and writes 1 MiB (0.21 ms at 4.8
// GB/s), parity reads 1 MiB and writes 0.5 MiB, CRC32C reads 1.5 MiB; no copy besides, no
// allocation, no syscall.
using System.Security.Cryptography;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The CES pipeline for one stripe: compress, encrypt, shard, and back (docs/shard-format.md). Owns
/// the zstd contexts and a scratch buffer, so there is one for each thread. All buffers belong to
/// the caller: shard i has its header at <c>headers[i * headerStride]</c> and its payload at
/// <c>payload[i * ShardBytes]</c>.
/// </summary>
public sealed partial class StripeCodec : IDisposable
{
    /// <summary>Bytes of a shard header; the least possible header stride.</summary>
    public const int HeaderBytes = ShardHeader.Bytes;

    // A compressed stripe must save this much or raw is kept: restoring raw needs no decompression.
    private const int GainDivisor = 64;

    private readonly Zstd _zstd;
    private byte[] _scratch = [];
    private ReedSolomon? _erasure;

    private StripeCodec(Zstd zstd) => _zstd = zstd;

    /// <summary>Fails with <see cref="FaultCode.Unsupported"/> where libzstd is not
    /// installed.</summary>
    public static Result<StripeCodec> Create()
    {
        Result<Zstd> zstd = Zstd.Create();
        return zstd.IsOk ? new StripeCodec(zstd.Value) : zstd.Fault;
    }

    /// <summary>The libzstd in use, for status and <c>pangea capabilities</c>.</summary>
    public static Result<string> ZstdVersion() => Zstd.Version();

    /// <summary>
    /// Makes the k + m shards of one stripe. Each header block of <paramref name="headerStride"/>
    /// bytes gets the header first and zeros behind it; <paramref name="payload"/> needs
    /// <see cref="StripeGeometry.PayloadBytesMax"/> bytes, of which (k + m) * ShardBytes are used.
    /// </summary>
    public StripeInfo Encode(
        ObjectCipher cipher,
        in StripeGeometry geometry,
        ulong stripeIndex,
        bool isLast,
        ReadOnlySpan<byte> plain,
        CompressionLevel level,
        Span<byte> headers,
        int headerStride,
        Span<byte> payload)
    {
        int k = geometry.Redundancy.DataShards;
        int total = geometry.Redundancy.TotalShards;
        Invariant.Check(plain.Length <= geometry.StripeBytes);
        Invariant.Check(headerStride >= HeaderBytes);
        Invariant.Check(headers.Length >= total * headerStride);
        Invariant.Check(payload.Length >= geometry.ShardBytesFor(plain.Length) * total);

        int compressed = Compress(geometry, plain, level, payload);
        bool isRaw = compressed < 0;
        int storedBytes = isRaw ? plain.Length : compressed;
        var stripe = new StripeInfo(
            stripeIndex,
            isLast,
            plain.Length,
            storedBytes,
            geometry.ShardBytesFor(storedBytes),
            isRaw ? StripeCompression.Raw : StripeCompression.Zstd);

        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(identity, cipher.ObjectId, cipher.KeyId, geometry, stripe);
        Span<byte> tag = stackalloc byte[ObjectCipher.TagBytes];
        Span<byte> stored = payload[..storedBytes];
        cipher.Seal(stripeIndex, identity, isRaw ? plain : stored, stored, tag);

        Span<byte> data = payload[..(k * stripe.ShardBytes)];
        data[storedBytes..].Clear();
        Span<byte> parity = payload[data.Length..(total * stripe.ShardBytes)];
        Span<uint> checksums = stackalloc uint[total];
        Erasure(geometry.Redundancy)
            .EncodeWithChecksums(data, parity, stripe.ShardBytes, checksums);
        for (int i = 0; i < total; i++)
        {
            WriteHeader(headers, headerStride, i, identity, tag, checksums[i]);
        }

        return stripe;
    }

    /// <summary>
    /// Restores one stripe into <paramref name="plain"/> (at least PlainBytes) from any k shards
    /// whose state is <see cref="ShardState.Read"/> or <see cref="ShardState.Ok"/>, and judges each
    /// in
    /// <paramref name="shards"/>. The payload of data shards that are not usable is overwritten
    /// with their reconstruction. Faults: Unavailable (too few usable shards: read more and call
    /// again), Corrupt (authentication failed although the checksums fit; with more than k shards
    /// one forged shard is found and left out). On a fault <paramref name="plain"/> holds nothing
    /// of the object.
    /// </summary>
    /// <param name="expected">From the object's manifest; every header must agree with it.</param>
    public Result Decode(
        ObjectCipher cipher,
        in StripeGeometry geometry,
        in StripeInfo expected,
        ReadOnlySpan<byte> headers,
        int headerStride,
        Span<byte> payload,
        Span<ShardState> shards,
        Span<byte> plain)
    {
        Invariant.Check(plain.Length >= expected.PlainBytes);
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(identity, cipher.ObjectId, cipher.KeyId, geometry, expected);
        Result usable = CheckShards(
            geometry, expected, identity, headers, headerStride, payload, shards);
        if (!usable.IsOk)
        {
            return usable;
        }

        Reconstruct(geometry, expected, payload, shards, dataOnly: true);
        ReadOnlySpan<byte> tag =
            ShardHeader.Tag(headers[(shards.IndexOf(ShardState.Ok) * headerStride)..]);
        plain = plain[..expected.PlainBytes];
        Result opened = Open(cipher, expected, identity, tag, payload, plain);
        return opened.IsOk || shards.Count(ShardState.Ok) == geometry.Redundancy.DataShards
            ? opened
            : OpenWithoutForged(
                cipher, geometry, expected, identity, tag, payload, shards, plain, opened.Fault);
    }

    /// <summary>
    /// Makes the shards anew that are not usable, header and payload, exactly as they were first
    /// written, from any k others and without the key (decision A10). Afterwards every state is Ok.
    /// Faults: Unavailable; Corrupt where more than k were usable and they contradict each other,
    /// which without the key is the only sign of a forged one. On a fault nothing may be written
    /// back.
    /// </summary>
    public Result Rebuild(
        ObjectId objectId,
        KeyId keyId,
        in StripeGeometry geometry,
        in StripeInfo expected,
        Span<byte> headers,
        int headerStride,
        Span<byte> payload,
        Span<ShardState> shards)
    {
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(identity, objectId, keyId, geometry, expected);
        Result usable = CheckShards(
            geometry, expected, identity, headers, headerStride, payload, shards);
        if (!usable.IsOk)
        {
            return usable;
        }

        Reconstruct(geometry, expected, payload, shards, dataOnly: false);
        if (shards.Count(ShardState.Ok) > geometry.Redundancy.DataShards
            && !IsConsistent(geometry.Redundancy, expected, payload))
        {
            return Contradiction(objectId, expected);
        }

        Span<byte> tag = stackalloc byte[ObjectCipher.TagBytes];
        ShardHeader.Tag(headers[(shards.IndexOf(ShardState.Ok) * headerStride)..]).CopyTo(tag);
        for (int i = 0; i < shards.Length; i++)
        {
            if (shards[i] != ShardState.Ok)
            {
                uint checksum = Crc32C.Compute(Shard(payload, expected, i));
                WriteHeader(headers, headerStride, i, identity, tag, checksum);
                shards[i] = ShardState.Ok;
            }
        }

        return Result.Ok;
    }

    public void Dispose()
    {
        _zstd.Dispose();
        CryptographicOperations.ZeroMemory(_scratch);
    }

    private bool IsConsistent(
        Redundancy redundancy, in StripeInfo stripe, ReadOnlySpan<byte> payload)
    {
        int dataBytes = redundancy.DataShards * stripe.ShardBytes;
        int allBytes = redundancy.TotalShards * stripe.ShardBytes;
        return Erasure(redundancy)
            .Verify(payload[..dataBytes], payload[dataBytes..allBytes], stripe.ShardBytes);
    }

    private static Span<byte> Shard(Span<byte> payload, in StripeInfo stripe, int index) =>
        payload.Slice(index * stripe.ShardBytes, stripe.ShardBytes);

    private static void WriteHeader(
        Span<byte> headers,
        int headerStride,
        int shardIndex,
        ReadOnlySpan<byte> identity,
        ReadOnlySpan<byte> tag,
        uint payloadChecksum)
    {
        Span<byte> block = headers.Slice(shardIndex * headerStride, headerStride);
        ShardHeader.Write(block, identity, shardIndex, tag, payloadChecksum);
        block[HeaderBytes..].Clear();
    }

    /// <summary>Compresses into <paramref name="payload"/>; negative where the stripe stays
    /// raw.</summary>
    private int Compress(
        in StripeGeometry geometry,
        ReadOnlySpan<byte> plain,
        CompressionLevel level,
        Span<byte> payload)
    {
        if (level.IsSkip || plain.IsEmpty || CompressibilityProbe.LooksIncompressible(plain))
        {
            return Zstd.Failed;
        }

        // Worth it only where the shards get smaller, alignment included.
        int rawShardBytes = geometry.ShardBytesFor(plain.Length);
        int gainful = Math.Min(
            plain.Length - (plain.Length / GainDivisor) - 1,
            (rawShardBytes - geometry.ShardAlignment) * geometry.Redundancy.DataShards);
        if (gainful <= 0)
        {
            // With shards aligned to 4096 bytes nothing below k blocks can get any smaller.
            return Zstd.Failed;
        }

        int capacity = rawShardBytes * geometry.Redundancy.DataShards;
        int compressed = _zstd.Compress(plain, payload[..capacity], level.Zstd);
        return compressed <= gainful ? compressed : Zstd.Failed;
    }

    private Result Open(
        ObjectCipher cipher,
        in StripeInfo stripe,
        ReadOnlySpan<byte> identity,
        ReadOnlySpan<byte> tag,
        ReadOnlySpan<byte> payload,
        Span<byte> plain)
    {
        bool isRaw = stripe.Compression == StripeCompression.Raw;
        if (isRaw && stripe.StoredBytes != stripe.PlainBytes)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"stripe {stripe.StripeIndex} of object {cipher.ObjectId} is said to keep "
                    + $"{stripe.PlainBytes} raw bytes in {stripe.StoredBytes}");
        }

        Span<byte> opened = isRaw ? plain : Scratch(stripe.StoredBytes);
        if (!cipher.Open(stripe.StripeIndex, identity, payload[..stripe.StoredBytes], tag, opened))
        {
            return new Fault(
                FaultCode.Corrupt,
                $"stripe {stripe.StripeIndex} of object {cipher.ObjectId} fails its authentication "
                    + "although its checksums fit",
                "the shards were forged, or the key is not the object's");
        }

        if (isRaw || _zstd.Decompress(opened, plain) == plain.Length)
        {
            return Result.Ok;
        }

        plain.Clear();
        return new Fault(
            FaultCode.Corrupt,
            $"stripe {stripe.StripeIndex} of object {cipher.ObjectId} is authentic but libzstd "
                + $"cannot expand its {stripe.StoredBytes} bytes to {stripe.PlainBytes}",
            "it was written by a defective program");
    }

    private Span<byte> Scratch(int bytes)
    {
        if (_scratch.Length < bytes)
        {
            _scratch = GC.AllocateUninitializedArray<byte>(bytes);
        }

        return _scratch.AsSpan(0, bytes);
    }

    private ReedSolomon Erasure(Redundancy redundancy)
    {
        if (_erasure is null || _erasure.DataShards != redundancy.DataShards
            || _erasure.ParityShards != redundancy.ParityShards)
        {
            _erasure = ReedSolomon.Create(redundancy.DataShards, redundancy.ParityShards);
        }

        return _erasure;
    }
}
