using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Where in a leased slab the shards of one stripe lie, ready to be written or read without a copy:
/// k+m header blocks one after another, and k+m payloads one after another. A header block is
/// <c>frame header 128 | shard header 128 | zeros</c>, as it stands in the log.
/// </summary>
/// <param name="Lease">The slab.</param>
/// <param name="HeadersStart">First header block; shard i's is i blocks further.</param>
/// <param name="PayloadStart">First payload; shard i's is i times <paramref name="ShardBytes"/>
/// further.</param>
/// <param name="ShardBytes">Payload bytes of one shard, a multiple of the block.</param>
public readonly record struct StripeImage(
    BufferLease Lease, int HeadersStart, int PayloadStart, int ShardBytes)
{
    /// <summary>Where in its block a shard header starts, behind the frame header.</summary>
    public const int ShardHeaderStart = LogFormat.FrameHeaderBytes;

    /// <summary>Distance from a shard header to its payload in a frame.</summary>
    public const int HeaderStride = LogFormat.BlockBytes - ShardHeaderStart;

    /// <summary>What one shard occupies in the log.</summary>
    public static int FrameBytes(int shardBytes) =>
        LogFormat.BlockBytes + (int)LogFormat.RoundUpToBlock(shardBytes);

    public BufferSlice Header(int shardIndex) =>
        Lease.Slice(HeadersStart + (shardIndex * LogFormat.BlockBytes), LogFormat.BlockBytes);

    public BufferSlice Payload(int shardIndex)
    {
        Invariant.Check(ShardBytes % LogFormat.BlockBytes == 0);
        return Lease.Slice(PayloadStart + (shardIndex * ShardBytes), ShardBytes);
    }
}
