// HOT PATH. Budget for 8+4, per 64 data bytes: 4 bit matrix products, of which the CPU starts two per
// cycle, so 2 cycles; everything else (1 load, 2 matrix loads, 2 three-way XORs, half a store) has to
// hide behind them. At 4.1 GHz that is about 130 GB/s of data.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 64-byte vectors with bit matrix products: multiplying by a constant is linear over the bits, so it is
/// one 8x8 bit matrix, which one instruction applies to 64 bytes. Two vectors of a shard share every
/// matrix load, and inputs are taken in pairs so that one three-way XOR adds two products.
/// </summary>
internal sealed unsafe class Gfni512Kernel : CodingKernel
{
    private const int VectorBytes = 64;
    private const byte XorOfThree = 0x96;

    public override int StepBytes => VectorBytes;

    public override int OutputsPerPass => 6;

    public override int CoefficientBytes => sizeof(ulong);

    protected override void Expand(byte coefficient, byte* entry) =>
        *(ulong*)entry = Galois.AffineMatrices[coefficient];

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
        ulong* matrices = (ulong*)table;
        switch (outputCount)
        {
            case 1:
                RunBoth<One>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
            case 2:
                RunBoth<Two>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
            case 3:
                RunBoth<Three>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
            case 4:
                RunBoth<Four>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
            case 5:
                RunBoth<Five>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
            default:
                RunBoth<Six>(matrices, inputs, inputCount, outputs, from, to, mode);
                break;
        }
    }

    private static void RunBoth<TCount>(
        ulong* matrices, byte** inputs, int inputCount, byte** outputs, nuint from, nuint to, PassMode mode)
        where TCount : struct, IOutputCount
    {
        nuint middle = to - (to - from) % (2 * VectorBytes);
        Run<TCount, Two>(matrices, inputs, inputCount, outputs, from, middle, mode);
        if (middle < to)
        {
            Run<TCount, One>(matrices, inputs, inputCount, outputs, middle, to, mode);
        }
    }

    /// <summary>The sums a0..a5 belong to the first vector of each output, b0..b5 to the second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TCount, TVectors>(
        ulong* matrices, byte** inputs, int inputCount, byte** outputs, nuint from, nuint to, PassMode mode)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        // SAFETY: at + TVectors * 64 <= to for every access; there are TCount matrices per input.
        bool stream = (mode & PassMode.Stream) != 0 && AreAligned<TCount>(outputs, from);
        for (nuint at = from; at < to; at += (nuint)(TVectors.Value * VectorBytes))
        {
            Vector512<byte> a0 = default, a1 = default, a2 = default;
            Vector512<byte> a3 = default, a4 = default, a5 = default;
            Vector512<byte> b0 = default, b1 = default, b2 = default;
            Vector512<byte> b3 = default, b4 = default, b5 = default;
            if ((mode & PassMode.Accumulate) != 0)
            {
                Get<TCount, TVectors>(0, outputs, at, ref a0, ref b0);
                Get<TCount, TVectors>(1, outputs, at, ref a1, ref b1);
                Get<TCount, TVectors>(2, outputs, at, ref a2, ref b2);
                Get<TCount, TVectors>(3, outputs, at, ref a3, ref b3);
                Get<TCount, TVectors>(4, outputs, at, ref a4, ref b4);
                Get<TCount, TVectors>(5, outputs, at, ref a5, ref b5);
            }

            ulong* pair = matrices;
            int input = 0;
            for (; input + 1 < inputCount; input += 2)
            {
                byte* x = inputs[input] + at;
                byte* y = inputs[input + 1] + at;
                Vector512<byte> x0 = Vector512.Load(x);
                Vector512<byte> y0 = Vector512.Load(y);
                Vector512<byte> x1 = TVectors.Value > 1 ? Vector512.Load(x + VectorBytes) : x0;
                Vector512<byte> y1 = TVectors.Value > 1 ? Vector512.Load(y + VectorBytes) : y0;
                AddPair<TCount, TVectors>(0, pair, ref a0, ref b0, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(1, pair, ref a1, ref b1, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(2, pair, ref a2, ref b2, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(3, pair, ref a3, ref b3, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(4, pair, ref a4, ref b4, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(5, pair, ref a5, ref b5, x0, x1, y0, y1);
                pair += 2 * TCount.Value;
            }

            if (input < inputCount)
            {
                byte* x = inputs[input] + at;
                Vector512<byte> x0 = Vector512.Load(x);
                Vector512<byte> x1 = TVectors.Value > 1 ? Vector512.Load(x + VectorBytes) : x0;
                AddOne<TCount, TVectors>(0, pair, ref a0, ref b0, x0, x1);
                AddOne<TCount, TVectors>(1, pair, ref a1, ref b1, x0, x1);
                AddOne<TCount, TVectors>(2, pair, ref a2, ref b2, x0, x1);
                AddOne<TCount, TVectors>(3, pair, ref a3, ref b3, x0, x1);
                AddOne<TCount, TVectors>(4, pair, ref a4, ref b4, x0, x1);
                AddOne<TCount, TVectors>(5, pair, ref a5, ref b5, x0, x1);
            }

            Put<TCount, TVectors>(0, outputs, at, a0, b0, stream);
            Put<TCount, TVectors>(1, outputs, at, a1, b1, stream);
            Put<TCount, TVectors>(2, outputs, at, a2, b2, stream);
            Put<TCount, TVectors>(3, outputs, at, a3, b3, stream);
            Put<TCount, TVectors>(4, outputs, at, a4, b4, stream);
            Put<TCount, TVectors>(5, outputs, at, a5, b5, stream);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TCount, TVectors>(
        int output,
        ulong* pair,
        ref Vector512<byte> a,
        ref Vector512<byte> b,
        Vector512<byte> x0,
        Vector512<byte> x1,
        Vector512<byte> y0,
        Vector512<byte> y1)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        Vector512<byte> mx = Vector512.Create(pair[output]).AsByte();
        Vector512<byte> my = Vector512.Create(pair[TCount.Value + output]).AsByte();
        a = Avx512F.TernaryLogic(
            a,
            Gfni.V512.GaloisFieldAffineTransform(x0, mx, 0),
            Gfni.V512.GaloisFieldAffineTransform(y0, my, 0),
            XorOfThree);
        if (TVectors.Value > 1)
        {
            b = Avx512F.TernaryLogic(
                b,
                Gfni.V512.GaloisFieldAffineTransform(x1, mx, 0),
                Gfni.V512.GaloisFieldAffineTransform(y1, my, 0),
                XorOfThree);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOne<TCount, TVectors>(
        int output,
        ulong* matrices,
        ref Vector512<byte> a,
        ref Vector512<byte> b,
        Vector512<byte> x0,
        Vector512<byte> x1)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        Vector512<byte> mx = Vector512.Create(matrices[output]).AsByte();
        a ^= Gfni.V512.GaloisFieldAffineTransform(x0, mx, 0);
        if (TVectors.Value > 1)
        {
            b ^= Gfni.V512.GaloisFieldAffineTransform(x1, mx, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Get<TCount, TVectors>(
        int output, byte** outputs, nuint at, ref Vector512<byte> a, ref Vector512<byte> b)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        a = Vector512.Load(outputs[output] + at);
        if (TVectors.Value > 1)
        {
            b = Vector512.Load(outputs[output] + at + VectorBytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TCount, TVectors>(
        int output, byte** outputs, nuint at, Vector512<byte> a, Vector512<byte> b, bool stream)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        byte* target = outputs[output] + at;
        if (stream)
        {
            a.StoreAlignedNonTemporal(target);
            if (TVectors.Value > 1)
            {
                b.StoreAlignedNonTemporal(target + VectorBytes);
            }
        }
        else
        {
            a.Store(target);
            if (TVectors.Value > 1)
            {
                b.Store(target + VectorBytes);
            }
        }
    }

    private static bool AreAligned<TCount>(byte** outputs, nuint from)
        where TCount : struct, IOutputCount
    {
        nuint bits = from;
        for (int output = 0; output < TCount.Value; output++)
        {
            bits |= (nuint)outputs[output];
        }

        return bits % VectorBytes == 0;
    }
}
