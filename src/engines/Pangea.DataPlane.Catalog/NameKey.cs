using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// The key of a name: its UTF-8 bytes where they fit, else the first 447 of them, a zero byte and
/// the SHA-256 of all. A name has no control characters, so no short name looks like the key of a
/// long one. Byte order of the keys is the names' own order, except among names of more than 511
/// bytes that share the first 447: those follow their common prefix in the order of the hash.
/// </summary>
internal static class NameKey
{
    public const int PrefixBytes = 447;
    private const int LongKeyBytes = PrefixBytes + 1 + SHA256.HashSizeInBytes;

    /// <summary>Room that <see cref="Write"/> needs: a name, before it is cut.</summary>
    public const int BufferBytes = Limits.ObjectNameBytesMax;

    /// <summary>True where the name does not fit and stands beside the key.</summary>
    public static bool IsCut(ReadOnlySpan<byte> key) =>
        key.Length == LongKeyBytes && key[PrefixBytes] == 0;

    /// <summary>Writes the key at the buffer's start; returns its length.</summary>
    public static int Write(string name, Span<byte> buffer)
    {
        int bytes = Encoding.UTF8.GetBytes(name, buffer);
        Invariant.Check(bytes > 0);
        if (bytes <= LmdbEnvironment.KeyBytesMax)
        {
            return bytes;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer[..bytes], hash);
        buffer[PrefixBytes] = 0;
        hash.CopyTo(buffer[(PrefixBytes + 1)..]);
        return LongKeyBytes;
    }

    /// <summary>The key as bytes of its own; also of a text that is too long for a name.</summary>
    public static byte[] Of(string name)
    {
        byte[] buffer = new byte[Math.Max(Encoding.UTF8.GetByteCount(name), BufferBytes)];
        return buffer[..Write(name, buffer)];
    }
}
