// HOT PATH. Budget for 8+4, per 512 data bytes: a carry-less product of 64 bytes takes the CPU two
// cycles and a checksum two of them, so checksums, not products, decide. Of 12 shards, four go
// through the crc32 instruction (8 bytes per cycle, on ports the vectors do not use), the first
// parity shard follows from the data, and seven are folded: 28 cycles, which share their ports with
// the 21 matrix products. 55 to 60 GB/s of data have been measured.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// Encoding with checksums of all shards, for 4..12 inputs and 1..4 outputs. The bytes are folded
/// into the checksums while they are in registers, so the outputs may be streamed.
/// </summary>
internal static unsafe class Gfni512CheckLoop<TInputs, TOutputs, TStream>
    where TInputs : struct, ICount
    where TOutputs : struct, ICount
    where TStream : struct, ICount
{
    private const int VectorBytes = 64;
    private const byte XorOfThree = 0x96;

    /// <summary>Inputs whose checksum the crc32 instruction makes.</summary>
    private const int Instructed = 4;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in Product pass, uint* states)
    {
        // SAFETY: To is a multiple of 64 and within the shards; the table has TOutputs entries for
        // each of TInputs inputs; states has room for both.
        ulong* table = (ulong*)pass.Table;
        byte** inputs = pass.Inputs;
        byte** outputs = pass.Outputs;
        nuint to = pass.To;
        ulong u0 = uint.MaxValue, u1 = uint.MaxValue, u2 = uint.MaxValue, u3 = uint.MaxValue;
        Vector512<ulong> c0 = default, c1 = default, c2 = default, c3 = default;
        Vector512<ulong> c4, c5, c6, c7, c8, c9, c10, c11, p1, p2, p3;
        c4 = c5 = c6 = c7 = c8 = c9 = c10 = c11 = p1 = p2 = p3 = Crc32C.InitialVector;
        for (nuint at = 0; at < to; at += VectorBytes)
        {
            Vector512<byte> s0 = default, s1 = default, s2 = default, s3 = default;
            Pair(0, table, inputs, at, ref c0, ref c1, ref s0, ref s1, ref s2, ref s3);
            Pair(2, table, inputs, at, ref c2, ref c3, ref s0, ref s1, ref s2, ref s3);
            Pair(4, table, inputs, at, ref c4, ref c5, ref s0, ref s1, ref s2, ref s3);
            Pair(6, table, inputs, at, ref c6, ref c7, ref s0, ref s1, ref s2, ref s3);
            Pair(8, table, inputs, at, ref c8, ref c9, ref s0, ref s1, ref s2, ref s3);
            Pair(10, table, inputs, at, ref c10, ref c11, ref s0, ref s1, ref s2, ref s3);
            u0 = Instruct(u0, inputs[0] + at);
            u1 = Instruct(u1, inputs[1] + at);
            u2 = Instruct(u2, inputs[2] + at);
            u3 = Instruct(u3, inputs[3] + at);
            Put(0, outputs, at, s0);
            Put(1, outputs, at, s1, ref p1);
            Put(2, outputs, at, s2, ref p2);
            Put(3, outputs, at, s3, ref p3);
        }

        // Into memory before the first call: a call keeps no vector, and sums that live across it
        // would have been written and read in every iteration.
        Vector512<ulong>* sums = stackalloc Vector512<ulong>[TInputs.Value + TOutputs.Value];
        Keep(4, c4, sums);
        Keep(5, c5, sums);
        Keep(6, c6, sums);
        Keep(7, c7, sums);
        Keep(8, c8, sums);
        Keep(9, c9, sums);
        Keep(10, c10, sums);
        Keep(11, c11, sums);
        KeepOutput(1, p1, sums);
        KeepOutput(2, p2, sums);
        KeepOutput(3, p3, sums);
        states[0] = (uint)u0;
        states[1] = (uint)u1;
        states[2] = (uint)u2;
        states[3] = (uint)u3;
        Finish(sums, states, to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(int input, Vector512<ulong> sum, Vector512<ulong>* sums)
    {
        if (input < TInputs.Value)
        {
            sums[input] = sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KeepOutput(int output, Vector512<ulong> sum, Vector512<ulong>* sums)
    {
        if (output < TOutputs.Value)
        {
            sums[TInputs.Value + output] = sum;
        }
    }

    private static void Finish(Vector512<ulong>* sums, uint* states, nuint bytes)
    {
        for (int shard = Instructed; shard < TInputs.Value + TOutputs.Value; shard++)
        {
            if (shard != TInputs.Value)
            {
                states[shard] = Crc32C.Reduce(sums[shard]);
            }
        }

        states[TInputs.Value] = FirstParity(states, bytes);
    }

    /// <summary>
    /// The first parity shard is the sum of the data, and so is its checksum, but for the initial
    /// states: an even number of them cancels out and one has to be put back.
    /// </summary>
    private static uint FirstParity(uint* dataStates, nuint bytes)
    {
        uint state = TInputs.Value % 2 == 0 ? Crc32C.AfterZeros(uint.MaxValue, (int)bytes) : 0;
        for (int input = 0; input < TInputs.Value; input++)
        {
            state ^= dataStates[input];
        }

        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(
        int input,
        ulong* table,
        byte** inputs,
        nuint at,
        ref Vector512<ulong> checkX,
        ref Vector512<ulong> checkY,
        ref Vector512<byte> s0,
        ref Vector512<byte> s1,
        ref Vector512<byte> s2,
        ref Vector512<byte> s3)
    {
        if (input >= TInputs.Value)
        {
            return;
        }

        ulong* entry = table + input * TOutputs.Value;
        Vector512<byte> x = Vector512.Load(inputs[input] + at);
        Vector512<byte> y = default;
        if (input >= Instructed)
        {
            checkX = Crc32C.FoldOnto(checkX, Crc32C.FoldVector, x.AsUInt64());
        }

        if (input + 1 < TInputs.Value)
        {
            y = Vector512.Load(inputs[input + 1] + at);
            if (input + 1 >= Instructed)
            {
                checkY = Crc32C.FoldOnto(checkY, Crc32C.FoldVector, y.AsUInt64());
            }
        }

        s0 = Avx512F.TernaryLogic(s0, x, y, XorOfThree);
        Add(1, input, entry, x, y, ref s1);
        Add(2, input, entry, x, y, ref s2);
        Add(3, input, entry, x, y, ref s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int output,
        int input,
        ulong* entry,
        Vector512<byte> x,
        Vector512<byte> y,
        ref Vector512<byte> sum)
    {
        if (output >= TOutputs.Value)
        {
            return;
        }

        // The first column of the matrix is ones. Decoding has no such column, but this loop only
        // encodes.
        Vector512<byte> product = input == 0
            ? x
            : Gfni.V512.GaloisFieldAffineTransform(
                x, Vector512.Create(entry[output]).AsByte(), 0);
        sum = input + 1 < TInputs.Value
            ? Avx512F.TernaryLogic(
                sum,
                product,
                Gfni.V512.GaloisFieldAffineTransform(
                    y, Vector512.Create(entry[TOutputs.Value + output]).AsByte(), 0),
                XorOfThree)
            : sum ^ product;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Instruct(ulong state, byte* source)
    {
        ulong* words = (ulong*)source;
        state = Sse42.X64.Crc32(state, words[0]);
        state = Sse42.X64.Crc32(state, words[1]);
        state = Sse42.X64.Crc32(state, words[2]);
        state = Sse42.X64.Crc32(state, words[3]);
        state = Sse42.X64.Crc32(state, words[4]);
        state = Sse42.X64.Crc32(state, words[5]);
        state = Sse42.X64.Crc32(state, words[6]);
        return Sse42.X64.Crc32(state, words[7]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(
        int output, byte** outputs, nuint at, Vector512<byte> sum, ref Vector512<ulong> check)
    {
        if (output < TOutputs.Value)
        {
            check = Crc32C.FoldOnto(check, Crc32C.FoldVector, sum.AsUInt64());
            Put(output, outputs, at, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(int output, byte** outputs, nuint at, Vector512<byte> sum)
    {
        if (TStream.Value > 0)
        {
            sum.StoreAlignedNonTemporal(outputs[output] + at);
        }
        else
        {
            sum.Store(outputs[output] + at);
        }
    }
}
