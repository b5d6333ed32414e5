using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Reads what <see cref="ValueWriter"/> wrote. Never reads past the end: a value that is too short,
/// of another version or changed since has <see cref="IsSound"/> false, and its fields are zero.
/// </summary>
internal ref struct ValueReader
{
    private ReadOnlySpan<byte> _rest;

    public ValueReader(ReadOnlySpan<byte> value)
    {
        IsSound = value.Length >= ValueWriter.HeaderBytes
            && value[ValueWriter.HeaderBytes - 1] == ValueWriter.Version
            && BinaryPrimitives.ReadUInt32LittleEndian(value) == ValueWriter.Checksum(value[4..]);
        _rest = IsSound ? value[ValueWriter.HeaderBytes..] : default;
    }

    public bool IsSound { get; private set; }

    /// <summary>True where every field was read and nothing follows.</summary>
    public readonly bool IsComplete => IsSound && _rest.IsEmpty;

    public byte ReadByte()
    {
        ReadOnlySpan<byte> bytes = Take(1);
        return bytes.IsEmpty ? (byte)0 : bytes[0];
    }

    public ulong ReadNumber()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte part = ReadByte();
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        IsSound = false;
        return 0;
    }

    /// <summary>A number that must fit a signed 64-bit integer.</summary>
    public long ReadLong()
    {
        ulong value = ReadNumber();
        IsSound &= value <= long.MaxValue;
        return IsSound ? (long)value : 0;
    }

    public uint ReadUInt32()
    {
        ulong value = ReadNumber();
        IsSound &= value <= uint.MaxValue;
        return IsSound ? (uint)value : 0;
    }

    public ObjectId ReadId()
    {
        ReadOnlySpan<byte> bytes = Take(ObjectId.Bytes);
        return bytes.IsEmpty ? default : ObjectId.Read(bytes);
    }

    /// <summary>Everything that is left.</summary>
    public ReadOnlySpan<byte> ReadRest() => Take(_rest.Length);

    public ReadOnlySpan<byte> Take(int bytes)
    {
        if (bytes > _rest.Length)
        {
            IsSound = false;
            _rest = default;
        }

        if (!IsSound)
        {
            return default;
        }

        ReadOnlySpan<byte> taken = _rest[..bytes];
        _rest = _rest[bytes..];
        return taken;
    }
}
