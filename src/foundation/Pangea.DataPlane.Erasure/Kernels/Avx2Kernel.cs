using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 32 bytes at a time with table shuffles, which look up within each 16 bytes; the 16-byte tables are
/// therefore broadcast. See <see cref="Vector128Kernel"/> for the arithmetic.
/// </summary>
internal sealed unsafe class Avx2Kernel : CodingKernel
{
    private const int VectorBytes = 32;
    private const int HalfBytes = 16;

    public override int StepBytes => VectorBytes;

    public override int OutputsPerPass => 4;

    public override int CoefficientBytes => Galois.NibbleTableBytes;

    protected override void Expand(byte coefficient, byte* entry) =>
        Unsafe.CopyBlock(
            entry,
            Galois.NibbleTables + coefficient * Galois.NibbleTableBytes,
            Galois.NibbleTableBytes);

    protected override void Pass(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint from,
        nuint to,
        PassMode mode)
    {
        switch (outputCount)
        {
            case 1:
                Run<One>(table, inputs, inputCount, outputs, from, to, mode);
                break;
            case 2:
                Run<Two>(table, inputs, inputCount, outputs, from, to, mode);
                break;
            case 3:
                Run<Three>(table, inputs, inputCount, outputs, from, to, mode);
                break;
            default:
                Run<Four>(table, inputs, inputCount, outputs, from, to, mode);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TCount>(
        byte* table, byte** inputs, int inputCount, byte** outputs, nuint from, nuint to, PassMode mode)
        where TCount : struct, IOutputCount
    {
        bool accumulate = (mode & PassMode.Accumulate) != 0;
        Vector256<byte> nibble = Vector256.Create((byte)0x0F);

        // SAFETY: at + 32 <= to for every access; the table has TCount entries per input.
        for (nuint at = from; at < to; at += VectorBytes)
        {
            Vector256<byte> sum0 = default;
            Vector256<byte> sum1 = default;
            Vector256<byte> sum2 = default;
            Vector256<byte> sum3 = default;
            byte* entry = table;
            for (int input = 0; input < inputCount; input++)
            {
                Vector256<byte> value = Vector256.Load(inputs[input] + at);
                Vector256<byte> low = value & nibble;
                Vector256<byte> high = (value.AsUInt16() >> 4).AsByte() & nibble;
                sum0 ^= Product(entry, low, high);
                if (TCount.Value > 1)
                {
                    sum1 ^= Product(entry + Galois.NibbleTableBytes, low, high);
                }

                if (TCount.Value > 2)
                {
                    sum2 ^= Product(entry + 2 * Galois.NibbleTableBytes, low, high);
                }

                if (TCount.Value > 3)
                {
                    sum3 ^= Product(entry + 3 * Galois.NibbleTableBytes, low, high);
                }

                entry += TCount.Value * Galois.NibbleTableBytes;
            }

            Put(outputs[0] + at, sum0, accumulate);
            if (TCount.Value > 1)
            {
                Put(outputs[1] + at, sum1, accumulate);
            }

            if (TCount.Value > 2)
            {
                Put(outputs[2] + at, sum2, accumulate);
            }

            if (TCount.Value > 3)
            {
                Put(outputs[3] + at, sum3, accumulate);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Product(byte* entry, Vector256<byte> low, Vector256<byte> high)
    {
        Vector256<byte> lowTable = Avx2.BroadcastVector128ToVector256(entry);
        Vector256<byte> highTable = Avx2.BroadcastVector128ToVector256(entry + HalfBytes);
        return Avx2.Shuffle(lowTable, low) ^ Avx2.Shuffle(highTable, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(byte* target, Vector256<byte> sum, bool accumulate) =>
        (accumulate ? sum ^ Vector256.Load(target) : sum).Store(target);
}
