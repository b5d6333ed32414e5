using System.Buffers.Binary;
using System.Numerics;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// A shard as someone would forge it who can write to a device but has no key: another payload,
/// with every checksum made right again (docs/shard-format.md, the shard header).
/// </summary>
internal static class ForgedShard
{
    private const int ShardBytesAt = 60;
    private const int PayloadChecksumAt = 120;
    private const int HeaderChecksumAt = 124;

    private static ReadOnlySpan<byte> Magic => "PGSHARD1"u8;

    /// <summary>Changes the first shard in a segment; false where it has none.</summary>
    /// <param name="segment">The whole file.</param>
    public static bool FlipPayloadAndMendChecksums(Span<byte> segment)
    {
        int at = segment.IndexOf(Magic);
        if (at < 0)
        {
            return false;
        }

        // A frame has its payload in the next block, a packed shard right behind the header.
        int payloadAt = at % 4096 == 128 && segment[(at + 128)..(at + 3968)].IndexOfAnyExcept(
            (byte)0) < 0 ? at + 3968 : at + 128;
        Span<byte> header = segment.Slice(at, 128);
        int shardBytes = BinaryPrimitives.ReadInt32LittleEndian(header[ShardBytesAt..]);
        segment[payloadAt] ^= 1;
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[PayloadChecksumAt..], Crc32C(segment.Slice(payloadAt, shardBytes)));
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[HeaderChecksumAt..], Crc32C(header[..HeaderChecksumAt]));
        return true;
    }

    private static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
