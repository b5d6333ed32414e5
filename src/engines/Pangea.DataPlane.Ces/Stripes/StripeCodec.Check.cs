// HOT PATH
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <content>Judging shards before use, and computing those that are lost.</content>
public sealed partial class StripeCodec
{
    /// <summary>
    /// Turns every <see cref="ShardState.Read"/> into Ok or the way it is damaged; Unavailable
    /// where fewer than k are left. Shards that were outvoted when fewer had been read are judged
    /// anew, so that the order of reading does not decide which tag stands.
    /// </summary>
    private static Result CheckShards(
        in StripeGeometry geometry,
        in StripeInfo stripe,
        ReadOnlySpan<byte> identity,
        ReadOnlySpan<byte> headers,
        int headerStride,
        ReadOnlySpan<byte> payload,
        Span<ShardState> shards)
    {
        int total = geometry.Redundancy.TotalShards;
        Invariant.Check(shards.Length == total);
        Invariant.Check(headerStride >= HeaderBytes);
        Invariant.Check(headers.Length >= total * headerStride);
        Invariant.Check(stripe.ShardBytes == geometry.ShardBytesFor(stripe.StoredBytes));
        Invariant.Check(payload.Length >= total * stripe.ShardBytes);

        for (int i = 0; i < total; i++)
        {
            if (shards[i] is ShardState.Read or ShardState.Contradicting)
            {
                ReadOnlySpan<byte> header = headers.Slice(i * headerStride, HeaderBytes);
                shards[i] = ShardHeader.Check(header, identity, i);
                ReadOnlySpan<byte> shard = payload.Slice(i * stripe.ShardBytes, stripe.ShardBytes);
                if (shards[i] == ShardState.Ok
                    && Crc32C.Compute(shard) != ShardHeader.PayloadCrc(header))
                {
                    shards[i] = ShardState.DamagedPayload;
                }
            }
        }

        AgreeOnTag(headers, headerStride, shards);
        int usable = shards.Count(ShardState.Ok);
        return usable >= geometry.Redundancy.DataShards
            ? Result.Ok
            : TooFew(geometry.Redundancy, stripe, usable, shards);
    }

    /// <summary>
    /// All shards of a stripe carry the same tag. Where checksums fit and tags differ, the tag of
    /// the most shards stands and the others count as lost.
    /// </summary>
    private static void AgreeOnTag(
        ReadOnlySpan<byte> headers, int headerStride, Span<ShardState> shards)
    {
        int best = -1;
        int bestVotes = 0;
        for (int i = shards.IndexOf(ShardState.Ok); i >= 0 && i < shards.Length; i++)
        {
            if (shards[i] != ShardState.Ok)
            {
                continue;
            }

            int votes = CountTag(headers, headerStride, shards, i);
            if (votes > bestVotes)
            {
                best = i;
                bestVotes = votes;
            }

            if (2 * bestVotes > shards.Count(ShardState.Ok))
            {
                break;
            }
        }

        for (int i = 0; best >= 0 && i < shards.Length; i++)
        {
            if (shards[i] == ShardState.Ok
                && !TagOf(headers, headerStride, i)
                    .SequenceEqual(TagOf(headers, headerStride, best)))
            {
                shards[i] = ShardState.Contradicting;
            }
        }
    }

    /// <summary>Computes the data shards, or all shards, that are not usable; at least k
    /// are.</summary>
    private void Reconstruct(
        in StripeGeometry geometry,
        in StripeInfo stripe,
        Span<byte> payload,
        ReadOnlySpan<ShardState> shards,
        bool dataOnly)
    {
        ShardSet present = default;
        ShardSet wanted = default;
        for (int i = 0; i < shards.Length; i++)
        {
            if (shards[i] == ShardState.Ok)
            {
                present = present.With(i);
            }
            else if (!dataOnly || i < geometry.Redundancy.DataShards)
            {
                wanted = wanted.With(i);
            }
        }

        if (wanted.IsEmpty || stripe.ShardBytes == 0)
        {
            return;
        }

        Span<byte> used = payload[..(shards.Length * stripe.ShardBytes)];
        ErasureStatus status =
            Erasure(geometry.Redundancy).Reconstruct(used, stripe.ShardBytes, present, wanted);
        Invariant.Check(status == ErasureStatus.Ok);
    }

    private static int CountTag(
        ReadOnlySpan<byte> headers,
        int headerStride,
        ReadOnlySpan<ShardState> shards,
        int candidate)
    {
        int votes = 0;
        ReadOnlySpan<byte> tag = TagOf(headers, headerStride, candidate);
        for (int i = 0; i < shards.Length; i++)
        {
            if (shards[i] == ShardState.Ok && TagOf(headers, headerStride, i).SequenceEqual(tag))
            {
                votes++;
            }
        }

        return votes;
    }

    private static ReadOnlySpan<byte> TagOf(
        ReadOnlySpan<byte> headers, int headerStride, int index) =>
        ShardHeader.Tag(headers[(index * headerStride)..]);

    private static Fault TooFew(
        Redundancy redundancy, in StripeInfo stripe, int usable, ReadOnlySpan<ShardState> shards)
    {
        int missing = shards.Count(ShardState.Missing);
        return new Fault(
            FaultCode.Unavailable,
            $"needs {redundancy.DataShards} of {redundancy.TotalShards} shards, has {usable} "
                + $"(stripe {stripe.StripeIndex}: {missing} missing, "
                + $"{shards.Length - usable - missing} damaged)",
            "bring back the devices that are missing");
    }
}
