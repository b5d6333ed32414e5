using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 64 bytes at a time with table shuffles, which look up within each 16 bytes; the 16-byte tables
/// are therefore broadcast. See <see cref="Vector128Kernel"/> for the arithmetic.
/// </summary>
internal sealed unsafe class Avx512Kernel : CodingKernel
{
    private const int VectorBytes = 64;
    private const int HalfBytes = 16;

    public Avx512Kernel()
        : base(new KernelShape(VectorBytes, Galois.NibbleTableBytes, 255, 4, 4, false))
    {
    }

    protected override void Expand(byte coefficient, byte* entry) =>
        Unsafe.CopyBlock(
            entry,
            Galois.NibbleTables + coefficient * Galois.NibbleTableBytes,
            Galois.NibbleTableBytes);

    protected override void Pass(in Product pass)
    {
        switch (pass.OutputCount)
        {
            case 1:
                Run<One>(pass);
                break;
            case 2:
                Run<Two>(pass);
                break;
            case 3:
                Run<Three>(pass);
                break;
            default:
                Run<Four>(pass);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TCount>(in Product pass)
        where TCount : struct, ICount
    {
        byte* table = pass.Table;
        byte** inputs = pass.Inputs;
        byte** outputs = pass.Outputs;
        int inputCount = pass.InputCount;
        bool accumulate = pass.Has(ProductMode.Accumulate);
        Vector512<byte> nibble = Vector512.Create((byte)0x0F);

        // SAFETY: at + 64 <= pass.To for every access; the table has TCount entries per input.
        for (nuint at = pass.From; at < pass.To; at += VectorBytes)
        {
            Vector512<byte> sum0 = default;
            Vector512<byte> sum1 = default;
            Vector512<byte> sum2 = default;
            Vector512<byte> sum3 = default;
            byte* entry = table;
            for (int input = 0; input < inputCount; input++)
            {
                Vector512<byte> value = Vector512.Load(inputs[input] + at);
                Vector512<byte> low = value & nibble;
                Vector512<byte> high = (value.AsUInt16() >> 4).AsByte() & nibble;
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

                entry += pass.TableStride * Galois.NibbleTableBytes;
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
    private static Vector512<byte> Product(byte* entry, Vector512<byte> low, Vector512<byte> high)
    {
        Vector512<int> lowTable = Avx512F.BroadcastVector128ToVector512((int*)entry);
        Vector512<int> highTable = Avx512F.BroadcastVector128ToVector512(
            (int*)(entry + HalfBytes));
        return Avx512BW.Shuffle(lowTable.AsByte(), low)
            ^ Avx512BW.Shuffle(highTable.AsByte(), high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(byte* target, Vector512<byte> sum, bool accumulate) =>
        (accumulate ? sum ^ Vector512.Load(target) : sum).Store(target);
}
