using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// HChaCha20 of draft-irtf-cfrg-xchacha-03, section 2.2: a 32-byte subkey from a 32-byte key and 16
/// bytes of nonce. Runs once per object, so it is written for reading, not for speed (about 100
/// ns).
/// </summary>
internal static class HChaCha20
{
    public const int KeyBytes = 32;
    public const int NonceBytes = 16;

    private const int Words = 16;
    private const int DoubleRounds = 10;

    private static ReadOnlySpan<byte> Sigma => "expand 32-byte k"u8;

    public static void Derive(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> subkey)
    {
        Span<uint> x = stackalloc uint[Words];
        Load(Sigma, x[..4]);
        Load(key[..KeyBytes], x.Slice(4, 8));
        Load(nonce[..NonceBytes], x.Slice(12, 4));

        for (int round = 0; round < DoubleRounds; round++)
        {
            QuarterRound(ref x[0], ref x[4], ref x[8], ref x[12]);
            QuarterRound(ref x[1], ref x[5], ref x[9], ref x[13]);
            QuarterRound(ref x[2], ref x[6], ref x[10], ref x[14]);
            QuarterRound(ref x[3], ref x[7], ref x[11], ref x[15]);
            QuarterRound(ref x[0], ref x[5], ref x[10], ref x[15]);
            QuarterRound(ref x[1], ref x[6], ref x[11], ref x[12]);
            QuarterRound(ref x[2], ref x[7], ref x[8], ref x[13]);
            QuarterRound(ref x[3], ref x[4], ref x[9], ref x[14]);
        }

        // Unlike ChaCha20 the input is not added back: first and last row are the subkey.
        Store(x[..4], subkey[..16]);
        Store(x.Slice(12, 4), subkey.Slice(16, 16));
        x.Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void QuarterRound(ref uint a, ref uint b, ref uint c, ref uint d)
    {
        a += b;
        d = BitOperations.RotateLeft(d ^ a, 16);
        c += d;
        b = BitOperations.RotateLeft(b ^ c, 12);
        a += b;
        d = BitOperations.RotateLeft(d ^ a, 8);
        c += d;
        b = BitOperations.RotateLeft(b ^ c, 7);
    }

    private static void Load(ReadOnlySpan<byte> source, Span<uint> words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt32LittleEndian(source[(4 * i)..]);
        }
    }

    private static void Store(ReadOnlySpan<uint> words, Span<byte> destination)
    {
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(destination[(4 * i)..], words[i]);
        }
    }
}
