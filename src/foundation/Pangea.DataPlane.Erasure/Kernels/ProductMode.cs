namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>Where the sums go, and what is known about the first row of the matrix.</summary>
[Flags]
internal enum ProductMode
{
    /// <summary>Write them; the outputs stay in the cache.</summary>
    Write = 0,

    /// <summary>XOR them into what the outputs hold.</summary>
    Accumulate = 1,

    /// <summary>
    /// Write them past the cache, where the outputs are aligned for it. A hint, and never together
    /// with <see cref="Accumulate"/>.
    /// </summary>
    Stream = 2,

    /// <summary>
    /// With <see cref="Stream"/>: every second output only. One core writes past the cache at half
    /// the speed at which it reads the next cache level, so with as many outputs as inputs both
    /// ways together are faster than either.
    /// </summary>
    StreamHalf = 4,

    /// <summary>
    /// The first row is ones for <see cref="Product.PlainInputs"/> inputs, then zeros, so that a
    /// kernel may add instead of multiply. The table holds these coefficients like any others.
    /// </summary>
    PlainFirst = 8,

    /// <summary>
    /// The first output also receives the sum of all other outputs. Only with <see
    /// cref="PlainFirst"/>, on kernels that can chain, and when all outputs fit one pass.
    /// </summary>
    Chained = 16,
}
