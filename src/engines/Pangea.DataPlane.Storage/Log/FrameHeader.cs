// HOT PATH: one of these per shard frame and per group commit; no allocation.

using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>What a frame holds.</summary>
internal enum FrameKind : byte
{
    /// <summary>One shard: its header behind ours in the same block, then the payload.</summary>
    Shard = 1,

    /// <summary>Packed entries.</summary>
    Batch = 2,
}

/// <summary>
/// The 128 bytes at the start of every frame. A frame names its device, its segment and its own
/// offset, so that blocks of an earlier use of the same place are never taken for frames.
/// </summary>
/// <param name="Kind">What it holds.</param>
/// <param name="Device">The device.</param>
/// <param name="Segment">Sequence number of the segment.</param>
/// <param name="Offset">Bytes from the segment's beginning, a multiple of 4096.</param>
/// <param name="FrameBytes">Whole frame, a multiple of 4096.</param>
/// <param name="Object">The object of a shard frame; zero for a batch.</param>
/// <param name="EntryCount">Entries of a batch; 0 for a shard frame.</param>
/// <param name="BodyBytes">Bytes behind this header that entries take; 0 for a shard
/// frame.</param>
/// <param name="BodyChecksum">CRC-32C of those; 0 for a shard frame, whose shard header has its
/// own.</param>
internal readonly record struct FrameHeader(
    FrameKind Kind,
    DeviceId Device,
    uint Segment,
    uint Offset,
    uint FrameBytes,
    ObjectId Object,
    uint EntryCount,
    uint BodyBytes,
    uint BodyChecksum)
{
    private const ushort Version = 1;
    private const int ReservedOffset = 68;
    private const int ChecksumOffset = LogFormat.FrameHeaderBytes - sizeof(uint);

    private static ReadOnlySpan<byte> Magic => "PGFRAME1"u8;

    public void Write(Span<byte> bytes)
    {
        bytes = bytes[..LogFormat.FrameHeaderBytes];
        bytes.Clear();
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], Version);
        bytes[10] = (byte)Kind;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], Segment);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], FrameBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], EntryCount);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], BodyChecksum);
        Object.Write(bytes[32..]);
        Device.Value.Write(bytes[48..]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[64..], BodyBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(
            bytes[ChecksumOffset..], LogFormat.Checksum(bytes[..ChecksumOffset]));
    }

    /// <summary>
    /// False for anything but a whole header that belongs to exactly this place.
    /// </summary>
    public static bool TryRead(
        ReadOnlySpan<byte> bytes, DeviceId device, uint segment, uint offset,
        out FrameHeader header)
    {
        header = default;
        if (bytes.Length < LogFormat.FrameHeaderBytes || !bytes.StartsWith(Magic))
        {
            return false;
        }

        bytes = bytes[..LogFormat.FrameHeaderBytes];
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..])
                != LogFormat.Checksum(bytes[..ChecksumOffset])
            || BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]) != Version
            || bytes[11] != 0
            || bytes[ReservedOffset..ChecksumOffset].ContainsAnyExcept((byte)0))
        {
            return false;
        }

        header = new FrameHeader(
            (FrameKind)bytes[10],
            new DeviceId(ObjectId.Read(bytes[48..])),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            ObjectId.Read(bytes[32..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[64..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]));
        return header.IsPlausible
            && header.Device == device && header.Segment == segment && header.Offset == offset;
    }

    private bool IsPlausible =>
        Kind is FrameKind.Shard or FrameKind.Batch
        && FrameBytes >= LogFormat.BlockBytes
        && FrameBytes % LogFormat.BlockBytes == 0
        && (Kind == FrameKind.Shard
            ? BodyBytes == 0 && EntryCount == 0
            : BodyBytes <= FrameBytes - LogFormat.FrameHeaderBytes);
}
