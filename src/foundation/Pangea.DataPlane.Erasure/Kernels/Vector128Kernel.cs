using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 16 bytes at a time with table shuffles: c*x = low table [x and 15] ^ high table [x >> 4].
/// Written with the portable vector type, so that what runs as NEON TBL on Arm is the very source
/// that is tested as SSSE3 PSHUFB on x86.
/// </summary>
internal sealed unsafe class Vector128Kernel : CodingKernel
{
    private const int VectorBytes = 16;

    public Vector128Kernel()
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
        Vector128<byte> nibble = Vector128.Create((byte)0x0F);

        // SAFETY: at + 16 <= pass.To for every access; the table has TCount entries per input.
        for (nuint at = pass.From; at < pass.To; at += VectorBytes)
        {
            Vector128<byte> sum0 = default;
            Vector128<byte> sum1 = default;
            Vector128<byte> sum2 = default;
            Vector128<byte> sum3 = default;
            byte* entry = table;
            for (int input = 0; input < inputCount; input++)
            {
                Vector128<byte> value = Vector128.Load(inputs[input] + at);
                Vector128<byte> low = value & nibble;
                Vector128<byte> high = (value.AsUInt16() >> 4).AsByte() & nibble;
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
    private static Vector128<byte> Product(
        byte* entry, Vector128<byte> low, Vector128<byte> high) =>
        Vector128.ShuffleNative(Vector128.Load(entry), low)
        ^ Vector128.ShuffleNative(Vector128.Load(entry + VectorBytes), high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(byte* target, Vector128<byte> sum, bool accumulate) =>
        (accumulate ? sum ^ Vector128.Load(target) : sum).Store(target);
}
