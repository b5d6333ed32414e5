using System.Buffers.Binary;
using System.Numerics;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Writes a stored value: CRC32C of the rest (4 bytes), version (1 byte), then the fields. Numbers
/// are little-endian base 128, so that small ones are short.
/// </summary>
internal ref struct ValueWriter
{
    public const byte Version = 1;
    public const int HeaderBytes = 5;

    private readonly Span<byte> _buffer;
    private int _bytes;

    public ValueWriter(Span<byte> buffer)
    {
        _buffer = buffer;
        _bytes = HeaderBytes;
        _buffer[HeaderBytes - 1] = Version;
    }

    public void WriteByte(byte value) => _buffer[_bytes++] = value;

    public void WriteNumber(ulong value)
    {
        while (value >= 0x80)
        {
            _buffer[_bytes++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _buffer[_bytes++] = (byte)value;
    }

    public void WriteId(ObjectId id)
    {
        id.Write(_buffer[_bytes..]);
        _bytes += ObjectId.Bytes;
    }

    public void WriteBytes(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer[_bytes..]);
        _bytes += bytes.Length;
    }

    /// <summary>The whole value, checksum included.</summary>
    public readonly ReadOnlySpan<byte> Seal()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer, Checksum(_buffer[4.._bytes]));
        return _buffer[.._bytes];
    }

    /// <summary>CRC32C.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
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
