using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The memory of one small object on its way, one slab of the pool:
/// <code>plain, or the blocks that were read | k+m shard headers | k+m shard payloads</code>
/// and what belongs to it on the heap, made once and used again. On its way to the logs a shard is
/// copied behind its header, because there the two lie together.
/// </summary>
internal sealed class SmallSlot
{
    /// <summary>Shard headers follow each other without a gap.</summary>
    public const int HeaderStride = StripeCodec.HeaderBytes;

    /// <summary>
    /// An entry beside its shard: entry header, manifest with the longest name and 64 devices.
    /// </summary>
    private const int EntryBytesBesideShard = 64 + 64 + ManifestBytesMax + HeaderStride;

    private const int ManifestBytesMax =
        256 + Limits.ObjectNameBytesMax + (Limits.DevicesMax * 16);

    private readonly BufferPool _pool;
    private BufferLease _lease;
    private int _headersStart;
    private int _payloadStart;
    private int _totalShards;
    private byte[] _shards = [];

    public SmallSlot(BufferPool pool)
    {
        _pool = pool;
        Commit = new ObjectCommit();
        Reads = new ValueTask<Result<InlineShard>>[Limits.DevicesMax];
        ShardStates = new ShardState[Limits.DevicesMax];
    }

    public ObjectCommit Commit { get; }

    /// <summary>Turned to the object while it is sealed or opened.</summary>
    public ObjectCipher Cipher { get; } = new();

    /// <summary>Room for the encoded manifest.</summary>
    public Memory<byte> Manifest { get; } = new byte[ManifestBytesMax];

    public ValueTask<Result<InlineShard>>[] Reads { get; }

    public ShardState[] ShardStates { get; }

    public Span<ShardState> Shards => ShardStates.AsSpan(0, _totalShards);

    public BufferLease Lease => _lease;

    public Span<byte> Headers =>
        _pool.Span(_lease.Slice(_headersStart, _totalShards * HeaderStride));

    public Span<byte> Payload =>
        _pool.Span(_lease.Slice(_payloadStart, _lease.Bytes - _payloadStart));

    /// <summary>What a slab must hold for that redundancy.</summary>
    public static int SlabBytesFor(Redundancy redundancy)
    {
        StripeGeometry geometry = ObjectClass.SmallGeometryOf(
            redundancy, Limits.StripeBytesMin);
        return (int)LogFormat.RoundUpToBlock(
            PlainAreaBytes(geometry) + HeaderAreaBytes(redundancy.TotalShards)
            + geometry.PayloadBytesMax);
    }

    public void Begin(BufferLease lease, Redundancy redundancy)
    {
        StripeGeometry geometry = ObjectClass.SmallGeometryOf(
            redundancy, Limits.StripeBytesMin);
        _lease = lease;
        _totalShards = redundancy.TotalShards;
        _headersStart = PlainAreaBytes(geometry);
        _payloadStart = _headersStart + HeaderAreaBytes(_totalShards);
        Array.Clear(ShardStates);
    }

    public BufferSlice PlainSlice(int start, int bytes) => _lease.Slice(start, bytes);

    public Span<byte> Plain(int bytes) => _pool.Span(_lease.Slice(0, bytes));

    /// <summary>
    /// Where the blocks of the n-th entry that is read at once go; as many as k fit.
    /// </summary>
    public BufferSlice EntryArea(int turn, int entryAreaBytes) =>
        _lease.Slice(turn * entryAreaBytes, entryAreaBytes);

    /// <summary>Bytes of the area into which an entry of that redundancy is read.</summary>
    public static int EntryAreaBytes(in StripeGeometry geometry) => (int)LogFormat.RoundUpToBlock(
        LogFormat.BlockBytes - LogFormat.EntryAlignment + EntryBytesBesideShard
        + geometry.ShardBytesFor(ObjectClass.SmallBytesMax(geometry.Redundancy.DataShards)));

    /// <summary>
    /// Each shard behind its header, one after another, as the commit entries take them.
    /// </summary>
    public ReadOnlyMemory<byte> PackShards(int shardBytes)
    {
        int stride = HeaderStride + shardBytes;
        int bytes = stride * _totalShards;
        if (_shards.Length < bytes)
        {
            _shards = GC.AllocateUninitializedArray<byte>(bytes);
        }

        Span<byte> headers = Headers;
        Span<byte> payload = Payload;
        for (int shard = 0; shard < _totalShards; shard++)
        {
            Span<byte> target = _shards.AsSpan(shard * stride, stride);
            headers.Slice(shard * HeaderStride, HeaderStride).CopyTo(target);
            payload.Slice(shard * shardBytes, shardBytes).CopyTo(target[HeaderStride..]);
        }

        return _shards.AsMemory(0, bytes);
    }

    private static int PlainAreaBytes(in StripeGeometry geometry)
    {
        int dataShards = geometry.Redundancy.DataShards;
        // A block more than the longest: reading into it shows that the object is longer.
        int plain = (int)LogFormat.RoundUpToBlock(ObjectClass.SmallBytesMax(dataShards) + 1);
        return Math.Max(plain, dataShards * EntryAreaBytes(geometry));
    }

    private static int HeaderAreaBytes(int totalShards) =>
        (int)LogFormat.RoundUpToBlock(totalShards * HeaderStride);
}

/// <summary>
/// The slots of small objects and the permits for them: who waits here waits for memory.
/// </summary>
internal sealed class SmallSlots
{
    private readonly StorageService _service;
    private readonly LoopSemaphore _permits;
    private readonly Stack<SmallSlot> _idle = new();

    public SmallSlots(StorageService service)
    {
        _service = service;
        _permits = new LoopSemaphore(service.Reactor, Limits.SmallTransfersMax);
    }

    /// <summary>True while small objects are on their way.</summary>
    public bool IsBusy => _permits.FreeCount < Limits.SmallTransfersMax;

    /// <summary>Waits for a permit; false where cancelled meanwhile.</summary>
    public ValueTask<bool> EnterAsync(CancellationToken cancellation) =>
        _permits.EnterAsync(cancellation);

    /// <summary>A slot for someone who has a permit.</summary>
    public SmallSlot Rent(Redundancy redundancy)
    {
        if (!_idle.TryPop(out SmallSlot? slot))
        {
            slot = new SmallSlot(_service.Pool);
        }

        bool rented = _service.Pool.TryRent(
            _service.Slabs.SmallSlabBytes, out BufferLease lease);
        Invariant.Check(rented, "the pool has one slab for each permit");
        slot.Begin(lease, redundancy);
        return slot;
    }

    /// <summary>Gives slot and permit back.</summary>
    public void Return(SmallSlot slot)
    {
        _service.Pool.Return(slot.Lease);
        _idle.Push(slot);
        _permits.Leave();
    }
}
