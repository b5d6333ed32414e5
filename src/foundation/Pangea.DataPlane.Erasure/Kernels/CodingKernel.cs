using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The one operation everything else is made of: outputs = matrix x inputs over GF(2^8), byte column by
/// byte column. A kernel says how a coefficient is stored and codes whole steps; this class cuts the
/// outputs into passes that fit the registers, the shards into tiles that fit the cache, and pads the
/// last bytes to a step. Stateless, so one instance serves every thread.
/// </summary>
internal abstract unsafe class CodingKernel
{
    /// <summary>Alignment of tables, and of the scratch for the last bytes.</summary>
    public const int Alignment = 64;

    /// <summary>Shards above this are coded tile by tile when there is more than one pass.</summary>
    private const int TileBytesMin = 512;

    /// <summary>
    /// What the inputs of a tile may take so that the second pass finds them in the first-level cache
    /// (32 KiB at least on everything with these instructions), leaving room for outputs and tables.
    /// </summary>
    private const int TileInputBytes = 24 * 1024;

    /// <summary>Bytes of every shard that one iteration codes; at most <see cref="Alignment"/>.</summary>
    public abstract int StepBytes { get; }

    /// <summary>Outputs whose sums fit the registers together.</summary>
    public abstract int OutputsPerPass { get; }

    /// <summary>Bytes a coefficient takes in the table.</summary>
    public abstract int CoefficientBytes { get; }

    /// <summary>Writes the table entry for multiplying by <paramref name="coefficient"/>.</summary>
    protected abstract void Expand(byte coefficient, byte* entry);

    /// <summary>
    /// Codes the bytes [from, to) of every shard; to - from is a positive multiple of
    /// <see cref="StepBytes"/>, outputCount at most <see cref="OutputsPerPass"/>. The table holds the
    /// entries input by input: those of one input for all outputs lie side by side.
    /// </summary>
    protected abstract void Pass(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint from,
        nuint to,
        PassMode mode);

    /// <summary>Bytes of the table for a matrix of this shape.</summary>
    public int TableBytes(int inputCount, int outputCount) =>
        inputCount * outputCount * CoefficientBytes;

    /// <summary>
    /// Writes the table of a matrix: outputCount rows, inputCount columns, row r at
    /// coefficients + r * stride.
    /// </summary>
    public void BuildTable(
        byte* coefficients, int stride, int inputCount, int outputCount, byte* table)
    {
        // SAFETY: writes exactly TableBytes(inputCount, outputCount), which the caller has room for.
        int entryBytes = CoefficientBytes;
        int first = 0;
        for (int passes = PassCount(outputCount); passes > 0; passes--)
        {
            int count = (outputCount - first) / passes;
            for (int input = 0; input < inputCount; input++)
            {
                for (int output = first; output < first + count; output++)
                {
                    Expand(coefficients[output * stride + input], table);
                    table += entryBytes;
                }
            }

            first += count;
        }
    }

    /// <summary>
    /// outputs = matrix x inputs over the first <paramref name="bytes"/> bytes of every shard. Inputs and
    /// outputs may have any alignment and must not overlap. Streamed stores are ordered before this
    /// returns, so the outputs may be handed to another thread or to the kernel.
    /// </summary>
    public void Multiply(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint bytes,
        PassMode mode)
    {
        // SAFETY: the caller vouches for inputCount and outputCount pointers to bytes bytes each, and for
        // a table made by BuildTable for the same shape. Passes stay below whole, the rest goes through
        // scratch of exactly one step per shard.
        nuint whole = bytes - bytes % (nuint)StepBytes;
        int passes = PassCount(outputCount);
        nuint tile = passes == 1 ? whole : TileBytes(inputCount);
        for (nuint from = 0; from < whole; from += tile)
        {
            nuint to = Math.Min(whole, from + tile);
            MultiplyTile(table, inputs, inputCount, outputs, outputCount, from, to, mode);
        }

        if (whole < bytes)
        {
            MultiplyRest(table, inputs, inputCount, outputs, outputCount, whole, bytes, mode);
        }

        if ((mode & PassMode.Stream) != 0 && Sse.IsSupported)
        {
            Sse.StoreFence();
        }
    }

    private void MultiplyTile(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint from,
        nuint to,
        PassMode mode)
    {
        int first = 0;
        for (int passes = PassCount(outputCount); passes > 0; passes--)
        {
            int count = (outputCount - first) / passes;
            Pass(table, inputs, inputCount, outputs + first, count, from, to, mode);
            table += TableBytes(inputCount, count);
            first += count;
        }
    }

    /// <summary>The last bytes, fewer than a step: coded in a padded copy.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MultiplyRest(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint from,
        nuint bytes,
        PassMode mode)
    {
        uint rest = (uint)(bytes - from);
        int shards = inputCount + outputCount;

        // SAFETY: one aligned step per shard; the padding keeps whatever the stack held, its products are
        // computed and never copied out.
        byte* memory = stackalloc byte[shards * Alignment + Alignment];
        byte* scratch = (byte*)(((nuint)memory + Alignment - 1) & ~(nuint)(Alignment - 1));
        byte** pointers = stackalloc byte*[shards];
        for (int shard = 0; shard < shards; shard++)
        {
            pointers[shard] = scratch + shard * Alignment;
            byte* source = shard < inputCount
                ? inputs[shard]
                : outputs[shard - inputCount];
            Unsafe.CopyBlockUnaligned(pointers[shard], source + from, rest);
        }

        MultiplyTile(
            table, pointers, inputCount, pointers + inputCount, outputCount, 0, (nuint)StepBytes,
            mode & PassMode.Accumulate);
        for (int output = 0; output < outputCount; output++)
        {
            Unsafe.CopyBlockUnaligned(outputs[output] + from, pointers[inputCount + output], rest);
        }
    }

    private int PassCount(int outputCount) => (outputCount + OutputsPerPass - 1) / OutputsPerPass;

    private static nuint TileBytes(int inputCount)
    {
        int tile = TileInputBytes / inputCount & -TileBytesMin;
        return (nuint)Math.Max(tile, TileBytesMin);
    }
}
