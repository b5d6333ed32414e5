// HOT PATH. See Gfni512Kernel for the budget.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The loop of <see cref="Gfni512Kernel"/> for a fixed number of inputs (1..12), outputs (1..6, up
/// to 4 with four vectors) and vectors per iteration (1, 2, 4). TPlain is One when the first row of
/// the matrix is ones and zeros, else Zero. TStream is One when stores bypass the cache, Two when
/// every second output does, both with at most two vectors.
/// </summary>
internal static unsafe class Gfni512Loop<TInputs, TOutputs, TVectors, TPlain, TStream>
    where TInputs : struct, ICount
    where TOutputs : struct, ICount
    where TVectors : struct, ICount
    where TPlain : struct, ICount
    where TStream : struct, ICount
{
    private const int VectorBytes = 64;
    private const int CacheLineBytes = 64;
    private const int PrefetchBytes = 256;
    private const byte XorOfThree = 0x96;
    private const byte XorWithMasked = 0x78;

    /// <summary>The sums of one output: as many vectors as an iteration codes.</summary>
    private struct Sum
    {
        public Vector512<byte> V0;
        public Vector512<byte> V1;
        public Vector512<byte> V2;
        public Vector512<byte> V3;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Product pass, nuint from, nuint to)
    {
        // SAFETY: from..to is a multiple of the bytes of an iteration and lies within the shards;
        // the table has TOutputs entries for each of TInputs inputs.
        ulong* table = (ulong*)pass.Table;
        byte** inputs = pass.Inputs;
        byte** outputs = pass.Outputs;
        int stride = pass.TableStride;
        int plainInputs = pass.PlainInputs;
        bool accumulate = pass.Has(ProductMode.Accumulate);
        bool chained = pass.Has(ProductMode.Chained);
        for (nuint at = from; at < to; at += (nuint)(TVectors.Value * VectorBytes))
        {
            Sum s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default;
            Pair(
                0, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            Pair(
                2, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            Pair(
                4, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            Pair(
                6, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            Pair(
                8, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            Pair(
                10, plainInputs, table, stride, inputs, at,
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5);
            if (TPlain.Value > 0 && chained)
            {
                Chain(1, ref s0, s1);
                Chain(2, ref s0, s2);
                Chain(3, ref s0, s3);
                Chain(4, ref s0, s4);
                Chain(5, ref s0, s5);
            }

            if (accumulate)
            {
                AddOld(0, outputs, at, ref s0);
                AddOld(1, outputs, at, ref s1);
                AddOld(2, outputs, at, ref s2);
                AddOld(3, outputs, at, ref s3);
                AddOld(4, outputs, at, ref s4);
                AddOld(5, outputs, at, ref s5);
            }

            Put(0, outputs, at, s0);
            Put(1, outputs, at, s1);
            Put(2, outputs, at, s2);
            Put(3, outputs, at, s3);
            Put(4, outputs, at, s4);
            Put(5, outputs, at, s5);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(
        int input,
        int plainInputs,
        ulong* table,
        int stride,
        byte** inputs,
        nuint at,
        ref Sum s0,
        ref Sum s1,
        ref Sum s2,
        ref Sum s3,
        ref Sum s4,
        ref Sum s5)
    {
        if (input >= TInputs.Value)
        {
            return;
        }

        ulong* entry = table + input * stride;
        Sum x = Get(inputs[input] + at);
        if (input + 1 == TInputs.Value)
        {
            AddPlainOne(input, plainInputs, x, ref s0);
            AddOne(0, entry, x, ref s0);
            AddOne(1, entry, x, ref s1);
            AddOne(2, entry, x, ref s2);
            AddOne(3, entry, x, ref s3);
            AddOne(4, entry, x, ref s4);
            AddOne(5, entry, x, ref s5);
        }
        else
        {
            Sum y = Get(inputs[input + 1] + at);
            AddPlainTwo(input, plainInputs, x, y, ref s0);
            AddTwo(0, entry, stride, x, y, ref s0);
            AddTwo(1, entry, stride, x, y, ref s1);
            AddTwo(2, entry, stride, x, y, ref s2);
            AddTwo(3, entry, stride, x, y, ref s3);
            AddTwo(4, entry, stride, x, y, ref s4);
            AddTwo(5, entry, stride, x, y, ref s5);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Sum Get(byte* source)
    {
        if (TStream.Value > 0)
        {
            // What comes from memory comes sooner when asked for a little ahead of the hardware
            // prefetchers; much further ahead it only gets in their way (experiment 0001).
            Sse.PrefetchNonTemporal(source + PrefetchBytes);
            if (TVectors.Value * VectorBytes > CacheLineBytes)
            {
                Sse.PrefetchNonTemporal(source + PrefetchBytes + CacheLineBytes);
            }
        }

        Sum value = default;
        value.V0 = Vector512.Load(source);
        if (TVectors.Value > 1)
        {
            value.V1 = Vector512.Load(source + VectorBytes);
        }

        if (TVectors.Value > 2)
        {
            value.V2 = Vector512.Load(source + 2 * VectorBytes);
            value.V3 = Vector512.Load(source + 3 * VectorBytes);
        }

        return value;
    }

    /// <summary>sum += x * mx + y * my, the factors being those of this output.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTwo(
        int output, ulong* entry, int stride, in Sum x, in Sum y, ref Sum sum)
    {
        if (output < TPlain.Value || output >= TOutputs.Value)
        {
            return;
        }

        Vector512<byte> mx = Vector512.Create(entry[output]).AsByte();
        Vector512<byte> my = Vector512.Create(entry[stride + output]).AsByte();
        sum.V0 = Avx512F.TernaryLogic(
            sum.V0,
            Gfni.V512.GaloisFieldAffineTransform(x.V0, mx, 0),
            Gfni.V512.GaloisFieldAffineTransform(y.V0, my, 0),
            XorOfThree);
        if (TVectors.Value > 1)
        {
            sum.V1 = Avx512F.TernaryLogic(
                sum.V1,
                Gfni.V512.GaloisFieldAffineTransform(x.V1, mx, 0),
                Gfni.V512.GaloisFieldAffineTransform(y.V1, my, 0),
                XorOfThree);
        }

        if (TVectors.Value > 2)
        {
            sum.V2 = Avx512F.TernaryLogic(
                sum.V2,
                Gfni.V512.GaloisFieldAffineTransform(x.V2, mx, 0),
                Gfni.V512.GaloisFieldAffineTransform(y.V2, my, 0),
                XorOfThree);
            sum.V3 = Avx512F.TernaryLogic(
                sum.V3,
                Gfni.V512.GaloisFieldAffineTransform(x.V3, mx, 0),
                Gfni.V512.GaloisFieldAffineTransform(y.V3, my, 0),
                XorOfThree);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOne(int output, ulong* entry, in Sum x, ref Sum sum)
    {
        if (output < TPlain.Value || output >= TOutputs.Value)
        {
            return;
        }

        Vector512<byte> mx = Vector512.Create(entry[output]).AsByte();
        sum.V0 ^= Gfni.V512.GaloisFieldAffineTransform(x.V0, mx, 0);
        if (TVectors.Value > 1)
        {
            sum.V1 ^= Gfni.V512.GaloisFieldAffineTransform(x.V1, mx, 0);
        }

        if (TVectors.Value > 2)
        {
            sum.V2 ^= Gfni.V512.GaloisFieldAffineTransform(x.V2, mx, 0);
            sum.V3 ^= Gfni.V512.GaloisFieldAffineTransform(x.V3, mx, 0);
        }
    }

    /// <summary>sum += x + y, as far as the inputs are among the plain ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPlainTwo(
        int input, int plainInputs, in Sum x, in Sum y, ref Sum sum)
    {
        if (TPlain.Value == 0)
        {
            return;
        }

        if (input + 1 < plainInputs)
        {
            sum.V0 = Avx512F.TernaryLogic(sum.V0, x.V0, y.V0, XorOfThree);
            if (TVectors.Value > 1)
            {
                sum.V1 = Avx512F.TernaryLogic(sum.V1, x.V1, y.V1, XorOfThree);
            }

            if (TVectors.Value > 2)
            {
                sum.V2 = Avx512F.TernaryLogic(sum.V2, x.V2, y.V2, XorOfThree);
                sum.V3 = Avx512F.TernaryLogic(sum.V3, x.V3, y.V3, XorOfThree);
            }
        }
        else
        {
            AddPlainOne(input, plainInputs, x, ref sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPlainOne(int input, int plainInputs, in Sum x, ref Sum sum)
    {
        if (TPlain.Value == 0 || input >= plainInputs)
        {
            return;
        }

        sum.V0 ^= x.V0;
        if (TVectors.Value > 1)
        {
            sum.V1 ^= x.V1;
        }

        if (TVectors.Value > 2)
        {
            sum.V2 ^= x.V2;
            sum.V3 ^= x.V3;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Chain(int output, ref Sum first, in Sum other)
    {
        if (output >= TOutputs.Value)
        {
            return;
        }

        first.V0 ^= other.V0;
        if (TVectors.Value > 1)
        {
            first.V1 ^= other.V1;
        }

        if (TVectors.Value > 2)
        {
            first.V2 ^= other.V2;
            first.V3 ^= other.V3;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOld(int output, byte** outputs, nuint at, ref Sum sum)
    {
        if (output >= TOutputs.Value)
        {
            return;
        }

        byte* target = outputs[output] + at;
        sum.V0 ^= Vector512.Load(target);
        if (TVectors.Value > 1)
        {
            sum.V1 ^= Vector512.Load(target + VectorBytes);
        }

        if (TVectors.Value > 2)
        {
            sum.V2 ^= Vector512.Load(target + 2 * VectorBytes);
            sum.V3 ^= Vector512.Load(target + 3 * VectorBytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(int output, byte** outputs, nuint at, in Sum sum)
    {
        if (output >= TOutputs.Value)
        {
            return;
        }

        byte* target = outputs[output] + at;
        if (TStream.Value == 1 || (TStream.Value == 2 && (output & 1) == 0))
        {
            sum.V0.StoreAlignedNonTemporal(target);
            if (TVectors.Value > 1)
            {
                sum.V1.StoreAlignedNonTemporal(target + VectorBytes);
            }

            return;
        }

        sum.V0.Store(target);
        if (TVectors.Value > 1)
        {
            sum.V1.Store(target + VectorBytes);
        }

        if (TVectors.Value > 2)
        {
            sum.V2.Store(target + 2 * VectorBytes);
            sum.V3.Store(target + 3 * VectorBytes);
        }
    }
}
