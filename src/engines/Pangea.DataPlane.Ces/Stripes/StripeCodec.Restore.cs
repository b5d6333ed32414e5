// HOT PATH
// Per 1 MiB stripe of 8+4 with one shard lost: CRC32C reads 1 MiB, at most one shard is computed to
// make the data whole and one more where parity is wanted, the cipher reads 1 MiB; nothing is
// decompressed and nothing is allocated.
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <content>Making a few lost shards anew, proved by the key.</content>
public sealed partial class StripeCodec
{
    /// <summary>
    /// Makes the wanted shards anew, header and payload, exactly as they were first written, from
    /// any k others. These are proved by the stripe's tag, which no forged shard passes, and by the
    /// zeros behind the stored bytes, which the tag does not cover; so k shards suffice, and no
    /// other one is computed. Faults: Unavailable (read more and call again); Corrupt where the
    /// proof fails. On a fault nothing may be written back.
    /// </summary>
    /// <param name="cipher">Of the object.</param>
    /// <param name="geometry">How the object is cut.</param>
    /// <param name="expected">From the object's manifest.</param>
    /// <param name="headers">Shard i's at i times the stride.</param>
    /// <param name="headerStride">Distance of the headers.</param>
    /// <param name="payload">Shard i's at i times ShardBytes.</param>
    /// <param name="shards">Judged here; afterwards the wanted ones are Ok.</param>
    /// <param name="wanted">Bit i: shard i is to be made where it is not good.</param>
    public Result Restore(
        ObjectCipher cipher,
        in StripeGeometry geometry,
        in StripeInfo expected,
        Span<byte> headers,
        int headerStride,
        Span<byte> payload,
        Span<ShardState> shards,
        ulong wanted)
    {
        Invariant.Check(shards.Length <= sizeof(ulong) * 8);
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(identity, cipher.ObjectId, cipher.KeyId, geometry, expected);
        Result usable = CheckShards(
            geometry, expected, identity, headers, headerStride, payload, shards);
        if (!usable.IsOk)
        {
            return usable;
        }

        Span<byte> tag = stackalloc byte[ObjectCipher.TagBytes];
        ShardHeader.Tag(headers[(shards.IndexOf(ShardState.Ok) * headerStride)..]).CopyTo(tag);
        Reconstruct(geometry, expected, payload, shards, dataOnly: true);
        if (!IsAuthentic(cipher, geometry, expected, identity, tag, payload))
        {
            return new Fault(
                FaultCode.Corrupt,
                $"stripe {expected.StripeIndex} of object {cipher.ObjectId} fails its "
                    + "authentication although its checksums fit",
                "the shards were forged, or the key is not the object's");
        }

        EncodeWanted(geometry, expected, payload, shards, wanted);
        for (int i = 0; i < shards.Length; i++)
        {
            if ((wanted >> i & 1) != 0 && shards[i] != ShardState.Ok)
            {
                uint checksum = Crc32C.Compute(Shard(payload, expected, i));
                WriteHeader(headers, headerStride, i, identity, tag, checksum);
                shards[i] = ShardState.Ok;
            }
        }

        return Result.Ok;
    }

    /// <summary>All data shards are in the payload, made anew or read.</summary>
    private bool IsAuthentic(
        ObjectCipher cipher,
        in StripeGeometry geometry,
        in StripeInfo stripe,
        ReadOnlySpan<byte> identity,
        ReadOnlySpan<byte> tag,
        ReadOnlySpan<byte> payload)
    {
        int dataBytes = geometry.Redundancy.DataShards * stripe.ShardBytes;
        if (payload[stripe.StoredBytes..dataBytes].ContainsAnyExcept((byte)0))
        {
            return false;
        }

        Span<byte> opened = Scratch(stripe.StoredBytes);
        return cipher.Open(
            stripe.StripeIndex, identity, payload[..stripe.StoredBytes], tag, opened);
    }

    /// <summary>Computes the wanted parity shards from whole data.</summary>
    private void EncodeWanted(
        in StripeGeometry geometry,
        in StripeInfo stripe,
        Span<byte> payload,
        ReadOnlySpan<ShardState> shards,
        ulong wanted)
    {
        int k = geometry.Redundancy.DataShards;
        ShardSet missing = default;
        for (int i = k; i < shards.Length; i++)
        {
            if ((wanted >> i & 1) != 0 && shards[i] != ShardState.Ok)
            {
                missing = missing.With(i);
            }
        }

        if (missing.IsEmpty || stripe.ShardBytes == 0)
        {
            return;
        }

        ErasureStatus status = Erasure(geometry.Redundancy).Reconstruct(
            payload[..(shards.Length * stripe.ShardBytes)], stripe.ShardBytes,
            ShardSet.Range(0, k), missing);
        Invariant.Check(status == ErasureStatus.Ok);
    }
}
