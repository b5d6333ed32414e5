using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <content>Looking at shards without making any.</content>
public sealed partial class StripeCodec
{
    /// <summary>
    /// Judges the shards that were read, without the key and without computing others: every
    /// <see cref="ShardState.Read"/> becomes Ok or the way it is damaged. Faults: Unavailable where
    /// fewer than k are good; Corrupt where all k + m are there, look right and contradict each
    /// other.
    /// </summary>
    public Result Judge(
        ObjectId objectId,
        KeyId keyId,
        in StripeGeometry geometry,
        in StripeInfo expected,
        ReadOnlySpan<byte> headers,
        int headerStride,
        ReadOnlySpan<byte> payload,
        Span<ShardState> shards)
    {
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        ShardHeader.WriteIdentity(identity, objectId, keyId, geometry, expected);
        Result usable = CheckShards(
            geometry, expected, identity, headers, headerStride, payload, shards);
        return usable.IsOk && shards.Count(ShardState.Ok) == shards.Length
            && !IsConsistent(geometry.Redundancy, expected, payload)
            ? Contradiction(objectId, expected)
            : usable;
    }

    private static Fault Contradiction(ObjectId objectId, in StripeInfo stripe) => new(
        FaultCode.Corrupt,
        $"the shards of stripe {stripe.StripeIndex} of object {objectId} contradict each "
            + "other although their checksums fit",
        "one was forged; reading the object with its key finds out which");
}
