using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>An object version that waits to be healed.</summary>
/// <param name="Id">The version.</param>
/// <param name="Spare">Good shards beyond the k that a get needs; negative: cannot be
/// restored.</param>
/// <param name="SinceMs">When its loss was first seen, ms since 1970.</param>
/// <param name="BadPositions">Bit i: what position i holds was seen damaged or missing.</param>
internal readonly record struct HealItem(
    ObjectId Id, int Spare, long SinceMs, ulong BadPositions) : IComparable<HealItem>
{
    /// <summary>The closest to loss first, then who waits longest.</summary>
    public int CompareTo(HealItem other)
    {
        int order = Spare.CompareTo(other.Spare);
        order = order != 0 ? order : SinceMs.CompareTo(other.SinceMs);
        return order != 0 ? order : Id.Value.CompareTo(other.Id.Value);
    }
}
