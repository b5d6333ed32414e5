using System.Buffers.Binary;

namespace Pangea.DataPlane.Ces;

/// <summary>The SHA-256 of an object's content, as a value.</summary>
/// <param name="High">Its first 16 bytes, big-endian.</param>
/// <param name="Low">The others.</param>
public readonly record struct ContentHash(UInt128 High, UInt128 Low)
{
    /// <summary>32.</summary>
    public const int Bytes = Manifest.ContentHashBytes;

    private const int HalfBytes = Bytes / 2;

    public static ContentHash Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt128BigEndian(source),
        BinaryPrimitives.ReadUInt128BigEndian(source[HalfBytes..]));

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, High);
        BinaryPrimitives.WriteUInt128BigEndian(destination[HalfBytes..], Low);
    }

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
