using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Where a shard frame or an entry lies in one device's log. Sequence numbers of segments are never
/// used twice on a device, so an address never means something else later.
/// </summary>
/// <param name="Segment">Sequence number of the segment; 0 for no address.</param>
/// <param name="Offset">Bytes from the segment's beginning: a multiple of 4096 for a shard frame,
/// of 64 for an entry.</param>
/// <param name="Bytes">Length of the whole frame or entry, its header included.</param>
public readonly record struct LogAddress(uint Segment, uint Offset, uint Bytes)
{
    public bool IsNone => Segment == 0;

    public override string ToString() => IsNone ? "none" : $"{Segment:x8}+{Offset} ({Bytes} bytes)";
}

/// <summary>
/// A place in the journal of one device: what was appended before lies in an older segment, or in
/// this one before the offset.
/// </summary>
/// <param name="Segment">Sequence number; 0 is the beginning of everything.</param>
/// <param name="Offset">Bytes from the segment's beginning.</param>
public readonly record struct LogPosition(uint Segment, uint Offset) : IComparable<LogPosition>
{
    public static LogPosition Beginning => default;

    public int CompareTo(LogPosition other) => Segment == other.Segment
        ? Offset.CompareTo(other.Offset)
        : Segment.CompareTo(other.Segment);
}

/// <summary>
/// Frames of consecutive stripes of one object that lie one after another in one segment.
/// </summary>
/// <param name="FirstStripe">The first frame's stripe.</param>
/// <param name="Stripes">How many.</param>
/// <param name="Segment">Their segment; 0 where the shards are lost.</param>
/// <param name="Offset">The first frame's offset.</param>
public readonly record struct Extent(uint FirstStripe, uint Stripes, uint Segment, uint Offset)
{
    public const int Bytes = 16;
}

/// <summary>
/// What a device says about the object whose shards of one position it holds. Appended last, so
/// that it proves that everything before it is durable.
/// </summary>
/// <param name="Id">The object version.</param>
/// <param name="Position">0 .. k+m-1: which shard of each stripe, turned by the stripe's
/// index.</param>
/// <param name="DataShards">k.</param>
/// <param name="ParityShards">m.</param>
/// <param name="CreatedMs">When the version was made, ms since 1970; grows strictly per
/// name.</param>
/// <param name="ExpiresMs">When it goes by itself; 0 for never.</param>
/// <param name="TtlMs">What a download adds to the time of its end; 0 without expiry.</param>
/// <param name="Extents">Where the shard frames lie, in stripe order; empty for a packed
/// object.</param>
public readonly record struct CommitEntry(
    ObjectId Id,
    int Position,
    int DataShards,
    int ParityShards,
    long CreatedMs,
    long ExpiresMs,
    long TtlMs,
    ReadOnlyMemory<Extent> Extents);
