using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>What a scan of a log in use read.</summary>
/// <param name="Entries">Entries visited.</param>
/// <param name="Bytes">Bytes of their batches.</param>
/// <param name="IsComplete">False where a batch is damaged or cannot be read.</param>
public readonly record struct ScanReport(long Entries, long Bytes, bool IsComplete);

/// <content>Reading the journal while the log is in use.</content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// Visits all entries that are durable at this moment, while appends go on. Unlike a replay it
    /// changes nothing, and shares one buffer with compaction.
    /// </summary>
    /// <param name="visitor">Told every entry; entries of one segment in order.</param>
    public async ValueTask<Result<ScanReport>> ScanAsync(LogVisitor visitor)
    {
        LogPosition end = End;
        long entries = 0;
        long bytes = 0;
        bool complete = true;
        foreach (LogSegment segment in Sorted(SegmentKind.Journal))
        {
            long at = LogFormat.FirstFrameOffset;
            long last = at;
            while (at + LogFormat.BlockBytes <= segment.Bytes && at - last <= HoleBytesMax
                && new LogPosition(segment.Sequence, (uint)at).CompareTo(end) < 0)
            {
                Result<FrameHeader?> frame = _isClosed
                    ? Closed()
                    : await ReadFrameHeaderAsync(segment, at);
                if (!frame.IsOk)
                {
                    return frame.Fault;
                }

                if (frame.Value is not { } found)
                {
                    at += LogFormat.BlockBytes;
                    continue;
                }

                complete &= at == last;
                Result<byte[]> raw = await ReadGuardedAsync(
                    new LogAddress(segment.Sequence, (uint)at, found.FrameBytes));
                if (!raw.IsOk)
                {
                    return raw.Fault;
                }

                (long visited, bool isWhole) = VisitBatch(raw.Value, segment, (uint)at, visitor);
                entries += visited;
                bytes += found.FrameBytes;
                complete &= isWhole;
                at += found.FrameBytes;
                last = at;
            }
        }

        return new ScanReport(entries, bytes, complete);
    }

    private static (long Entries, bool IsWhole) VisitBatch(
        byte[] frame, LogSegment segment, uint offset, LogVisitor visitor)
    {
        long entries = 0;
        bool isWhole = true;
        for (int at = LogFormat.FrameHeaderBytes; at < frame.Length;)
        {
            if (LogEntryView.TryRead(
                frame.AsSpan(at), segment.Sequence, offset + (uint)at, out LogEntryView entry))
            {
                if (entry.Kind != LogEntryKind.Void || entry.Id != default)
                {
                    visitor(entry);
                    entries++;
                }

                at += (int)entry.Address.Bytes;
            }
            else
            {
                // Zeros behind the last entry, or damage.
                isWhole &= !frame.AsSpan(at, LogFormat.EntryAlignment).ContainsAnyExcept((byte)0);
                at += LogFormat.EntryAlignment;
            }
        }

        return (entries, isWhole);
    }
}
