namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>What a kernel takes at once.</summary>
/// <param name="StepBytes">Bytes of every shard that an iteration codes; a power of two, at most
/// 64.</param>
/// <param name="CoefficientBytes">Bytes a coefficient takes in the table.</param>
/// <param name="InputsMax">Inputs of a pass; more are added up in several passes over a
/// tile.</param>
/// <param name="OutputsMax">Outputs of a pass: as many as have room in the registers.</param>
/// <param name="StreamOutputsMax">The same when outputs are written past the cache.</param>
/// <param name="CanChain">Whether the kernel knows <see cref="ProductMode.Chained"/>.</param>
internal readonly record struct KernelShape(
    int StepBytes,
    int CoefficientBytes,
    int InputsMax,
    int OutputsMax,
    int StreamOutputsMax,
    bool CanChain);
