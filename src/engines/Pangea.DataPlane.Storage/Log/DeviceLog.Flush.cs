// HOT PATH: per group commit one CRC over the batch, one linked write and flush.

using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>
/// Group commit. One batch is written while the next one fills, never two at once: so a torn batch
/// can only be the last, and what follows a hole in a journal is never one that counts.
/// </content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// Half of the small puts that a worker has under way at once (experiment 0003).
    /// </summary>
    private const int EarlyEntries = Limits.SmallTransfersMax / 2;

    private readonly Action _wakeFlusher;
    private readonly LoopSemaphore _journalTurn;
    private readonly List<LogSegment> _dirtyShards = [];
    private JournalBatch _filling;
    private JournalBatch _spare;
    private LoopWaiter<bool>? _idleFlusher;
    private long _durableEnd;
    private bool _isFlusherStarted;
    private bool _isFlushing;
    private bool _isFlushPosted;
    private bool _isOnReserve;
    private int _brokenSegments;

    /// <summary>From the loop's next turn: what else this turn appends shares the flush.</summary>
    private void WantFlush()
    {
        if (!_isFlushing)
        {
            _isFlushing = true;
            _isFlushPosted = true;
            _reactor.Post(_wakeFlusher);
        }
    }

    /// <summary>
    /// Begins a flush in the middle of the loop's turn once so many entries wait for it, instead of
    /// with the next turn: the device works while the loop prepares the others, and from then on
    /// two groups of callers take turns.
    /// </summary>
    private void FlushEarly()
    {
        if (_isFlushPosted && _filling.Count >= EarlyEntries)
        {
            WakeFlusher();
        }
    }

    private void WakeFlusher()
    {
        if (!_isFlushPosted)
        {
            return; // It began early.
        }

        _isFlushPosted = false;
        if (!_isFlusherStarted)
        {
            _isFlusherStarted = true;
            _ = RunFlusherAsync();
            return;
        }

        LoopWaiter<bool> idle = _idleFlusher!;
        _idleFlusher = null;
        idle.SetResult(true);
    }

    /// <summary>
    /// One job for the log's life, so that a batch costs no state machine. It awaits without the
    /// loop's context, which would send every step through the loop once more; all that completes
    /// here completes on the loop's thread anyway.
    /// </summary>
    private async Task RunFlusherAsync()
    {
        while (true)
        {
            while (_filling.Count > 0 || _waitingForRoom.Count > 0)
            {
                JournalBatch batch = _filling;
                _filling = _spare;
                for (int waiting = _waitingForRoom.Count; waiting > 0; waiting--)
                {
                    _waitingForRoom.Dequeue().SetResult(true);
                }

                if (batch.Count > 0)
                {
                    await _journalTurn.EnterAsync();
                    if (await TryBeginAsync(batch).ConfigureAwait(false) is { } place)
                    {
                        SysResult written = await _reactor.WriteAndSyncAsync(
                            place.File.Fd, batch.Lease.Slice(0, batch.FrameBytes),
                            place.File.Base + place.Offset);
                        Finish(batch, place, written);
                    }

                    _journalTurn.Leave();
                }

                _spare = batch;
            }

            _isFlushing = false;
            _idleFlusher = LoopWaiter<bool>.Rent(_roomWaiters);
            await _idleFlusher.Task;
        }
    }

    /// <summary>Where a batch is being written.</summary>
    private readonly record struct BatchPlace(LogSegment Segment, SegmentFile File, uint Offset);

    /// <summary>
    /// Takes a place for the batch and seals it; null where there is none, and everybody has been
    /// told. Completes at once where no shards need a flush and the segment has room.
    /// </summary>
    private ValueTask<BatchPlace?> TryBeginAsync(JournalBatch batch) =>
        !batch.NeedsShards && CanPlace(batch.FrameBytes)
            ? new ValueTask<BatchPlace?>(Take(batch))
            : BeginSlowlyAsync(batch);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BatchPlace?> BeginSlowlyAsync(JournalBatch batch)
    {
        if (batch.NeedsShards)
        {
            // Before the batch, not with it: a commit on the disk must prove that its shards are.
            await FlushShardsAsync().ConfigureAwait(false);
            RefuseBroken(batch);
        }

        Result placed = await PlaceAsync(batch.FrameBytes, batch.IsEssential).ConfigureAwait(false);
        if (!placed.IsOk)
        {
            Fail(batch, placed.Fault);
            return null;
        }

        return Take(batch);
    }

    private BatchPlace Take(JournalBatch batch)
    {
        LogSegment segment = _journal!;
        uint offset = (uint)segment.Cursor;
        segment.Cursor += batch.FrameBytes;
        segment.Users++;
        Seal(batch, segment.Sequence, offset);
        return new BatchPlace(segment, segment.File!.Value, offset);
    }

    private void Finish(JournalBatch batch, BatchPlace place, SysResult written)
    {
        LogSegment segment = place.Segment;
        Leave(segment);
        FlushCount++;
        if (!written.IsOk)
        {
            // Nobody knows what of it is on the disk, nor what a later flush would say.
            segment.IsSealed = true;
            Fault fault = Describe(written, "write to");
            _report(fault);
            Fail(batch, fault);
            return;
        }

        _durableEnd = segment.Cursor;
        ZeroAhead(segment);
        PrepareNext(SegmentKind.Journal);
        Complete(batch, segment, place.Offset);
    }

    private bool CanPlace(long bytes) =>
        _journal?.HasRoomFor(bytes) == true && !IsBeingZeroed(_journal.Cursor, bytes);

    // Zeros written ahead must not overtake the frame.
    private bool IsBeingZeroed(long cursor, long bytes) =>
        _zeroingEnd > cursor && _zeroingStart < cursor + bytes;

    /// <summary>Sees to it that the journal has room for a frame.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> PlaceAsync(long bytes, bool essential)
    {
        while (_journal?.HasRoomFor(bytes) != true)
        {
            Result rolled = await RollAsync(SegmentKind.Journal, bytes, essential);
            if (!rolled.IsOk)
            {
                _report(rolled.Fault);
                return rolled;
            }
        }

        while (IsBeingZeroed(_journal.Cursor, bytes))
        {
            await _reactor.DelayAsync(TimeSpan.FromMicroseconds(50));
        }

        return Result.Ok;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> FlushShardsAsync()
    {
        int flushed = 0;
        while (_dirtyShards.Count > 0)
        {
            LogSegment segment = _dirtyShards[^1];
            _dirtyShards.RemoveAt(_dirtyShards.Count - 1);
            segment.IsDirty = false;
            segment.Users++;
            SysResult synced = await _reactor.SyncAsync(segment.File!.Value.Fd, dataOnly: true);
            if (!synced.IsOk && !segment.IsBroken)
            {
                segment.IsBroken = true;
                segment.IsSealed = true;
                _brokenSegments++;
                _report(Describe(synced, "flush"));
            }

            Leave(segment);
            flushed++;
        }

        return flushed;
    }

    private void MarkDirty(LogSegment segment)
    {
        if (!segment.IsDirty)
        {
            segment.IsDirty = true;
            _dirtyShards.Add(segment);
        }
    }

    private void Seal(JournalBatch batch, uint segment, uint offset)
    {
        Span<byte> frame = _pool.Span(batch.Lease)[..batch.FrameBytes];
        frame[batch.UsedBytes..].Clear();
        int body = batch.UsedBytes - LogFormat.FrameHeaderBytes;
        new FrameHeader(
            FrameKind.Batch, Device, segment, offset, (uint)frame.Length, default,
            (uint)batch.Count, (uint)body,
            LogFormat.Checksum(frame.Slice(LogFormat.FrameHeaderBytes, body)))
            .Write(frame);
    }

    /// <summary>
    /// Takes the commits out whose shards may not be durable; the others of the batch stay.
    /// </summary>
    private void RefuseBroken(JournalBatch batch)
    {
        if (_brokenSegments == 0)
        {
            return;
        }

        Span<byte> bytes = _pool.Span(batch.Lease);
        for (int i = 0; i < batch.Count; i++)
        {
            PendingEntry entry = batch.Entries[i];
            Span<byte> own = bytes.Slice(entry.Offset, entry.Bytes);
            if (entry.NeedsShards && LogEntryView.TryRead(own, 0, 0, out LogEntryView view)
                && Refusal(view.ToCommit().Extents.Span) is { } fault)
            {
                batch.Refuse(i, fault);
                // Still an entry of its length, so that a reader finds the next one.
                LogEntryWriter.WriteFiller(own);
            }
        }
    }

    private void Complete(JournalBatch batch, LogSegment segment, uint offset)
    {
        EntryCount += batch.Count;
        for (int i = 0; i < batch.Count; i++)
        {
            PendingEntry entry = batch.Entries[i];
            if (entry.Fault is not null)
            {
                entry.Waiter.SetResult(entry.Fault);
                continue;
            }

            segment.LiveBytes += entry.Bytes;
            entry.Waiter.SetResult(new LogAddress(
                segment.Sequence, offset + (uint)entry.Offset, (uint)entry.Bytes));
        }

        batch.Clear();
    }

    private static void Fail(JournalBatch batch, Fault fault)
    {
        for (int i = 0; i < batch.Count; i++)
        {
            batch.Entries[i].Waiter.SetResult(fault);
        }

        batch.Clear();
    }
}
