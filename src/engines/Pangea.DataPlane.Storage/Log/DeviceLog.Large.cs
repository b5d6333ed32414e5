using System.Buffers;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <content>What is too long for a batch, and the zeros ahead of the journal's end.</content>
public sealed partial class DeviceLog
{
    private const int CopyBytes = SlabBytes - CopyStart;

    private long _zeroingStart;
    private long _zeroingEnd;

    /// <summary>
    /// A commit with a frame of its own, for an object of very many stripes: built in memory,
    /// written through a window. Its checksum covers all of it, so half of it is nothing.
    /// </summary>
    private async ValueTask<Result<LogAddress>> AppendLargeAsync(
        CommitEntry entry,
        ReadOnlyMemory<byte> manifest,
        ReadOnlyMemory<byte> inlineShard,
        long entryBytes)
    {
        if (entryBytes > Array.MaxLength / 2)
        {
            return new Fault(
                FaultCode.TooLarge, $"a commit of {entryBytes} bytes is beyond any segment");
        }

        int frameBytes = (int)LogFormat.RoundUpToBlock(LogFormat.FrameHeaderBytes + entryBytes);
        byte[] rented = ArrayPool<byte>.Shared.Rent(frameBytes);
        Memory<byte> frame = rented.AsMemory(0, frameBytes);
        frame.Span.Clear();
        Memory<byte> body = frame.Slice(LogFormat.FrameHeaderBytes, (int)entryBytes);
        LogEntryWriter.WriteCommit(body.Span, entry, manifest.Span, inlineShard.Span);
        _background++;
        await _journalTurn.EnterAsync();
        try
        {
            return await CommitLargeAsync(frame, body, entry);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
            _journalTurn.Leave();
            _background--;
        }
    }

    private async ValueTask<Result<LogAddress>> CommitLargeAsync(
        Memory<byte> frame, ReadOnlyMemory<byte> body, CommitEntry entry)
    {
        await FlushShardsAsync();
        if (Refusal(entry.Extents.Span) is { } refused)
        {
            return refused;
        }

        Result placed = await PlaceAsync(frame.Length, essential: false);
        if (!placed.IsOk)
        {
            return placed.Fault;
        }

        LogSegment segment = _journal!;
        uint offset = (uint)segment.Cursor;
        segment.Cursor += frame.Length;
        segment.Users++;
        new FrameHeader(
            FrameKind.Batch, Device, segment.Sequence, offset, (uint)frame.Length, default, 1,
            (uint)body.Length, LogFormat.Checksum(body.Span)).Write(frame.Span);
        SegmentFile file = segment.File!.Value;
        SysResult written = await WriteThroughWindowAsync(file, frame, offset);
        written = written.IsOk ? await _reactor.SyncAsync(file.Fd, dataOnly: true) : written;
        Leave(segment);
        FlushCount++;
        if (!written.IsOk)
        {
            segment.IsSealed = true;
            Fault fault = Describe(written, "write to");
            _report(fault);
            return fault;
        }

        _durableEnd = segment.Cursor;
        segment.LiveBytes += body.Length;
        EntryCount++;
        return new LogAddress(
            segment.Sequence, offset + LogFormat.FrameHeaderBytes, (uint)body.Length);
    }

    private async ValueTask<SysResult> WriteThroughWindowAsync(
        SegmentFile file, ReadOnlyMemory<byte> bytes, long offset)
    {
        await _copying.EnterAsync();
        SysResult result = default;
        for (int done = 0; done < bytes.Length && result.IsOk;)
        {
            int part = Math.Min(CopyBytes, bytes.Length - done);
            BufferSlice window = _scratch.Slice(CopyStart, part);
            bytes.Span.Slice(done, part).CopyTo(_pool.Span(window));
            result = await WriteFullyAsync(file, window, window with { Bytes = 0 }, offset + done);
            done += part;
        }

        _copying.Leave();
        return result;
    }

    /// <summary>
    /// Writes zeros some way ahead of the journal's end, once it is busy: flushing blocks that were
    /// reserved and never written costs the file system a transaction each time, and blocks that
    /// were written before cost it none (experiment 0003).
    /// </summary>
    private void ZeroAhead(LogSegment segment)
    {
        const long quietBytes = 64 * 1024;
        const long marginBytes = 64 * 1024;
        if (_options.ZeroAheadBytes == 0 || _zeroingEnd > 0 || _isClosed || segment.IsSealed
            || segment.File!.Value.IsShared
            || segment.Cursor < quietBytes
            || segment.ZeroedUpTo - segment.Cursor > _options.ZeroAheadBytes / 2)
        {
            return;
        }

        // A little ahead, so that the batches of this moment need not wait.
        long start = Math.Max(segment.ZeroedUpTo, segment.Cursor + marginBytes);
        long end = Math.Min(segment.Bytes, start + _options.ZeroAheadBytes);
        if (start < end)
        {
            _zeroingStart = start;
            _zeroingEnd = end;
            segment.ZeroedUpTo = end;
            segment.Users++;
            _background++;
            _ = ZeroAsync(segment, start, end);
        }
    }

    private async Task ZeroAsync(LogSegment segment, long start, long end)
    {
        SegmentFile file = segment.File!.Value;
        while (start < end)
        {
            int bytes = (int)Math.Min(ZeroBytes, end - start);
            BufferSlice zeros = _scratch.Slice(ZeroStart, bytes);
            SysResult written = await _reactor.WriteAsync(file.Fd, zeros, file.Base + start);
            if (!written.IsOk || written.Value == 0)
            {
                // No harm done: the journal's own write will meet the fault, if it lasts.
                break;
            }

            start += written.Value;
            _zeroingStart = start;
        }

        _zeroingEnd = 0;
        Leave(segment);
        _background--;
    }
}
