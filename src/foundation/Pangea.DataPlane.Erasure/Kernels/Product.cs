using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// One multiplication: outputs = matrix x inputs over the bytes [From, To) of every shard. The same
/// type describes the whole and the passes it is cut into.
/// </summary>
internal readonly unsafe ref struct Product
{
    /// <summary>
    /// Entries of the matrix in the kernel's form (<see cref="CodingKernel.BuildTable"/>), input by
    /// input: those of one input for all outputs lie side by side.
    /// </summary>
    public required byte* Table { get; init; }

    /// <summary>Entries from one input to the next: the outputs of the whole.</summary>
    public required int TableStride { get; init; }

    /// <summary>The input shards; any alignment, none overlapping an output.</summary>
    public required byte** Inputs { get; init; }

    public required int InputCount { get; init; }

    /// <summary>The output shards; any alignment.</summary>
    public required byte** Outputs { get; init; }

    public required int OutputCount { get; init; }

    public nuint From { get; init; }

    public required nuint To { get; init; }

    public required ProductMode Mode { get; init; }

    /// <summary>
    /// With <see cref="ProductMode.PlainFirst"/>: the first row is ones for this many inputs, then
    /// zeros.
    /// </summary>
    public int PlainInputs { get; init; }

    /// <summary>
    /// Asks for the first bytes of every input at once: until the prefetchers have recognised the
    /// streams, each would wait for memory on its own.
    /// </summary>
    public void PrefetchInputs()
    {
        const int CacheLineBytes = 64;
        const int FirstBytes = 4 * CacheLineBytes;

        // SAFETY: a prefetch of an address that is not mapped does nothing.
        for (int input = 0; Sse.IsSupported && input < InputCount; input++)
        {
            for (nuint at = From; at < From + FirstBytes; at += CacheLineBytes)
            {
                Sse.PrefetchNonTemporal(Inputs[input] + at);
            }
        }
    }

    public bool Has(ProductMode flag) => (Mode & flag) != 0;

    /// <summary>Whether stores that need aligned addresses may be used.</summary>
    public bool OutputsAreAligned(uint alignment)
    {
        nuint bits = From;
        for (int output = 0; output < OutputCount; output++)
        {
            bits |= (nuint)Outputs[output];
        }

        return bits % alignment == 0;
    }
}
