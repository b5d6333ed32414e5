using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Where in a leased slab the shards of one stripe lie, ready to be written or read without a copy:
/// k+m header blocks one after another, and k+m payloads one after another.
/// </summary>
/// <param name="Lease">The slab.</param>
/// <param name="HeadersStart">First header block; shard i's is i blocks further.</param>
/// <param name="PayloadStart">First payload; shard i's is i times <paramref name="ShardBytes"/>
/// further.</param>
/// <param name="ShardBytes">Payload bytes of one shard, a multiple of the block.</param>
public readonly record struct StripeImage(
    BufferLease Lease, int HeadersStart, int PayloadStart, int ShardBytes)
{
    public BufferSlice Header(int shardIndex) =>
        Lease.Slice(HeadersStart + (shardIndex * ShardFile.BlockBytes), ShardFile.BlockBytes);

    public BufferSlice Payload(int shardIndex)
    {
        Invariant.Check(ShardBytes % ShardFile.BlockBytes == 0);
        return Lease.Slice(PayloadStart + (shardIndex * ShardBytes), ShardBytes);
    }
}
