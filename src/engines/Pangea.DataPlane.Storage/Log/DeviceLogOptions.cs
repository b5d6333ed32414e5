namespace Pangea.DataPlane.Storage;

/// <summary>Bounds of one device's log.</summary>
public sealed record DeviceLogOptions
{
    public static readonly DeviceLogOptions Default = new();

    /// <summary>
    /// Longest segment to make; null for what suits the device. The first ones are shorter, so that
    /// a device with little on it takes little room.
    /// </summary>
    public long? SegmentBytesMax { get; init; }

    /// <summary>First segments of an empty device.</summary>
    public long SegmentBytesFirst { get; init; } = 4 * 1024 * 1024;

    /// <summary>Segments kept open for reading; older ones are opened when needed.</summary>
    public int OpenSegmentsMax { get; init; } = 32;

    /// <summary>
    /// Zeros written ahead of the journal's end once it is busy: a flush of blocks that were
    /// written before costs no journal transaction of the file system (experiment 0003). 0 for
    /// none.
    /// </summary>
    public int ZeroAheadBytes { get; init; } = 2 * 1024 * 1024;
}
