namespace Pangea.DataPlane.Erasure;

/// <summary>
/// The implementations of one multiplication, slowest first. All give the same bytes;
/// <see cref="ErasureKernels"/> says which of them this CPU has and which one is used.
/// </summary>
public enum ErasureKernel
{
    /// <summary>Plain C#: the specification of the others, and what runs where nothing else
    /// does.</summary>
    Scalar,

    /// <summary>16-byte table shuffle: SSSE3 on x86, AdvSimd (NEON) on Arm.</summary>
    Vector128,

    /// <summary>32-byte table shuffle.</summary>
    Avx2,

    /// <summary>64-byte table shuffle (AVX-512 BW).</summary>
    Avx512,

    /// <summary>32-byte bit matrix product (GFNI with AVX2).</summary>
    Gfni256,

    /// <summary>64-byte bit matrix product (GFNI with AVX-512).</summary>
    Gfni512,
}
