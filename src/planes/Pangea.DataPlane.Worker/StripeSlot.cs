using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The memory of one stripe on its way through the worker, one slab of the pool: <code>plain
/// (stripe bytes) | k+m header blocks | k+m shard payloads</code> Bytes are read into it,
/// transformed inside it and written from it; nothing is copied in between but by the compressor
/// and the cipher themselves.
/// </summary>
internal sealed class StripeSlot
{
    private readonly BufferPool _pool;
    private readonly int _headersStart;
    private readonly int _payloadStart;
    private readonly int _totalShards;

    public StripeSlot(BufferPool pool, BufferLease lease, in StripeGeometry geometry)
    {
        Invariant.Check(lease.Bytes >= SlabBytesFor(geometry));
        _pool = pool;
        Lease = lease;
        _totalShards = geometry.Redundancy.TotalShards;
        _headersStart = (int)ShardFile.RoundUpToBlock(geometry.StripeBytes);
        _payloadStart = _headersStart + (_totalShards * ShardFile.BlockBytes);
        Operations = new ValueTask<SysResult>[_totalShards];
        Shards = new ShardState[_totalShards];
    }

    public BufferLease Lease { get; }

    /// <summary>
    /// Room for the operations of one stripe, so that starting them allocates nothing.
    /// </summary>
    public ValueTask<SysResult>[] Operations { get; }

    /// <summary>What is known of each shard while the stripe is read.</summary>
    public ShardState[] Shards { get; }

    /// <summary>The computing of this slot; set by who rents the slot.</summary>
    public StripeJob Job { get; set; } = null!;

    /// <summary>Bytes of the object in the plain region.</summary>
    public int PlainBytes { get; set; }

    /// <summary>All header blocks.</summary>
    public Span<byte> Headers =>
        _pool.Span(Lease.Slice(_headersStart, _totalShards * ShardFile.BlockBytes));

    /// <summary>All payloads, to the slab's end.</summary>
    public Span<byte> Payload =>
        _pool.Span(Lease.Slice(_payloadStart, Lease.Bytes - _payloadStart));

    /// <summary>What a slab must hold for that geometry.</summary>
    public static int SlabBytesFor(in StripeGeometry geometry) => checked(
        (int)ShardFile.RoundUpToBlock(geometry.StripeBytes)
        + (geometry.Redundancy.TotalShards * ShardFile.BlockBytes)
        + geometry.PayloadBytesMax);

    public BufferSlice PlainSlice(int start, int bytes) => Lease.Slice(start, bytes);

    public Span<byte> Plain(int bytes) => _pool.Span(Lease.Slice(0, bytes));

    public StripeImage Image(int shardBytes) =>
        new(Lease, _headersStart, _payloadStart, shardBytes);
}
