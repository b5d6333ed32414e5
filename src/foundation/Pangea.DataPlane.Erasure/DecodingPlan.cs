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
}
