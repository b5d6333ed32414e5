// HOT PATH. See Avx2Kernel.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The loop of <see cref="Avx2Kernel"/> for a fixed number of inputs (1..12) and outputs (1..4).
/// TPlain is One when the first row of the matrix is ones and zeros, else Zero.
/// </summary>
internal static unsafe class Avx2Loop<TInputs, TOutputs, TPlain>
    where TInputs : struct, ICount
    where TOutputs : struct, ICount
    where TPlain : struct, ICount
{
    private const int VectorBytes = 32;
    private const int HalfBytes = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Product pass)
    {
        // SAFETY: From..To is a multiple of 32 and lies within the shards; the table has an entry
        // for every input and output of the pass.
        byte* table = pass.Table;
        int stride = pass.TableStride * Galois.NibbleTableBytes;
        byte** inputs = pass.Inputs;
        byte** outputs = pass.Outputs;
        int plainInputs = pass.PlainInputs;
        bool accumulate = pass.Has(ProductMode.Accumulate);
        bool chained = pass.Has(ProductMode.Chained);
        nuint to = pass.To;
        for (nuint at = pass.From; at < to; at += VectorBytes)
        {
            Vector256<byte> s0 = default, s1 = default, s2 = default, s3 = default;
            Add(0, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(1, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(2, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(3, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(4, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(5, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(6, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(7, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(8, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(9, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(10, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            Add(11, table, stride, inputs, at, plainInputs, ref s0, ref s1, ref s2, ref s3);
            if (TPlain.Value > 0 && chained)
            {
                s0 ^= s1 ^ s2 ^ s3;
            }

            Put(0, outputs, at, s0, accumulate);
            Put(1, outputs, at, s1, accumulate);
            Put(2, outputs, at, s2, accumulate);
            Put(3, outputs, at, s3, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int input,
        byte* table,
        int stride,
        byte** inputs,
        nuint at,
        int plainInputs,
        ref Vector256<byte> s0,
        ref Vector256<byte> s1,
        ref Vector256<byte> s2,
        ref Vector256<byte> s3)
    {
        if (input >= TInputs.Value)
        {
            return;
        }

        byte* entry = table + input * stride;
        Vector256<byte> nibble = Vector256.Create((byte)0x0F);
        Vector256<byte> value = Vector256.Load(inputs[input] + at);
        Vector256<byte> low = value & nibble;
        Vector256<byte> high = (value.AsUInt16() >> 4).AsByte() & nibble;
        if (TPlain.Value == 0)
        {
            s0 ^= Product(entry, low, high);
        }
        else if (input < plainInputs)
        {
            s0 ^= value;
        }

        if (TOutputs.Value > 1)
        {
            s1 ^= Product(entry + Galois.NibbleTableBytes, low, high);
        }

        if (TOutputs.Value > 2)
        {
            s2 ^= Product(entry + 2 * Galois.NibbleTableBytes, low, high);
        }

        if (TOutputs.Value > 3)
        {
            s3 ^= Product(entry + 3 * Galois.NibbleTableBytes, low, high);
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
    private static void Put(
        int output, byte** outputs, nuint at, Vector256<byte> sum, bool accumulate)
    {
        if (output >= TOutputs.Value)
        {
            return;
        }

        byte* target = outputs[output] + at;
        if (accumulate)
        {
            sum ^= Vector256.Load(target);
        }

        sum.Store(target);
    }
}
