using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>What a get found on its way, beside the content.</summary>
/// <param name="Hash">Of the whole content.</param>
/// <param name="Stripes">Stripes of the object.</param>
/// <param name="StripesRepaired">Stripes that parity was needed for.</param>
/// <param name="ShardsLost">Shards that were missing or damaged.</param>
internal readonly record struct GetFindings(
    ContentHash Hash, long Stripes, long StripesRepaired, long ShardsLost);

/// <summary>What a get came to, as a value; <see cref="ObjectGetResult"/> is its record.</summary>
/// <param name="Name">Of the object.</param>
/// <param name="Id">Its version.</param>
/// <param name="Bytes">Length of the whole content.</param>
/// <param name="Range">What was written.</param>
/// <param name="Found">On the way.</param>
internal readonly record struct GetOutcome(
    ObjectName Name, ObjectId Id, long Bytes, GetRange Range, GetFindings Found)
{
    public ObjectGetResult ToResult() => new()
    {
        Name = Name.Text,
        Id = Id.ToString(),
        Bytes = Bytes,
        Sha256 = Found.Hash.ToString(),
        Stripes = Found.Stripes,
        StripesRepaired = Found.StripesRepaired,
        ShardsLost = Found.ShardsLost,
        Offset = Range.IsWhole ? null : Range.Offset,
        Length = Range.IsWhole ? null : Range.Bytes,
    };
}
