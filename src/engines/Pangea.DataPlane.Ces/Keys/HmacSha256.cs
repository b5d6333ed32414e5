// HOT PATH: four of these per small object.

using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// HMAC-SHA256 (RFC 2104) of short texts as two calls of the BCL's SHA-256 over the stack. The
/// BCL's own HMAC sets up a context of libcrypto each time, which costs more than the hashing of a
/// few hundred bytes, and its HKDF allocates.
/// </summary>
internal static class HmacSha256
{
    public const int Bytes = SHA256.HashSizeInBytes;

    private const int BlockBytes = 64;
    private const int ShortBytesMax = 1024;

    /// <param name="key">At most 64 bytes.</param>
    /// <param name="text">Of any length.</param>
    /// <param name="mac">Gets 32 bytes; may overlap neither.</param>
    public static void Compute(ReadOnlySpan<byte> key, ReadOnlySpan<byte> text, Span<byte> mac)
    {
        Invariant.Check(key.Length <= BlockBytes);
        if (text.Length > ShortBytesMax)
        {
            HMACSHA256.HashData(key, text, mac);
            return;
        }

        Span<byte> block = stackalloc byte[BlockBytes + ShortBytesMax];
        Span<byte> inner = block[..(BlockBytes + text.Length)];
        Pad(key, 0x36, inner);
        text.CopyTo(inner[BlockBytes..]);
        Span<byte> digest = stackalloc byte[Bytes];
        SHA256.HashData(inner, digest);

        Span<byte> outer = block[..(BlockBytes + Bytes)];
        Pad(key, 0x5C, outer);
        digest.CopyTo(outer[BlockBytes..]);
        SHA256.HashData(outer, mac);
        CryptographicOperations.ZeroMemory(block[..BlockBytes]);
    }

    private static void Pad(ReadOnlySpan<byte> key, byte with, Span<byte> block)
    {
        block[..BlockBytes].Fill(with);
        for (int i = 0; i < key.Length; i++)
        {
            block[i] ^= key[i];
        }
    }
}
