// HOT PATH. Each byte of every shard passes through here once on its way to a device and once on
// its way back. Folding takes two carry-less products and one XOR per 64 bytes, the crc32
// instruction alone would take eight steps of three cycles each.
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the check on every shard: reflected, initial value
/// and final XOR all ones.
/// </summary>
/// <remarks>
/// Long inputs are folded (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
/// PCLMULQDQ", Intel 2009): 128 bits of message can be moved D bits towards the end by multiplying
/// their halves with x^(D+32) and x^(D-32) modulo the polynomial. What is left, 16 bytes, goes
/// through the crc32 instruction, which spares the usual reduction.
/// </remarks>
public static class Crc32C
{
    /// <summary>The polynomial 0x1EDC6F41 without its top bit, lowest power first
    /// (reflected).</summary>
    private const uint Polynomial = 0x82F63B78;

    /// <summary>Below this, setting up the four sums costs more than it saves.</summary>
    private const int FoldBytesMin = 512;

    private const int VectorBytes = 64;
    private const int BlockBytes = 4 * VectorBytes;

    private static readonly Vector512<ulong> s_foldBlock = FoldBy(BlockBytes);
    private static readonly Vector512<ulong> s_foldVector = FoldBy(VectorBytes);

    /// <summary>x^(8 * 2^i - 32), reflected: multiplying a state by it and by x^32 passes 2^i
    /// zeros.</summary>
    private static readonly uint[] s_zeros = [.. Enumerable.Range(0, 32).Select(ZeroFactor)];

    /// <summary>Moves the four 128-bit lanes of a vector onto the last one, which stays.</summary>
    private static readonly Vector512<ulong> s_foldLanes = Vector512.Create(
        Vector256.Create(FoldLaneBy(48), FoldLaneBy(32)),
        Vector256.Create(FoldLaneBy(16), Vector128<ulong>.Zero));

    /// <summary>Whether this CPU folds 64 bytes at once.</summary>
    internal static bool CanFold => Pclmulqdq.V512.IsSupported && Avx512F.IsSupported;

    /// <summary>The CRC of the bytes, or of everything so far when continued from an earlier
    /// one.</summary>
    /// <param name="bytes">Any length.</param>
    /// <param name="seed">The CRC of what came before; 0 at the start.</param>
    public static uint Compute(ReadOnlySpan<byte> bytes, uint seed = 0)
    {
        uint crc = ~seed;
        if (CanFold && bytes.Length >= FoldBytesMin)
        {
            int folded = bytes.Length & -VectorBytes;
            crc = Fold(crc, bytes[..folded]);
            bytes = bytes[folded..];
        }

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

    /// <summary>Takes at least one block and whole vectors; the CRC goes in and out without final
    /// XOR.</summary>
    private static uint Fold(uint crc, ReadOnlySpan<byte> bytes)
    {
        ref byte first = ref MemoryMarshal.GetReference(bytes);
        nuint length = (nuint)bytes.Length;
        Vector512<ulong> sum0 = Load(ref first, 0) ^ Vector512.CreateScalar((ulong)crc);
        Vector512<ulong> sum1 = Load(ref first, VectorBytes);
        Vector512<ulong> sum2 = Load(ref first, 2 * VectorBytes);
        Vector512<ulong> sum3 = Load(ref first, 3 * VectorBytes);
        nuint at = BlockBytes;
        for (; at + BlockBytes <= length; at += BlockBytes)
        {
            sum0 = FoldOnto(sum0, s_foldBlock, Load(ref first, at));
            sum1 = FoldOnto(sum1, s_foldBlock, Load(ref first, at + VectorBytes));
            sum2 = FoldOnto(sum2, s_foldBlock, Load(ref first, at + 2 * VectorBytes));
            sum3 = FoldOnto(sum3, s_foldBlock, Load(ref first, at + 3 * VectorBytes));
        }

        Vector512<ulong> sum = FoldOnto(sum0, s_foldVector, sum1);
        sum = FoldOnto(sum, s_foldVector, sum2);
        sum = FoldOnto(sum, s_foldVector, sum3);
        for (; at < length; at += VectorBytes)
        {
            sum = FoldOnto(sum, s_foldVector, Load(ref first, at));
        }

        return Reduce(sum);
    }

    /// <summary>The CRC state of 64 bytes of message, from state zero.</summary>
    internal static uint Reduce(Vector512<ulong> sum)
    {
        Vector512<ulong> last128 = Vector512.Create(
            0, 0, 0, 0, 0, 0, ulong.MaxValue, ulong.MaxValue);
        Vector512<ulong> moved = FoldOnto(sum, s_foldLanes, sum & last128);
        Vector256<ulong> half = moved.GetLower() ^ moved.GetUpper();
        Vector128<ulong> last = half.GetLower() ^ half.GetUpper();
        return BitOperations.Crc32C(BitOperations.Crc32C(0, last[0]), last[1]);
    }

    /// <summary>The state moved by the distance of the factors, plus what stands there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<ulong> FoldOnto(
        Vector512<ulong> sum, Vector512<ulong> factors, Vector512<ulong> next) =>
        Avx512F.TernaryLogic(
            Pclmulqdq.V512.CarrylessMultiply(sum, factors, 0x00),
            Pclmulqdq.V512.CarrylessMultiply(sum, factors, 0x11),
            next,
            0x96);

    /// <summary>The factors that move a vector by its own length.</summary>
    internal static Vector512<ulong> FoldVector => s_foldVector;

    /// <summary>
    /// A vector to fold the first vector of a message onto, such that the state at the beginning of
    /// the message is all ones: the initial state, taken back over the 64 bytes of that vector.
    /// </summary>
    internal static Vector512<ulong> InitialVector { get; } =
        Vector512.CreateScalar((ulong)BackOver(uint.MaxValue, VectorBytes * 8));

    /// <summary>The state after a number of zero bytes, a multiple of 4; needs carry-less
    /// products.</summary>
    internal static uint AfterZeros(uint state, int bytes)
    {
        for (int bit = 2; bytes >> bit != 0; bit++)
        {
            if ((bytes >> bit & 1) != 0)
            {
                Vector128<ulong> product = Pclmulqdq.CarrylessMultiply(
                    Vector128.CreateScalar((ulong)state),
                    Vector128.CreateScalar((ulong)s_zeros[bit]),
                    0);
                state = BitOperations.Crc32C(0, product[0] << 1);
            }
        }

        return state;
    }

    /// <summary>The factors that move every lane of a vector by a number of bytes.</summary>
    private static Vector512<ulong> FoldBy(int bytes) => Vector512.Create(
        Vector256.Create(FoldLaneBy(bytes), FoldLaneBy(bytes)),
        Vector256.Create(FoldLaneBy(bytes), FoldLaneBy(bytes)));

    private static Vector128<ulong> FoldLaneBy(int bytes) =>
        Vector128.Create(Power(bytes * 8 + 32), Power(bytes * 8 - 32));

    /// <summary>
    /// x^bits modulo the polynomial, reflected. A product of reflected factors comes out one bit
    /// low, which the shift by one makes up for.
    /// </summary>
    private static ulong Power(int bits) => (ulong)Forward(0x80000000, bits) << 1;

    /// <summary>Squares, because 2^31 steps one by one would take seconds.</summary>
    private static uint ZeroFactor(int log)
    {
        if (log < 2)
        {
            return 0;
        }

        // x^(8 * 2^log) by repeated squaring, then x^32 back.
        uint power = Forward(0x80000000, 8);
        for (int square = 0; square < log; square++)
        {
            power = Multiply(power, power);
        }

        return BackOver(power, 32);
    }

    /// <summary>The product of two reflected remainders, bit by bit.</summary>
    private static uint Multiply(uint a, uint b)
    {
        uint product = 0;
        for (int bit = 31; bit >= 0; bit--)
        {
            product ^= (a >> bit & 1) != 0 ? b : 0;
            b = Forward(b, 1);
        }

        return product;
    }

    /// <summary>The state times x^bits.</summary>
    private static uint Forward(uint state, int bits)
    {
        for (int bit = 0; bit < bits; bit++)
        {
            state = (state >> 1) ^ ((state & 1) != 0 ? Polynomial : 0);
        }

        return state;
    }

    /// <summary>The state divided by x^bits: the top bit tells whether the polynomial was
    /// added.</summary>
    private static uint BackOver(uint state, int bits)
    {
        for (int bit = 0; bit < bits; bit++)
        {
            state = (state & 0x80000000) != 0 ? ((state ^ Polynomial) << 1) | 1 : state << 1;
        }

        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Load(ref byte first, nuint at) =>
        Vector512.LoadUnsafe(ref first, at).AsUInt64();
}
