using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <content>When somebody changed a shard and mended its checksums.</content>
public sealed partial class StripeCodec
{
    private byte[] _suspect = [];

    /// <summary>
    /// Authentication has failed although more than k shards look right: leaves out each in turn,
    /// until the rest is authentic. Costs a reconstruction and a decryption for each, only in this
    /// case; two forged shards at once are not told apart and stay Corrupt.
    /// </summary>
    private Result OpenWithoutForged(
        ObjectCipher cipher,
        in StripeGeometry geometry,
        in StripeInfo stripe,
        ReadOnlySpan<byte> identity,
        ReadOnlySpan<byte> tag,
        Span<byte> payload,
        Span<ShardState> shards,
        Span<byte> plain,
        Fault failure)
    {
        if (_suspect.Length < stripe.ShardBytes)
        {
            _suspect = GC.AllocateUninitializedArray<byte>(stripe.ShardBytes);
        }

        Span<byte> saved = _suspect.AsSpan(0, stripe.ShardBytes);
        for (int i = 0; i < shards.Length; i++)
        {
            if (shards[i] != ShardState.Ok)
            {
                continue;
            }

            Shard(payload, stripe, i).CopyTo(saved);
            shards[i] = ShardState.Contradicting;
            Reconstruct(geometry, stripe, payload, shards, dataOnly: true);
            if (Open(cipher, stripe, identity, tag, payload, plain).IsOk)
            {
                return Result.Ok;
            }

            saved.CopyTo(Shard(payload, stripe, i));
            shards[i] = ShardState.Ok;
        }

        return failure;
    }
}
