using System.Runtime.CompilerServices;
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <summary>Finds, for a loss pattern, the matrix that makes the wanted shards from the present
/// ones.</summary>
internal sealed unsafe class DecodingPlanner(int dataShards, int parityShards, byte[] parityMatrix)
{
    // AddScaled works in whole vectors from a column that is not aligned to one.
    private const int RowSlack = 16;

    public int DataShards => dataShards;

    public int ParityShards => parityShards;

    /// <summary>
    /// The k shards to decode from: all data shards that are present, then as many parity shards as
    /// there are data shards missing. False when fewer than k shards are present.
    /// </summary>
    public bool TryChooseInputs(ShardSet present, out ShardSet inputs)
    {
        // Indices ascend, so the lowest k are the data shards and then parity shards.
        inputs = present.Lowest(dataShards);
        return inputs.Count == dataShards;
    }

    /// <summary>
    /// Writes the kernel's table for the wanted shards (rows, ascending) over the inputs (columns,
    /// ascending) and returns how to run it. <paramref name="inputs"/> has k members, none of
    /// them wanted.
    /// </summary>
    public DecodingPlan Build(ShardSet inputs, ShardSet wanted, CodingKernel kernel, byte* table)
    {
        ShardSet lost = ShardSet.Range(0, dataShards).Except(inputs);
        int lostCount = lost.Count;
        int wantedCount = wanted.Count;
        int systemStride = CodingMatrix.RowStride(lostCount + dataShards);
        int rowStride = CodingMatrix.RowStride(dataShards);

        // SAFETY: lostCount <= m and k + m <= 255, so both blocks stay below 40 KiB of stack. The
        // rows of a system and of the result are written and read within their strides, plus
        // RowSlack at the end.
        byte* system = stackalloc byte[lostCount * systemStride + RowSlack];
        byte* rows = stackalloc byte[wantedCount * rowStride + RowSlack];
        WriteSystem(inputs, lost, system, systemStride);
        CodingMatrix.Reduce(system, lostCount, systemStride);
        byte* decoding = system + lostCount;

        byte* row = rows;
        foreach (int shard in wanted)
        {
            if (shard < dataShards)
            {
                int rank = Rank(lost, shard);
                Unsafe.CopyBlockUnaligned(row, decoding + rank * systemStride, (uint)dataShards);
            }
            else
            {
                WriteParityRow(
                    shard - dataShards, inputs, lost, decoding, systemStride, row, rowStride);
            }

            row += rowStride;
        }

        int plainInputs = 0;
        if (CanChain(inputs, lost, wanted, kernel))
        {
            plainInputs = dataShards - lostCount + 1;
            new Span<byte>(rows, dataShards).Clear();
            new Span<byte>(rows, plainInputs).Fill(1);
        }

        kernel.BuildTable(rows, rowStride, dataShards, wantedCount, table);
        return plainInputs == 0
            ? new DecodingPlan(table, ProductMode.Write, 0)
            : new DecodingPlan(
                table, ProductMode.PlainFirst | ProductMode.Chained, plainInputs);
    }

    /// <summary>
    /// Whether the first lost shard can come from the first parity shard, which is the sum of all
    /// data: that takes no multiplication, but all other lost shards have to be at hand in the same
    /// pass. Its row is then ones for the present data and the first parity shard, which come first
    /// among the inputs, and the kernel adds the other lost shards. This makes decoding as fast as
    /// encoding.
    /// </summary>
    private bool CanChain(ShardSet inputs, ShardSet lost, ShardSet wanted, CodingKernel kernel) =>
        kernel.Shape.CanChain
        && wanted == lost
        && inputs.Contains(dataShards)
        && lost.Count <= kernel.Shape.OutputsMax;

    /// <summary>
    /// The equations of the chosen parity shards: factors of the lost data shards on the left, of
    /// the inputs on the right (a parity shard is 1 in its own equation). Once the left side is the
    /// unit matrix, the right side says how to make each lost shard from the inputs.
    /// </summary>
    private void WriteSystem(ShardSet inputs, ShardSet lost, byte* system, int stride)
    {
        byte* row = system;
        for (int shard = inputs.Next(dataShards); shard >= 0; shard = inputs.Next(shard + 1))
        {
            ReadOnlySpan<byte> coefficients = ParityRow(shard - dataShards);
            byte* at = row;
            foreach (int data in lost)
            {
                *at++ = coefficients[data];
            }

            foreach (int input in inputs)
            {
                *at++ = input < dataShards
                    ? coefficients[input]
                    : input == shard ? (byte)1 : (byte)0;
            }

            row += stride;
        }
    }

    /// <summary>A lost parity shard: its row over the data, with lost data replaced by how it is
    /// made.</summary>
    private void WriteParityRow(
        int parity,
        ShardSet inputs,
        ShardSet lost,
        byte* decoding,
        int decodingStride,
        byte* row,
        int rowStride)
    {
        ReadOnlySpan<byte> coefficients = ParityRow(parity);
        byte* at = row;
        foreach (int input in inputs)
        {
            *at++ = input < dataShards ? coefficients[input] : (byte)0;
        }

        foreach (int data in lost)
        {
            CodingMatrix.AddScaled(row, decoding, coefficients[data], rowStride);
            decoding += decodingStride;
        }
    }

    private ReadOnlySpan<byte> ParityRow(int parity) =>
        parityMatrix.AsSpan(parity * dataShards, dataShards);

    private static int Rank(ShardSet set, int member)
    {
        int rank = 0;
        for (int index = set.Next(0); index != member; index = set.Next(index + 1))
        {
            rank++;
        }

        return rank;
    }
}
