namespace Pangea.DataPlane.Storage;

/// <summary>What a segment is, for reports and for choosing what to compact.</summary>
/// <param name="Sequence">Its number on this device.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Bytes">Room it takes on the device.</param>
/// <param name="LiveBytes">Of these, what objects still need; an estimate until counted.</param>
/// <param name="IsSealed">Nothing is appended to it any more.</param>
public readonly record struct SegmentReport(
    uint Sequence, SegmentKind Kind, long Bytes, long LiveBytes, bool IsSealed)
{
    /// <summary>What removing it would give back.</summary>
    public long GarbageBytes => Bytes - LiveBytes;
}

/// <summary>One segment of a mounted log.</summary>
internal sealed class LogSegment(uint sequence, SegmentKind kind, long bytes)
{
    internal uint Sequence { get; } = sequence;

    internal SegmentKind Kind { get; } = kind;

    internal long Bytes { get; } = bytes;

    /// <summary>Null while it is closed.</summary>
    internal SegmentFile? File { get; set; }

    /// <summary>Where the next frame goes; everything before is taken.</summary>
    internal long Cursor { get; set; } = LogFormat.FirstFrameOffset;

    /// <summary>A frame begins here, or none was met; set by a replay.</summary>
    internal long ShardFrom { get; set; } = LogFormat.FirstFrameOffset;

    internal long LiveBytes { get; set; }

    internal bool IsSealed { get; set; }

    /// <summary>
    /// A flush failed: what was written since the last good one may be gone, whatever a later flush
    /// says.
    /// </summary>
    internal bool IsBroken { get; set; }

    /// <summary>No write of an earlier process can reach it any more.</summary>
    internal bool IsSettled { get; set; }

    /// <summary>Frames were written and not flushed yet.</summary>
    internal bool IsDirty { get; set; }

    /// <summary>Transfers under way; its file stays open for them.</summary>
    internal int Users { get; set; }

    /// <summary>Nothing in it is needed once the next checkpoint is durable.</summary>
    internal bool IsEmptied { get; set; }

    /// <summary>Compaction could not read or copy it.</summary>
    internal bool IsStuck { get; set; }

    /// <summary>Its room goes with the last user.</summary>
    internal bool IsRemoved { get; set; }

    /// <summary>Up to here the journal's blocks were written before, with zeros.</summary>
    internal long ZeroedUpTo { get; set; } = LogFormat.FirstFrameOffset;

    internal long LastUse { get; set; }

    internal bool HasRoomFor(long bytes) => !IsSealed && !IsRemoved && Bytes - Cursor >= bytes;

    internal SegmentReport Report() => new(Sequence, Kind, Bytes, LiveBytes, IsSealed);
}
