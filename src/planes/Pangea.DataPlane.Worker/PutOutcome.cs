using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>What a put came to, as a value; <see cref="ObjectPutResult"/> is its record.</summary>
/// <param name="Name">Of the object.</param>
/// <param name="Id">The new version.</param>
/// <param name="Bytes">Length of the content.</param>
/// <param name="StoredBytes">What it takes on all devices.</param>
/// <param name="Stripes">How many.</param>
/// <param name="Hash">Of the content.</param>
/// <param name="Replaced">An earlier version was visible.</param>
/// <param name="DevicesCommitted">Devices that have it durably.</param>
/// <param name="DevicesTotal">k + m.</param>
/// <param name="ExpiresMs">Milliseconds since 1970; 0 where it stays.</param>
internal readonly record struct PutOutcome(
    ObjectName Name,
    ObjectId Id,
    long Bytes,
    long StoredBytes,
    long Stripes,
    ContentHash Hash,
    bool Replaced,
    int DevicesCommitted,
    int DevicesTotal,
    long ExpiresMs)
{
    public ObjectPutResult ToResult() => new()
    {
        Name = Name.Text,
        Id = Id.ToString(),
        Bytes = Bytes,
        StoredBytes = StoredBytes,
        Stripes = Stripes,
        Sha256 = Hash.ToString(),
        Replaced = Replaced,
        DevicesCommitted = DevicesCommitted,
        DevicesTotal = DevicesTotal,
        Expires = ObjectReports.TimeOf(ExpiresMs),
    };
}
