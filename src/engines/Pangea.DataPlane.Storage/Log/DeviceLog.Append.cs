// HOT PATH: an append is one copy into the batch and a pooled waiter; a batch is one write and one
// flush however many appends share it. Nothing allocates once the pools are warm.

using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>Appending: shard frames at once, entries through the batch.</content>
public sealed partial class DeviceLog
{
    /// <summary>Entries longer than this get a frame of their own.</summary>
    private const int PackedBytesMax = SlabBytes - LogFormat.FrameHeaderBytes;

    private readonly Stack<LoopWaiter<Result<LogAddress>>> _entryWaiters = new();
    private readonly Stack<LoopWaiter<bool>> _roomWaiters = new();
    private readonly Queue<LoopWaiter<bool>> _waitingForRoom = new();

    /// <summary>
    /// Writes one shard; not yet durable: the commit entry makes it so. Calls may overlap; the
    /// place is taken when the call is made.
    /// </summary>
    /// <param name="id">The object version.</param>
    /// <param name="headerBlock">A block whose first 128 bytes are overwritten with the frame
    /// header; the shard header stands behind it.</param>
    /// <param name="payload">Whole blocks.</param>
    /// <returns>Where the whole frame is.</returns>
    public ValueTask<Result<LogAddress>> AppendShardAsync(
        ObjectId id, BufferSlice headerBlock, BufferSlice payload)
    {
        Invariant.Check(headerBlock.Bytes == LogFormat.BlockBytes);
        Invariant.Check(payload.Bytes % LogFormat.BlockBytes == 0);
        ShardAppend job = _shardAppends.TryPop(out ShardAppend? used) ? used : new(this);
        (job.Id, job.Header, job.Payload) = (id, headerBlock, payload);
        return job.Start();
    }

    private LogSegment TakeShardPlace(
        ObjectId id, BufferSlice headerBlock, int bytes, out LogAddress address)
    {
        LogSegment segment = _shards!;
        address = new LogAddress(segment.Sequence, (uint)segment.Cursor, (uint)bytes);
        segment.Cursor += bytes;
        segment.LiveBytes += bytes;
        segment.Users++;
        PrepareNext(SegmentKind.Shards);
        new FrameHeader(
            FrameKind.Shard, Device, address.Segment, address.Offset, address.Bytes, id, 0, 0, 0)
            .Write(_pool.Span(headerBlock));
        return segment;
    }

    private Result<LogAddress> EndShardWrite(
        LogSegment segment, LogAddress address, SysResult written)
    {
        MarkDirty(segment);
        Leave(segment);
        if (written.IsOk)
        {
            return address;
        }

        // What follows a hole would be found more slowly, and the place may be bad: go elsewhere.
        segment.IsSealed = true;
        Release(address);
        Fault fault = Describe(written, "write to");
        _report(fault);
        return fault;
    }

    /// <summary>
    /// States that the object's shards of one position are here; completes when durable, together
    /// with everything of the object that was written before. Never pass frames whose append has
    /// not completed.
    /// </summary>
    /// <param name="entry">Position, times and extents.</param>
    /// <param name="manifest">The encoded manifest. Stays untouched until completion.</param>
    /// <param name="inlineShard">Shard header and payload of a packed object, else empty. Stays
    /// untouched until completion.</param>
    public ValueTask<Result<LogAddress>> AppendCommitAsync(
        in CommitEntry entry,
        ReadOnlyMemory<byte> manifest,
        ReadOnlyMemory<byte> inlineShard)
    {
        long bytes = LogEntryWriter.CommitBytes(
            entry.Extents.Length, manifest.Length, inlineShard.Length);
        if (bytes > PackedBytesMax || _waitingForRoom.Count > 0
            || !_filling.HasRoomFor((int)bytes))
        {
            return AppendCommitLaterAsync(entry, manifest, inlineShard, bytes);
        }

        if (Refusal(entry.Extents.Span) is { } fault)
        {
            return new ValueTask<Result<LogAddress>>(fault);
        }

        LoopWaiter<Result<LogAddress>> waiter = Add(
            (int)bytes, !entry.Extents.IsEmpty, essential: false, out Span<byte> target);
        LogEntryWriter.WriteCommit(target, entry, manifest.Span, inlineShard.Span);
        FlushEarly();
        return waiter.Task;
    }

    /// <summary>Buries the name's versions up to a moment; completes when durable.</summary>
    public ValueTask<Result<LogAddress>> AppendTombstoneAsync(string name, long removedMs) =>
        AppendNamedAsync(LogEntryKind.Tombstone, default, name, removedMs);

    /// <summary>States that the version never counted; completes when durable.</summary>
    public ValueTask<Result<LogAddress>> AppendVoidAsync(ObjectId id) =>
        AppendNamedAsync(LogEntryKind.Void, id, string.Empty, 0);

    /// <summary>Moves the version's expiry; completes when durable.</summary>
    public ValueTask<Result<LogAddress>> AppendTouchAsync(
        ObjectId id, string name, long expiresMs) =>
        AppendNamedAsync(LogEntryKind.Touch, id, name, expiresMs);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result<LogAddress>> AppendNamedAsync(
        LogEntryKind kind, ObjectId id, string name, long timeMs)
    {
        int bytes = kind == LogEntryKind.Void
            ? LogEntryWriter.VoidBytes
            : LogEntryWriter.NamedBytes(name);
        while (!_filling.HasRoomFor(bytes))
        {
            await RoomAsync();
        }

        if (_isClosed)
        {
            return Closed();
        }

        LoopWaiter<Result<LogAddress>> waiter = Add(
            bytes, needsShards: false, essential: kind != LogEntryKind.Touch,
            out Span<byte> target);
        if (kind == LogEntryKind.Void)
        {
            LogEntryWriter.WriteVoid(target, id);
        }
        else
        {
            LogEntryWriter.WriteNamed(target, kind, id, timeMs, name);
        }

        return await waiter.Task;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result<LogAddress>> AppendCommitLaterAsync(
        CommitEntry entry,
        ReadOnlyMemory<byte> manifest,
        ReadOnlyMemory<byte> inlineShard,
        long bytes)
    {
        if (bytes > PackedBytesMax)
        {
            return await AppendLargeAsync(entry, manifest, inlineShard, bytes);
        }

        do
        {
            await RoomAsync();
        }
        while (!_filling.HasRoomFor((int)bytes));

        if (Refusal(entry.Extents.Span) is { } fault)
        {
            return fault;
        }

        LoopWaiter<Result<LogAddress>> waiter = Add(
            (int)bytes, !entry.Extents.IsEmpty, essential: false, out Span<byte> target);
        LogEntryWriter.WriteCommit(target, entry, manifest.Span, inlineShard.Span);
        return await waiter.Task;
    }

    /// <summary>Takes an entry that was read from a segment over as it is.</summary>
    private async ValueTask<Result<LogAddress>> AppendCopyAsync(ReadOnlyMemory<byte> raw)
    {
        while (!_filling.HasRoomFor(raw.Length))
        {
            await RoomAsync();
        }

        if (_isClosed)
        {
            return Closed();
        }

        LoopWaiter<Result<LogAddress>> waiter = Add(
            raw.Length, needsShards: false, essential: true, out Span<byte> target);
        raw.Span.CopyTo(target);
        return await waiter.Task;
    }

    private LoopWaiter<Result<LogAddress>> Add(
        int bytes, bool needsShards, bool essential, out Span<byte> target)
    {
        LoopWaiter<Result<LogAddress>> waiter =
            LoopWaiter<Result<LogAddress>>.Rent(_entryWaiters);
        int offset = _filling.Add(waiter, bytes, needsShards, essential);
        target = _pool.Span(_filling.Lease).Slice(offset, bytes);
        WantFlush();

        return waiter;
    }

    private ValueTask<bool> RoomAsync()
    {
        LoopWaiter<bool> waiter = LoopWaiter<bool>.Rent(_roomWaiters);
        _waitingForRoom.Enqueue(waiter);
        WantFlush();

        return waiter.Task;
    }

    /// <summary>Why a commit cannot be taken; null where it can.</summary>
    private Fault? Refusal(ReadOnlySpan<Extent> extents)
    {
        if (_isClosed)
        {
            return Closed();
        }

        if (_isOnReserve && _journal?.IsSealed == false)
        {
            return Errno.ENOSPC.ToFault($"write to device {_deviceIndex}");
        }

        uint last = 0;
        foreach (Extent extent in extents)
        {
            if (extent.Segment != last
                && _segments.TryGetValue(extent.Segment, out LogSegment? segment)
                && segment.IsBroken)
            {
                return Errno.EIO.ToFault($"flush device {_deviceIndex}");
            }

            last = extent.Segment;
        }

        return null;
    }
}
