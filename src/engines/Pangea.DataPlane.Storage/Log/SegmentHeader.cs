using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>The first block of every segment; integers are little-endian.</summary>
/// <param name="Kind">What frames it holds.</param>
/// <param name="Sequence">From 1, never used twice on a device.</param>
/// <param name="Device">The device it was made on.</param>
/// <param name="Bytes">Length, this block included.</param>
/// <param name="CreatedMs">When it was made, ms since 1970; for people.</param>
public readonly record struct SegmentHeader(
    SegmentKind Kind, uint Sequence, DeviceId Device, long Bytes, long CreatedMs)
{
    private const ushort Version = 1;
    private const int UsedBytes = 128;
    private const int ChecksumOffset = UsedBytes - sizeof(uint);

    private static ReadOnlySpan<byte> Magic => "PGSEGM01"u8;

    /// <summary>Fills a whole block.</summary>
    public void Write(Span<byte> block)
    {
        block[..LogFormat.BlockBytes].Clear();
        Magic.CopyTo(block);
        BinaryPrimitives.WriteUInt16LittleEndian(block[8..], Version);
        block[10] = (byte)Kind;
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], Sequence);
        Device.Value.Write(block[16..]);
        BinaryPrimitives.WriteInt64LittleEndian(block[32..], Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(block[40..], CreatedMs);
        BinaryPrimitives.WriteUInt32LittleEndian(
            block[ChecksumOffset..], LogFormat.Checksum(block[..ChecksumOffset]));
    }

    /// <summary>False for a block that is no whole segment header of this version.</summary>
    public static bool TryRead(ReadOnlySpan<byte> block, out SegmentHeader header)
    {
        header = default;
        if (block.Length < UsedBytes
            || !block.StartsWith(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(block[ChecksumOffset..])
                != LogFormat.Checksum(block[..ChecksumOffset])
            || BinaryPrimitives.ReadUInt16LittleEndian(block[8..]) != Version
            || block[10] is not ((byte)SegmentKind.Journal or (byte)SegmentKind.Shards))
        {
            return false;
        }

        header = new SegmentHeader(
            (SegmentKind)block[10],
            BinaryPrimitives.ReadUInt32LittleEndian(block[12..]),
            new DeviceId(ObjectId.Read(block[16..])),
            BinaryPrimitives.ReadInt64LittleEndian(block[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[40..]));
        return header.Sequence > 0 && header.Bytes is > 0 and <= uint.MaxValue;
    }
}
