using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <summary>Told every entry of a replay, in log order; the entry is valid during the
/// call.</summary>
public delegate void LogVisitor(in LogEntryView entry);

/// <summary>What a replay met.</summary>
/// <param name="Entries">Entries visited.</param>
/// <param name="End">Where the log goes on.</param>
/// <param name="IsComplete">False where blocks could not be read or batches between good ones are
/// damaged: what this device does not say may still have been said.</param>
/// <param name="HasTornTail">The last batch is not whole: a crash during its write, or rot.</param>
public readonly record struct ReplayReport(
    long Entries, LogPosition End, bool IsComplete, bool HasTornTail);

/// <content>Reading the journal again after a start.</content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// After so much without a valid frame the rest of a journal segment is taken for unwritten:
    /// one batch at a time is under way, so a hole is never longer than a batch.
    /// </summary>
    private const long HoleBytesMax = 16 * 1024 * 1024;

    /// <summary>
    /// Visits all entries from a position on and finds the ends, where appends then go on. Once,
    /// before the first append. Fails only where the device cannot be read at all.
    /// </summary>
    /// <param name="from">Where the last checkpoint ended; <see cref="LogPosition.Beginning"/> for
    /// everything.</param>
    /// <param name="visitor">Told every entry.</param>
    public async ValueTask<Result<ReplayReport>> ReplayAsync(LogPosition from, LogVisitor visitor)
    {
        Invariant.Check(_journal is null && _filling.Count == 0, "replay comes before appends");
        Settle(SegmentKind.Journal);
        Settle(SegmentKind.Shards);
        // A device that came back as it was earlier: the numbers after its own were given already,
        // and what is appended before the mark would not be read again.
        _lastSequence = Math.Max(_lastSequence, from.Segment);
        var scan = new JournalScan(visitor);
        LogSegment? tail = null;
        LogSegment? empty = null;
        bool tailIsClean = true;
        foreach (LogSegment segment in Sorted(SegmentKind.Journal))
        {
            if (segment.Sequence < from.Segment)
            {
                continue;
            }

            long start = segment.Sequence == from.Segment ? from.Offset : 0;
            start = Math.Max(start, LogFormat.FirstFrameOffset);
            int holes = scan.Holes;
            Fault? fault = await ScanAsync(segment, start, scan);
            if (fault is not null)
            {
                return fault;
            }

            if (scan.End > LogFormat.FirstFrameOffset || segment.Sequence == from.Segment)
            {
                (tail, empty) = (segment, null);
                segment.Cursor = scan.End;
                tailIsClean = scan.Holes == holes;
            }
            else
            {
                segment.Cursor = LogFormat.FirstFrameOffset;
                empty ??= segment;
            }
        }

        await ResumeJournalAsync(tailIsClean ? tail : null, empty);
        await ResumeShardsAsync();

        // Most logs are idle most of the time: what the scan filled need not stay resident.
        foreach (BufferLease slab in (ReadOnlySpan<BufferLease>)
            [_filling.Lease, _spare.Lease, _scratch])
        {
            _pool.Discard(slab);
        }

        return new ReplayReport(
            scan.Entries, End, scan.Holes == 0 && !scan.HasUnreadable, scan.IsTorn);
    }

    /// <summary>
    /// Before anything is read of the segments that may be appended to: what a killed worker had
    /// under way is there afterwards, or never.
    /// </summary>
    private void Settle(SegmentKind kind)
    {
        foreach (LogSegment segment in Sorted(kind).TakeLast(2))
        {
            if (Use(segment.Sequence).IsOk)
            {
                segment.IsSettled = _store.WaitForWrites(segment.File!.Value);
                Leave(segment);
            }
        }
    }

    private List<LogSegment> Sorted(SegmentKind kind) => _segments.Values
        .Where(segment => segment.Kind == kind)
        .OrderBy(segment => segment.Sequence)
        .ToList();

    /// <summary>What a scan carries from segment to segment.</summary>
    private sealed class JournalScan(LogVisitor visitor)
    {
        internal LogVisitor Visitor { get; } = visitor;

        internal long Entries { get; set; }

        /// <summary>End of the last valid frame of the segment scanned last.</summary>
        internal long End { get; set; }

        /// <summary>Damaged places with valid frames behind them.</summary>
        internal int Holes { get; set; }

        internal bool HasUnreadable { get; set; }

        internal bool IsTorn { get; set; }

        /// <summary>What of the segment is in the window.</summary>
        internal long WindowStart { get; set; }

        internal int WindowBytes { get; set; }
    }

    private async ValueTask<Fault?> ScanAsync(LogSegment segment, long start, JournalScan scan)
    {
        Result<LogSegment> used = Use(segment.Sequence);
        if (!used.IsOk)
        {
            return used.Fault;
        }

        scan.WindowBytes = 0;
        scan.End = start;
        scan.IsTorn = false;
        long at = start;
        long limit = HoleBytesMax;
        while (at + LogFormat.BlockBytes <= segment.Bytes && at - scan.End <= limit)
        {
            FrameHeader? frame = null;
            if (await FillWindowAsync(segment, at, LogFormat.BlockBytes, scan) is { } fault)
            {
                Leave(segment);
                return fault;
            }

            frame = BatchAt(segment, at, scan);
            if (frame is null)
            {
                at += LogFormat.BlockBytes;
                continue;
            }

            limit = Math.Max(limit, HoleBytesMax + frame.Value.FrameBytes);
            bool isWhole = await VisitFrameAsync(segment, at, frame.Value, scan);
            scan.IsTorn = !isWhole;
            if (isWhole)
            {
                scan.Holes += at == scan.End ? 0 : 1;
                at += frame.Value.FrameBytes;
                scan.End = at;
            }
            else
            {
                at += LogFormat.BlockBytes;
            }
        }

        Leave(segment);
        return null;
    }

    private FrameHeader? BatchAt(LogSegment segment, long at, JournalScan scan) =>
        FrameHeader.TryRead(
            _pool.Span(_filling.Lease)[(int)(at - scan.WindowStart)..], Device, segment.Sequence,
            (uint)at, out FrameHeader frame)
        && frame.Kind == FrameKind.Batch
        && at + frame.FrameBytes <= segment.Bytes
            ? frame
            : null;

    /// <summary>Sees to it that so many bytes from an offset are in the window.</summary>
    private async ValueTask<Fault?> FillWindowAsync(
        LogSegment segment, long at, int bytes, JournalScan scan)
    {
        if (scan.WindowBytes > 0 && at >= scan.WindowStart
            && at + bytes <= scan.WindowStart + scan.WindowBytes)
        {
            return null;
        }

        int wanted = (int)Math.Min(SlabBytes, segment.Bytes - at) & ~(LogFormat.BlockBytes - 1);
        SegmentFile file = segment.File!.Value;
        BufferSlice window = _filling.Lease.Slice(0, wanted);
        SysResult read = await ReadFullyAsync(file, window, at);
        if (!read.IsOk)
        {
            read = await ReadBlocksAsync(file, window, at, read);
            scan.HasUnreadable = true;
        }

        scan.WindowStart = at;
        scan.WindowBytes = wanted;
        if (read.IsOk)
        {
            return null;
        }

        Fault fault = Describe(read, "read the journal of");
        _report(fault);
        return fault;
    }

    /// <summary>Reads what can be read, block by block; the rest becomes zeros.</summary>
    private async ValueTask<SysResult> ReadBlocksAsync(
        SegmentFile file, BufferSlice window, long at, SysResult first)
    {
        int good = 0;
        for (int done = 0; done < window.Bytes; done += LogFormat.BlockBytes)
        {
            BufferSlice block = window.Lease.Slice(window.Start + done, LogFormat.BlockBytes);
            SysResult read = await ReadFullyAsync(file, block, at + done);
            if (read.IsOk)
            {
                good++;
            }
            else
            {
                _pool.Span(block).Clear();
            }
        }

        return good > 0 ? new SysResult(window.Bytes) : first;
    }

    /// <summary>False where the frame is not whole.</summary>
    private async ValueTask<bool> VisitFrameAsync(
        LogSegment segment, long at, FrameHeader frame, JournalScan scan)
    {
        if (frame.FrameBytes <= SlabBytes)
        {
            if (await FillWindowAsync(segment, at, (int)frame.FrameBytes, scan) is not null)
            {
                return false;
            }

            return VisitEntries(
                _pool.Span(_filling.Lease)[(int)(at - scan.WindowStart)..], segment, at, frame,
                scan);
        }

        scan.WindowBytes = 0;
        Result<byte[]> raw = await ReadRawAsync(
            new LogAddress(segment.Sequence, (uint)at, frame.FrameBytes),
            _filling.Lease.Slice(0, SlabBytes));
        return raw.IsOk && VisitEntries(raw.Value, segment, at, frame, scan);
    }

    private static bool VisitEntries(
        ReadOnlySpan<byte> bytes, LogSegment segment, long at, FrameHeader frame,
        JournalScan scan)
    {
        ReadOnlySpan<byte> body = bytes.Slice(LogFormat.FrameHeaderBytes, (int)frame.BodyBytes);
        if (LogFormat.Checksum(body) != frame.BodyChecksum)
        {
            return false;
        }

        uint offset = (uint)at + LogFormat.FrameHeaderBytes;
        for (uint i = 0; i < frame.EntryCount; i++)
        {
            if (!LogEntryView.TryRead(body, segment.Sequence, offset, out LogEntryView entry))
            {
                // Written by a later release, or a defect: what follows cannot be found.
                scan.HasUnreadable = true;
                return true;
            }

            if (entry.Kind != LogEntryKind.Void || entry.Id != default)
            {
                scan.Visitor(entry);
                scan.Entries++;
            }

            body = body[(int)entry.Address.Bytes..];
            offset += entry.Address.Bytes;
        }

        return true;
    }

    /// <summary>
    /// Goes on where the log ended, so that a restart costs no segment. A tail with damage inside
    /// stays as it is: what looks unwritten there may be data.
    /// </summary>
    private async ValueTask ResumeJournalAsync(LogSegment? tail, LogSegment? empty)
    {
        foreach (LogSegment? segment in new[] { tail, empty })
        {
            if (segment is null || !await HasHeaderAsync(segment))
            {
                continue;
            }

            segment.IsSealed = false;
            if (_journal is null)
            {
                SetCurrent(SegmentKind.Journal, segment);
            }
            else
            {
                SetNext(SegmentKind.Journal, segment);
            }
        }
    }

    /// <summary>The same for shard frames, of which several may have been under way.</summary>
    private async ValueTask ResumeShardsAsync()
    {
        LogSegment? tail = null;
        LogSegment? empty = null;
        foreach (LogSegment segment in Sorted(SegmentKind.Shards).TakeLast(2))
        {
            Result<List<FoundFrame>> frames = await FindShardsAsync(segment);
            if (!frames.IsOk || !await HasHeaderAsync(segment))
            {
                return;
            }

            if (frames.Value.Count > 0)
            {
                FoundFrame last = frames.Value[^1];
                segment.Cursor = (long)last.Offset + last.Bytes;
                (tail, empty) = (segment, null);
            }
            else
            {
                segment.Cursor = LogFormat.FirstFrameOffset;
                empty ??= segment;
            }
        }

        foreach (LogSegment? segment in new[] { tail, empty })
        {
            if (segment is not null && Use(segment.Sequence).IsOk)
            {
                segment.IsSealed = false;
                Leave(segment);
                if (_shards is null)
                {
                    SetCurrent(SegmentKind.Shards, segment);
                }
                else
                {
                    SetNext(SegmentKind.Shards, segment);
                }
            }
        }
    }

    /// <summary>
    /// Whether it may be appended to and was begun properly; keeps it open, as the one appended to
    /// must be, and makes what it holds durable.
    /// </summary>
    private async ValueTask<bool> HasHeaderAsync(LogSegment segment)
    {
        Result<LogSegment> used = Use(segment.Sequence);
        if (!used.IsOk)
        {
            return false;
        }

        if (!segment.IsSettled)
        {
            Leave(segment);
            return false;
        }

        // What a killed worker wrote and had not flushed was replayed and counts from now on, so it
        // must not be lost with the power later.
        BufferSlice block = _filling.Lease.Slice(0, LogFormat.BlockBytes);
        SysResult read = await _reactor.SyncAsync(segment.File!.Value.Fd, dataOnly: true);
        read = read.IsOk ? await ReadFullyAsync(segment.File!.Value, block, 0) : read;
        Leave(segment);
        return read.IsOk
            && SegmentHeader.TryRead(_pool.Span(block), out SegmentHeader header)
            && header.Device == Device && header.Sequence == segment.Sequence
            && header.Kind == segment.Kind;
    }
}
