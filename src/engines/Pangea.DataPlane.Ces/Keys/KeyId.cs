using System.Buffers.Binary;
using System.Globalization;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Names a master key without telling it: the first 8 bytes of HKDF-SHA256(master key, "pangea key
/// id v1"). Objects carry it, so that old objects find their key after a rotation.
/// </summary>
public readonly record struct KeyId(ulong Value)
{
    public const int Bytes = 8;

    /// <summary>Reads the 8 bytes in their written order (big-endian).</summary>
    public static KeyId Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source));

    public void Write(Span<byte> destination) =>
        BinaryPrimitives.WriteUInt64BigEndian(destination, Value);

    /// <summary>16 lower-case hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);

    public static bool TryParse(ReadOnlySpan<char> text, out KeyId id)
    {
        bool valid = ulong.TryParse(
            text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value);
        id = new KeyId(value);
        return valid && text.Length == 2 * Bytes;
    }
}
