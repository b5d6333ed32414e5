using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Pangea.DataPlane.Core;

/// <summary>
/// Identity of one version of one object, new for every put: the time (48 bits of milliseconds
/// since 1970), then 80 random bits. Shards, keys and nonces are bound to it, so that two objects,
/// or two versions of one name, can never be mixed (decisions A9, A10). Only its uniqueness counts;
/// the time in front lets new ids be neighbours in an index (decision 0023).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ObjectId(UInt128 Value)
{
    public const int Bytes = 16;

    private const int RandomBytes = 10;

    // A call of the generator costs 0.7 us whether it gives 10 bytes or 1024, a tenth of what
    // storing a 4 KiB object may cost; so it is asked for 64 ids at a time.
    private const int BatchBytes = 64 * RandomBytes;

    [ThreadStatic]
    private static byte[]? t_batch;

    [ThreadStatic]
    private static int t_left;

    public static ObjectId New()
    {
        byte[] batch = t_batch ??= new byte[BatchBytes];
        if (t_left == 0)
        {
            RandomNumberGenerator.Fill(batch);
            t_left = BatchBytes;
        }

        t_left -= RandomBytes;
        Span<byte> id = stackalloc byte[Bytes];
        long nowMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteInt64BigEndian(id, nowMs << 16);
        batch.AsSpan(t_left, RandomBytes).CopyTo(id[(Bytes - RandomBytes)..]);
        return Read(id);
    }

    /// <summary>Reads the 16 bytes in their written order (big-endian).</summary>
    public static ObjectId Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(source));

    public void Write(Span<byte> destination) =>
        BinaryPrimitives.WriteUInt128BigEndian(destination, Value);

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x32");

    public static bool TryParse(ReadOnlySpan<char> text, out ObjectId id)
    {
        id = default;
        if (text.Length != 2 * Bytes || !UInt128.TryParse(
            text, System.Globalization.NumberStyles.AllowHexSpecifier, null, out UInt128 value))
        {
            return false;
        }

        id = new ObjectId(value);
        return true;
    }
}
