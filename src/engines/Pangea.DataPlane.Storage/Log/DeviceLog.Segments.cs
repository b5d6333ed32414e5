using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>Making, opening, closing and removing segments.</content>
public sealed partial class DeviceLog
{
    // The shortest that is tried when nothing longer fits on the device any more.
    private const long SegmentBytesMin = 64 * 1024;

    /// <summary>
    /// Makes a segment with room for so many bytes the one that is appended to; nothing happens
    /// where another waiter was faster.
    /// </summary>
    /// <param name="kind">Which of the two.</param>
    /// <param name="bytes">Length of the frame that needs room.</param>
    /// <param name="essential">May use the room kept back for a full device.</param>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<Result> RollAsync(SegmentKind kind, long bytes, bool essential)
    {
        _background++;
        await _creating.EnterAsync();
        try
        {
            LogSegment? current = Current(kind);
            if (current?.HasRoomFor(bytes) == true)
            {
                return Result.Ok;
            }

            LogSegment? next = kind == SegmentKind.Journal ? _nextJournal : _nextShards;
            SetNext(kind, null);
            if (next?.HasRoomFor(bytes) != true)
            {
                // One that was prepared and is too short is given back by compaction.
                next?.IsSealed = true;
                Result<LogSegment> made = await CreateAsync(kind, bytes, essential);
                if (!made.IsOk)
                {
                    return made.Fault;
                }

                next = made.Value;
            }

            if (current is not null)
            {
                current.IsSealed = true;
            }

            SetCurrent(kind, next);
            return Result.Ok;
        }
        finally
        {
            _creating.Leave();
            _background--;
        }
    }

    private LogSegment? Current(SegmentKind kind) =>
        kind == SegmentKind.Journal ? _journal : _shards;

    private void SetCurrent(SegmentKind kind, LogSegment? segment)
    {
        if (kind == SegmentKind.Journal)
        {
            _journal = segment;
            _durableEnd = segment?.Cursor ?? 0;
        }
        else
        {
            _shards = segment;
        }
    }

    private void SetNext(SegmentKind kind, LogSegment? segment)
    {
        if (kind == SegmentKind.Journal)
        {
            _nextJournal = segment;
        }
        else
        {
            _nextShards = segment;
        }
    }

    /// <summary>
    /// Makes the next segment before it is needed, when the present one is half full and the device
    /// far from it; else an append would wait for the file system.
    /// </summary>
    private void PrepareNext(SegmentKind kind)
    {
        LogSegment? current = Current(kind);
        LogSegment? next = kind == SegmentKind.Journal ? _nextJournal : _nextShards;
        if (current is null || next is not null || _isClosed || _isPreparing
            || current.Cursor < current.Bytes / 2
            || current.Bytes < 2 * _options.SegmentBytesFirst)
        {
            return;
        }

        _isPreparing = true;
        _background++;
        _ = PrepareAsync(kind);
    }

    private async ValueTask PrepareAsync(SegmentKind kind)
    {
        await _creating.EnterAsync();
        if ((kind == SegmentKind.Journal ? _nextJournal : _nextShards) is null && !_isClosed)
        {
            // A failure says nothing yet: it is met again when the room is really needed.
            Result<LogSegment> made = await CreateAsync(kind, WantedBytes(), essential: false);
            SetNext(kind, made.IsOk ? made.Value : null);
        }

        _creating.Leave();
        _isPreparing = false;
        _background--;
    }

    /// <summary>A quarter of what the device has so far, within bounds.</summary>
    private long WantedBytes()
    {
        long most = Math.Min(
            _options.SegmentBytesMax ?? long.MaxValue, _store.SegmentBytesMax);
        if (!_store.AllowsAnyLength)
        {
            return _store.SegmentBytesMax;
        }

        const long step = 1024 * 1024;
        long quarter = (Bytes / 4) & -step;
        return Math.Clamp(quarter, Math.Min(_options.SegmentBytesFirst, most), most);
    }

    /// <summary>One at a time, behind <c>_creating</c>: the header's block is shared.</summary>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<Result<LogSegment>> CreateAsync(
        SegmentKind kind, long frameBytes, bool essential)
    {
        long needed = LogFormat.FirstFrameOffset + LogFormat.RoundUpToBlock(frameBytes);
        if (needed > uint.MaxValue
            || (!_store.AllowsAnyLength && needed > _store.SegmentBytesMax))
        {
            return new Fault(
                FaultCode.TooLarge,
                $"a frame of {frameBytes} bytes does not fit into a segment of device "
                    + $"{_deviceIndex}, at most {_store.SegmentBytesMax} bytes");
        }

        long wanted = Math.Max(needed, WantedBytes());
        uint sequence = ++_lastSequence;
        Result<SegmentFile> file = _store.Create(sequence, kind, wanted);
        while (file.Fault?.Code == FaultCode.NoSpace && _store.AllowsAnyLength
            && wanted / 2 >= Math.Max(needed, SegmentBytesMin))
        {
            wanted = (wanted / 2) & ~(LogFormat.BlockBytes - 1L);
            file = _store.Create(sequence, kind, wanted);
        }

        if (file.Fault?.Code == FaultCode.NoSpace && essential && _store.GiveUpReserve())
        {
            wanted = Math.Max(needed, SegmentBytesMin);
            file = _store.Create(sequence, kind, wanted);
            _isOnReserve = file.IsOk;
        }

        if (!file.IsOk)
        {
            return file.Fault with
            {
                Message = $"cannot make a segment on device {_deviceIndex}: {file.Fault.Message}",
            };
        }

        var segment = new LogSegment(sequence, kind, file.Value.Bytes) { File = file.Value };
        Result begun = await BeginSegmentAsync(segment);
        if (!begun.IsOk)
        {
            Close(file.Value);
            _store.Remove(sequence, kind, HeaderBlock);
            return begun.Fault;
        }

        _segments.Add(sequence, segment);
        CountOpened();
        return segment;
    }

    private Span<byte> HeaderBlock => _pool.Span(_scratch)[..LogFormat.BlockBytes];

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<Result> BeginSegmentAsync(LogSegment segment)
    {
        var header = new SegmentHeader(
            segment.Kind, segment.Sequence, Device, segment.Bytes,
            DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        header.Write(HeaderBlock);
        SegmentFile file = segment.File!.Value;
        SysResult result = await _reactor.WriteAndSyncAsync(
            file.Fd, _scratch.Slice(0, LogFormat.BlockBytes), file.Base);
        result = result.IsOk ? await _store.SyncNamesAsync(_reactor) : result;
        return result.IsOk ? Result.Ok : Describe(result, "begin a segment on");
    }

    /// <summary>The segment with its file open, or a fault where it is gone.</summary>
    private Result<LogSegment> Use(uint sequence)
    {
        if (!_segments.TryGetValue(sequence, out LogSegment? segment) || segment.IsRemoved)
        {
            return Errno.ESTALE.ToFault(
                $"read segment {sequence:x8} of device {_deviceIndex}, which is not there");
        }

        if (segment.File is null)
        {
            Result<SegmentFile> file = _store.Open(sequence, segment.Kind);
            if (!file.IsOk)
            {
                return file.Fault;
            }

            segment.File = file.Value;
            CountOpened();
        }

        segment.Users++;
        segment.LastUse = ++_uses;
        return segment;
    }

    private void Leave(LogSegment segment)
    {
        segment.Users--;
        if (segment.IsRemoved && segment.Users == 0)
        {
            Unlink(segment);
        }
    }

    private void CountOpened()
    {
        _openSegments++;
        if (_openSegments <= _options.OpenSegmentsMax)
        {
            return;
        }

        LogSegment? oldest = null;
        foreach (LogSegment segment in _segments.Values)
        {
            if (segment.File is not null && segment.Users == 0 && segment.IsSealed
                && !segment.IsDirty && segment.LastUse < (oldest?.LastUse ?? long.MaxValue))
            {
                oldest = segment;
            }
        }

        if (oldest is not null)
        {
            CloseFile(oldest);
        }
    }

    private void CloseFile(LogSegment segment)
    {
        if (segment.File is { } file)
        {
            Close(file);
            segment.File = null;
            _openSegments--;
        }
    }

    private static void Close(SegmentFile file)
    {
        if (!file.IsShared)
        {
            file.Fd.Dispose();
        }
    }

    private void Unlink(LogSegment segment)
    {
        CloseFile(segment);
        _segments.Remove(segment.Sequence);
        SysResult removed = _store.Remove(
            segment.Sequence, segment.Kind,
            _pool.Span(_scratch).Slice(RemovalStart, LogFormat.BlockBytes));
        if (!removed.IsOk)
        {
            _report(Describe(removed, $"remove segment {segment.Sequence:x8} of"));
        }
    }

    /// <summary>Writes all of both slices, in pieces where the kernel takes less.</summary>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<SysResult> WriteFullyAsync(
        SegmentFile file, BufferSlice first, BufferSlice second, long offset)
    {
        SysResult result = await _reactor.WriteAsync(
            file.Fd, first, second, file.Base + offset);
        return result.IsOk
            ? await WriteRestAsync(file, first, second, offset, (int)result.Value)
            : result;
    }

    /// <summary>Finishes a short write; rare (a full disk, a signal).</summary>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<SysResult> WriteRestAsync(
        SegmentFile file, BufferSlice first, BufferSlice second, long offset, int done)
    {
        while (done < first.Bytes + second.Bytes)
        {
            SysResult result = await _reactor.WriteAsync(
                file.Fd, RestOf(first, second, done), file.Base + offset + done);
            if (!result.IsOk || result.Value == 0)
            {
                return result.IsOk ? SysResult.Fail(Errno.ENOSPC) : result;
            }

            done += (int)result.Value;
        }

        return new SysResult(done);
    }

    /// <summary>Reads until the slice is full; ENODATA where the file ends before.</summary>
    private ValueTask<SysResult> ReadFullyAsync(SegmentFile file, BufferSlice slice, long offset) =>
        ReadRestAsync(file, slice, slice with { Bytes = 0 }, offset, 0);

    /// <summary>
    /// Finishes a short read. Direct I/O hands back whole blocks, so the rest starts on a block
    /// again.
    /// </summary>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<SysResult> ReadRestAsync(
        SegmentFile file, BufferSlice first, BufferSlice second, long offset, int done)
    {
        while (done < first.Bytes + second.Bytes)
        {
            SysResult result = await _reactor.ReadAsync(
                file.Fd, RestOf(first, second, done), file.Base + offset + done);
            if (!result.IsOk || result.Value == 0)
            {
                return result.IsOk ? SysResult.Fail(Errno.ENODATA) : result;
            }

            done += (int)result.Value;
        }

        return new SysResult(done);
    }

    private static BufferSlice RestOf(BufferSlice first, BufferSlice second, int done) =>
        done < first.Bytes ? first.Skip(done) : second.Skip(done - first.Bytes);
}
