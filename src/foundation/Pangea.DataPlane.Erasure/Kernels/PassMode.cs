namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>What a kernel does with the products it has summed.</summary>
[Flags]
internal enum PassMode
{
    /// <summary>Write them; the outputs stay in the cache.</summary>
    Write = 0,

    /// <summary>XOR them into what the outputs hold.</summary>
    Accumulate = 1,

    /// <summary>
    /// Write them past the cache, when the outputs are aligned for it. The caller orders such stores
    /// (see <see cref="CodingKernel.Multiply"/>). Never together with <see cref="Accumulate"/>.
    /// </summary>
    Stream = 2,
}
