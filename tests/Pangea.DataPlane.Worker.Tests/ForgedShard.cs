using System.Buffers.Binary;
using System.Numerics;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// A shard as someone would forge it who can write to a device but has no key: another payload,
/// with every checksum made right again (docs/shard-format.md, the shard header).
/// </summary>
internal static class ForgedShard
{
    private const int PayloadAt = 4096;
    private const int ShardBytesAt = 60;
    private const int PayloadChecksumAt = 120;
    private const int HeaderChecksumAt = 124;

    /// <param name="file">A shard file; its first record is changed.</param>
    public static void FlipPayloadAndMendChecksums(Span<byte> file)
    {
        int shardBytes = BinaryPrimitives.ReadInt32LittleEndian(file[ShardBytesAt..]);
        file[PayloadAt] ^= 1;
        BinaryPrimitives.WriteUInt32LittleEndian(
            file[PayloadChecksumAt..], Crc32C(file.Slice(PayloadAt, shardBytes)));
        BinaryPrimitives.WriteUInt32LittleEndian(
            file[HeaderChecksumAt..], Crc32C(file[..HeaderChecksumAt]));
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
