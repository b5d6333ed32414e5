using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The memory of one stripe on its way through the worker, one slab of the pool: <code>plain
/// (stripe bytes) | k+m header blocks | spare block | k+m shard payloads</code> Bytes are read into
/// it, transformed inside it and written from it; nothing is copied in between but by the
/// compressor and the cipher themselves. The log writes its frame header into the first 128 bytes
/// of each header block, so the codec's headers start 128 bytes later and end in the spare block.
/// Healing, which makes shards of shards, has slots without the plain part.
/// </summary>
internal sealed class StripeSlot
{
    private readonly BufferPool _pool;
    private readonly int _headersStart;
    private readonly int _payloadStart;
    private readonly int _totalShards;

    public StripeSlot(
        BufferPool pool, BufferLease lease, in StripeGeometry geometry, bool hasPlain = true)
    {
        Invariant.Check(
            lease.Bytes >= (hasPlain ? SlabBytesFor(geometry) : ShardSlabBytesFor(geometry)));
        _pool = pool;
        Lease = lease;
        _totalShards = geometry.Redundancy.TotalShards;
        _headersStart = hasPlain ? (int)LogFormat.RoundUpToBlock(geometry.StripeBytes) : 0;
        _payloadStart = _headersStart + HeaderAreaBytes(_totalShards);
        Reads = new ValueTask<SysResult>[_totalShards];
        Appends = new ValueTask<Result<LogAddress>>[_totalShards];
        Shards = new ShardState[_totalShards];
    }

    public BufferLease Lease { get; }

    /// <summary>Room for one stripe's reads, so that starting them allocates nothing.</summary>
    public ValueTask<SysResult>[] Reads { get; }

    /// <summary>Room for one stripe's writes.</summary>
    public ValueTask<Result<LogAddress>>[] Appends { get; }

    /// <summary>What is known of each shard while the stripe is read.</summary>
    public ShardState[] Shards { get; }

    /// <summary>The computing of this slot; set by who rents the slot.</summary>
    public StripeJob Job { get; set; } = null!;

    /// <summary>Bytes of the object in the plain region.</summary>
    public int PlainBytes { get; set; }

    /// <summary>All shard headers, one in each <see cref="HeaderStride"/> bytes.</summary>
    public Span<byte> Headers => _pool.Span(Lease.Slice(
        _headersStart + StripeImage.ShardHeaderStart, _totalShards * HeaderStride));

    /// <summary>Distance of the shard headers from each other.</summary>
    public static int HeaderStride => LogFormat.BlockBytes;

    /// <summary>All payloads, to the slab's end.</summary>
    public Span<byte> Payload =>
        _pool.Span(Lease.Slice(_payloadStart, Lease.Bytes - _payloadStart));

    /// <summary>What a slab must hold for that geometry.</summary>
    public static int SlabBytesFor(in StripeGeometry geometry) => checked(
        (int)LogFormat.RoundUpToBlock(geometry.StripeBytes) + ShardSlabBytesFor(geometry));

    /// <summary>The same for a slot without the plain part.</summary>
    public static int ShardSlabBytesFor(in StripeGeometry geometry) => checked(
        HeaderAreaBytes(geometry.Redundancy.TotalShards)
        + (int)LogFormat.RoundUpToBlock(geometry.PayloadBytesMax));

    public BufferSlice PlainSlice(int start, int bytes) => Lease.Slice(start, bytes);

    public Span<byte> Plain(int bytes) => _pool.Span(Lease.Slice(0, bytes));

    public StripeImage Image(int shardBytes) =>
        new(Lease, _headersStart, _payloadStart, shardBytes);

    private static int HeaderAreaBytes(int totalShards) =>
        (totalShards + 1) * LogFormat.BlockBytes;
}
