using System.Collections.Immutable;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// What is known about one version of one object: the same bytes on every device that holds a shard
/// of it.
/// </summary>
public sealed record Manifest
{
    /// <summary>SHA-256, in bytes.</summary>
    public const int ContentHashBytes = 32;

    public required ObjectName Name { get; init; }

    public required ObjectId ObjectId { get; init; }

    /// <summary>The master key that the object's keys derive from.</summary>
    public required KeyId KeyId { get; init; }

    /// <summary>When the put began, to the millisecond, UTC.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Size of the content.</summary>
    public required long Bytes { get; init; }

    /// <summary>SHA-256 of the content, 32 bytes.</summary>
    public required ImmutableArray<byte> ContentHash { get; init; }

    public required StripeGeometry Geometry { get; init; }

    /// <summary>
    /// Distance from a shard header to its payload where the shards are kept (4096 on devices, 128
    /// in memory); the space between is zeros.
    /// </summary>
    public required int HeaderStride { get; init; }

    public required FileType FileType { get; init; }

    public required StripeTable Stripes { get; init; }

    /// <summary>
    /// The devices of the object, k + m ids of 16 bytes, in the order of its positions. Which
    /// position holds which shard of a stripe is the store's rule; zero means that the position was
    /// never written.
    /// </summary>
    public required ImmutableArray<UInt128> Devices { get; init; }

    /// <summary>Bytes that the shards take on all devices, headers, padding and parity
    /// included.</summary>
    public long ShardBytesTotal
    {
        get
        {
            long total = 0;
            foreach (uint entry in Stripes.Entries)
            {
                total += HeaderStride + Geometry.ShardBytesFor((int)(entry & ~StripeTable.ZstdBit));
            }

            return total * Geometry.Redundancy.TotalShards;
        }
    }

    /// <summary>What every shard of stripe <paramref name="index"/> must agree with.</summary>
    public StripeInfo Stripe(int index)
    {
        bool isLast = index == Stripes.Count - 1;
        long plainBytes = isLast
            ? Bytes - ((long)index * Geometry.StripeBytes)
            : Geometry.StripeBytes;
        return StripeTable.InfoOf(
            Stripes.Entries[index], index, isLast, (int)plainBytes, Geometry);
    }
}
