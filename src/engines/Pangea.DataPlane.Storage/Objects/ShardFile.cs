using System.Buffers.Binary;
using System.Numerics;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The file that holds one object's shards on one device:
/// <code>
/// record of stripe 0 | record of stripe 1 | ... | manifest, zero-padded to a block | footer block
/// record = header block (shard header, zero-padded) | payload (whole blocks)
/// </code>
/// Everything starts and ends on a block, so that direct I/O needs no copy. All devices of an
/// object have the same layout; only the shards in it differ. The file is written under
/// <c>tmp/</c>, made durable, and then renamed into <c>objects/</c>: a name there means that a
/// quorum had been made durable before.
/// </summary>
public static class ShardFile
{
    /// <summary>Alignment of everything: the largest logical block size in use.</summary>
    public const int BlockBytes = 4096;

    private const uint FooterVersion = 1;
    private const int FooterChecksumAt = 28;

    private static ReadOnlySpan<byte> FooterMagic => "PGFOOT01"u8;

    public static string NameOf(ObjectId id) => id.ToString();

    public static long RoundUpToBlock(long bytes) => (bytes + BlockBytes - 1) & ~(BlockBytes - 1L);

    /// <summary>What one shard occupies: a header block and its payload.</summary>
    public static long RecordBytes(int shardBytes) => BlockBytes + RoundUpToBlock(shardBytes);

    /// <summary>
    /// Footer, little-endian: 0 magic "PGFOOT01", 8 version u32, 12 manifest bytes u32, 16 manifest
    /// offset u64, 24 reserved u32, 28 CRC-32C of bytes 0..27; zeros to the block's end.
    /// </summary>
    internal static void WriteFooter(Span<byte> block, long manifestOffset, int manifestBytes)
    {
        block[..BlockBytes].Clear();
        FooterMagic.CopyTo(block);
        BinaryPrimitives.WriteUInt32LittleEndian(block[8..], FooterVersion);
        BinaryPrimitives.WriteInt32LittleEndian(block[12..], manifestBytes);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], manifestOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(
            block[FooterChecksumAt..], Checksum(block[..FooterChecksumAt]));
    }

    /// <summary>Where the manifest is, or why the file is not whole.</summary>
    internal static Result<(long Offset, int Bytes)> ReadFooter(
        ReadOnlySpan<byte> block, long fileBytes)
    {
        if (!block.StartsWith(FooterMagic)
            || BinaryPrimitives.ReadUInt32LittleEndian(block[FooterChecksumAt..])
                != Checksum(block[..FooterChecksumAt]))
        {
            return new Fault(
                FaultCode.Corrupt, "shard file has no valid footer: it was not finished");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(block[8..]);
        if (version != FooterVersion)
        {
            return new Fault(
                FaultCode.Unsupported,
                $"shard file has footer version {version}, this program knows {FooterVersion}");
        }

        int bytes = BinaryPrimitives.ReadInt32LittleEndian(block[12..]);
        long offset = BinaryPrimitives.ReadInt64LittleEndian(block[16..]);
        if (bytes <= 0 || offset < 0 || offset % BlockBytes != 0
            || offset + RoundUpToBlock(bytes) + BlockBytes != fileBytes)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"shard file of {fileBytes} bytes says its manifest is {bytes} bytes at {offset}");
        }

        return (offset, bytes);
    }

    // 28 bytes once per file: the instruction per byte is enough, the wide kernel is for payloads.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
