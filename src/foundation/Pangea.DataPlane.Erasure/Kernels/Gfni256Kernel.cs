// HOT PATH. As Gfni512Kernel with half the width and half the registers: four outputs per pass.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 32-byte vectors with bit matrix products, for processors that have GFNI and no AVX-512. The same
/// scheme as <see cref="Gfni512Kernel"/>; without the three-way XOR, inputs are added one by one.
/// </summary>
internal sealed unsafe class Gfni256Kernel : CodingKernel
{
    private const int VectorBytes = 32;

    public override int StepBytes => VectorBytes;

    public override int OutputsPerPass => 4;

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
            default:
                RunBoth<Four>(matrices, inputs, inputCount, outputs, from, to, mode);
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

    /// <summary>The sums a0..a3 belong to the first vector of each output, b0..b3 to the second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TCount, TVectors>(
        ulong* matrices, byte** inputs, int inputCount, byte** outputs, nuint from, nuint to, PassMode mode)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        // SAFETY: at + TVectors * 32 <= to for every access; there are TCount matrices per input.
        bool stream = (mode & PassMode.Stream) != 0 && AreAligned<TCount>(outputs, from);
        for (nuint at = from; at < to; at += (nuint)(TVectors.Value * VectorBytes))
        {
            Vector256<byte> a0 = default, a1 = default, a2 = default, a3 = default;
            Vector256<byte> b0 = default, b1 = default, b2 = default, b3 = default;
            if ((mode & PassMode.Accumulate) != 0)
            {
                Get<TCount, TVectors>(0, outputs, at, ref a0, ref b0);
                Get<TCount, TVectors>(1, outputs, at, ref a1, ref b1);
                Get<TCount, TVectors>(2, outputs, at, ref a2, ref b2);
                Get<TCount, TVectors>(3, outputs, at, ref a3, ref b3);
            }

            ulong* pair = matrices;
            int input = 0;
            for (; input + 1 < inputCount; input += 2)
            {
                byte* x = inputs[input] + at;
                byte* y = inputs[input + 1] + at;
                Vector256<byte> x0 = Vector256.Load(x);
                Vector256<byte> y0 = Vector256.Load(y);
                Vector256<byte> x1 = TVectors.Value > 1 ? Vector256.Load(x + VectorBytes) : x0;
                Vector256<byte> y1 = TVectors.Value > 1 ? Vector256.Load(y + VectorBytes) : y0;
                AddPair<TCount, TVectors>(0, pair, ref a0, ref b0, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(1, pair, ref a1, ref b1, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(2, pair, ref a2, ref b2, x0, x1, y0, y1);
                AddPair<TCount, TVectors>(3, pair, ref a3, ref b3, x0, x1, y0, y1);
                pair += 2 * TCount.Value;
            }

            if (input < inputCount)
            {
                byte* x = inputs[input] + at;
                Vector256<byte> x0 = Vector256.Load(x);
                Vector256<byte> x1 = TVectors.Value > 1 ? Vector256.Load(x + VectorBytes) : x0;
                AddOne<TCount, TVectors>(0, pair, ref a0, ref b0, x0, x1);
                AddOne<TCount, TVectors>(1, pair, ref a1, ref b1, x0, x1);
                AddOne<TCount, TVectors>(2, pair, ref a2, ref b2, x0, x1);
                AddOne<TCount, TVectors>(3, pair, ref a3, ref b3, x0, x1);
            }

            Put<TCount, TVectors>(0, outputs, at, a0, b0, stream);
            Put<TCount, TVectors>(1, outputs, at, a1, b1, stream);
            Put<TCount, TVectors>(2, outputs, at, a2, b2, stream);
            Put<TCount, TVectors>(3, outputs, at, a3, b3, stream);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair<TCount, TVectors>(
        int output,
        ulong* pair,
        ref Vector256<byte> a,
        ref Vector256<byte> b,
        Vector256<byte> x0,
        Vector256<byte> x1,
        Vector256<byte> y0,
        Vector256<byte> y1)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        Vector256<byte> mx = Vector256.Create(pair[output]).AsByte();
        Vector256<byte> my = Vector256.Create(pair[TCount.Value + output]).AsByte();
        a ^= Gfni.V256.GaloisFieldAffineTransform(x0, mx, 0)
            ^ Gfni.V256.GaloisFieldAffineTransform(y0, my, 0);
        if (TVectors.Value > 1)
        {
            b ^= Gfni.V256.GaloisFieldAffineTransform(x1, mx, 0)
                ^ Gfni.V256.GaloisFieldAffineTransform(y1, my, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOne<TCount, TVectors>(
        int output,
        ulong* matrices,
        ref Vector256<byte> a,
        ref Vector256<byte> b,
        Vector256<byte> x0,
        Vector256<byte> x1)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        Vector256<byte> mx = Vector256.Create(matrices[output]).AsByte();
        a ^= Gfni.V256.GaloisFieldAffineTransform(x0, mx, 0);
        if (TVectors.Value > 1)
        {
            b ^= Gfni.V256.GaloisFieldAffineTransform(x1, mx, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Get<TCount, TVectors>(
        int output, byte** outputs, nuint at, ref Vector256<byte> a, ref Vector256<byte> b)
        where TCount : struct, IOutputCount
        where TVectors : struct, IOutputCount
    {
        if (output >= TCount.Value)
        {
            return;
        }

        a = Vector256.Load(outputs[output] + at);
        if (TVectors.Value > 1)
        {
            b = Vector256.Load(outputs[output] + at + VectorBytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TCount, TVectors>(
        int output, byte** outputs, nuint at, Vector256<byte> a, Vector256<byte> b, bool stream)
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
