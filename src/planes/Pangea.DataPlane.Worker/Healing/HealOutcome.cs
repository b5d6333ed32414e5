using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>How one try to heal an object ended.</summary>
/// <param name="Fault">Why something is left to do; null where nothing is.</param>
/// <param name="Shards">Positions that were written anew.</param>
/// <param name="Bytes">Bytes of shards written.</param>
/// <param name="StillBad">Positions that were found damaged and not mended by this try.</param>
/// <param name="Available">Shards that were there to work with.</param>
internal readonly record struct HealOutcome(
    Fault? Fault, int Shards, long Bytes, ulong StillBad, int Available);
