using Pangea.DataPlane.Ces;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How the objects of one class are kept. Counts for new objects only: what was stored says by
/// itself how it was, so that a change of configuration never breaks reading.
/// </summary>
/// <param name="Geometry">Redundancy and stripe size.</param>
/// <param name="Compression">How hard stripes are compressed.</param>
internal sealed record ObjectClass(StripeGeometry Geometry, CompressionMode Compression)
{
    /// <summary>The class of a put that names none.</summary>
    public const string DefaultName = "default";
}
