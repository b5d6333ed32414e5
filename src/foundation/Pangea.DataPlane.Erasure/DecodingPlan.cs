using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <summary>How to make the wanted shards of one loss pattern.</summary>
/// <param name="table">The matrix in the kernel's form; the memory belongs to the cache.</param>
/// <param name="mode">What is known about the first row.</param>
/// <param name="plainInputs">See <see cref="Product.PlainInputs"/>.</param>
internal readonly unsafe struct DecodingPlan(byte* table, ProductMode mode, int plainInputs)
{
    public byte* Table { get; } = table;

    public ProductMode Mode { get; } = mode;

    public int PlainInputs { get; } = plainInputs;

    /// <summary>
    /// Indices of the inputs, then of the outputs, both ascending; the memory belongs to the cache.
    /// Walking through a set instead costs a few nanoseconds per shard and call.
    /// </summary>
    public byte* Shards { get; init; }

    /// <summary>How many shards the plan makes.</summary>
    public int Outputs { get; init; }
}
