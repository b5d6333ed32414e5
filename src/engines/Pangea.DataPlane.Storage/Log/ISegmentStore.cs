using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>A segment that a device has.</summary>
/// <param name="Sequence">From 1.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Bytes">Length.</param>
public readonly record struct SegmentName(uint Sequence, SegmentKind Kind, long Bytes);

/// <summary>An open segment.</summary>
/// <param name="Fd">The descriptor to read and write through.</param>
/// <param name="Base">Where in it the segment begins.</param>
/// <param name="Bytes">Length of the segment.</param>
/// <param name="IsShared">True where the descriptor is that of the whole device.</param>
public readonly record struct SegmentFile(OwnedFd Fd, long Base, long Bytes, bool IsShared);

/// <summary>
/// Where a device keeps its segments: files in a directory, or slots of a block device. Calls wait
/// for the kernel but not for a disk, except where they say so.
/// </summary>
public interface ISegmentStore : IDisposable
{
    DeviceId Device { get; }

    /// <summary>Whether transfers go past the page cache.</summary>
    bool UsesDirectIo { get; }

    /// <summary>The longest segment that can be made, and the usual one.</summary>
    long SegmentBytesMax { get; }

    /// <summary>False where every segment has the length of a slot.</summary>
    bool AllowsAnyLength { get; }

    /// <summary>All segments, oldest first. Reads every slot of a block device.</summary>
    /// <param name="scratch">At least a block, aligned as direct I/O asks.</param>
    Result<List<SegmentName>> List(Span<byte> scratch);

    /// <summary>
    /// Reserves the room of a new segment; NoSpace where there is none. Its header is written by
    /// the caller.
    /// </summary>
    Result<SegmentFile> Create(uint sequence, SegmentKind kind, long bytes);

    Result<SegmentFile> Open(uint sequence, SegmentKind kind);

    /// <summary>
    /// Waits until writes that a killed process had under way have reached the segment or never
    /// will: its ring is torn down behind its back, and what lands late would land on what was
    /// appended since. False where that cannot be known.
    /// </summary>
    bool WaitForWrites(SegmentFile file);

    /// <summary>
    /// Where after an offset of the segment something may have been written, so that what was only
    /// reserved is not read; the offset itself where nobody knows, the length where nothing was.
    /// </summary>
    long NextWritten(SegmentFile file, long offset);

    /// <summary>
    /// Gives the segment's room back; durable after <see cref="SyncNamesAsync"/>.
    /// </summary>
    /// <param name="sequence">Which one.</param>
    /// <param name="kind">Its kind.</param>
    /// <param name="scratch">At least a block, aligned as direct I/O asks.</param>
    SysResult Remove(uint sequence, SegmentKind kind, Span<byte> scratch);

    /// <summary>Makes created and removed segments durable as such.</summary>
    ValueTask<SysResult> SyncNamesAsync(IReactor reactor);

    /// <summary>
    /// Frees what was kept back for the moment when nothing else is free, so that a tombstone finds
    /// room on a full device. False where nothing was kept.
    /// </summary>
    bool GiveUpReserve();

    /// <summary>Keeps room back again, if there is any.</summary>
    void KeepReserve();
}
