using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <summary>A shard frame that was met in a segment.</summary>
internal readonly record struct FoundFrame(uint Offset, uint Bytes, ObjectId Id);

/// <content>Finding the shard frames of a segment without any index.</content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// The frames of a segment in order: from frame to frame, and where one is missing (a failed or
    /// unfinished write) block by block to the next. Reads headers only. Fails where a block cannot
    /// be read.
    /// </summary>
    private async ValueTask<Result<List<FoundFrame>>> FindShardsAsync(
        LogSegment segment, long from = LogFormat.FirstFrameOffset)
    {
        Result<LogSegment> used = Use(segment.Sequence);
        if (!used.IsOk)
        {
            return used.Fault;
        }

        var frames = new List<FoundFrame>();
        await _copying.EnterAsync();
        SysResult read = default;
        long at = from;
        bool inHole = false;
        while (at + LogFormat.BlockBytes <= segment.Bytes)
        {
            long left = (segment.Bytes - at) & ~(LogFormat.BlockBytes - 1L);
            int bytes = (int)Math.Min(left, inHole ? CopyBytes : LogFormat.BlockBytes);
            BufferSlice window = _scratch.Slice(CopyStart, bytes);
            read = await ReadFullyAsync(segment.File!.Value, window, at);
            if (!read.IsOk)
            {
                break;
            }

            long next = Collect(_pool.Span(window), segment, at, frames);
            inHole = next <= at + bytes;
            at = inHole ? AfterUnwritten(segment, next) : next;
        }

        _copying.Leave();
        Leave(segment);
        return read.IsOk ? frames : Describe(read, "read a segment of");
    }

    /// <summary>The first block at or after an offset that may hold anything.</summary>
    private long AfterUnwritten(LogSegment segment, long at) =>
        at >= segment.Bytes
            ? at
            : Math.Max(
                at,
                _store.NextWritten(segment.File!.Value, at) & ~(LogFormat.BlockBytes - 1L));

    /// <summary>Takes the frames that begin in the window; returns where to go on.</summary>
    private long Collect(
        ReadOnlySpan<byte> window, LogSegment segment, long start, List<FoundFrame> frames)
    {
        long at = start;
        while (at < start + window.Length)
        {
            bool isFrame = FrameHeader.TryRead(
                window[(int)(at - start)..], Device, segment.Sequence, (uint)at,
                out FrameHeader frame)
                && frame.Kind == FrameKind.Shard && at + frame.FrameBytes <= segment.Bytes;
            if (isFrame)
            {
                frames.Add(new FoundFrame((uint)at, frame.FrameBytes, frame.Object));
            }

            at += isFrame ? frame.FrameBytes : LogFormat.BlockBytes;
        }

        return at;
    }
}
