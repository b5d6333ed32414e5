using System.Buffers.Binary;
using System.Numerics;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the check on every shard: reflected, initial value and
/// final XOR all ones.
/// </summary>
public static class Crc32C
{
    /// <summary>The CRC of the bytes, or of everything so far when continued from an earlier one.</summary>
    /// <param name="bytes">Any length.</param>
    /// <param name="seed">The CRC of what came before; 0 at the start.</param>
    public static uint Compute(ReadOnlySpan<byte> bytes, uint seed = 0)
    {
        uint crc = ~seed;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }
}
