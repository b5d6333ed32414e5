using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How the objects of one class are kept. Counts for new objects only: what was stored says by
/// itself how it was, so that a change of configuration never breaks reading.
/// </summary>
internal sealed record ObjectClass
{
    /// <summary>The class of a put that names none.</summary>
    public const string DefaultName = "default";

    /// <summary>Most plain bytes of a small object for each data shard.</summary>
    private const int SmallBytesPerDataShard = 8192;

    private const int SmallBytesCeiling = 64 * 1024;
    private const int SmallAlignment = 64;

    /// <param name="geometry">Redundancy and stripe size of large objects.</param>
    /// <param name="compression">How hard stripes are compressed.</param>
    public ObjectClass(StripeGeometry geometry, CompressionMode compression)
    {
        Geometry = geometry;
        Compression = compression;
        SmallGeometry = SmallGeometryOf(geometry.Redundancy, geometry.StripeBytes);
    }

    public StripeGeometry Geometry { get; }

    public CompressionMode Compression { get; }

    /// <summary>
    /// How objects of at most <see cref="SmallBytes"/> are cut: one stripe, its shards packed into
    /// the commit entries.
    /// </summary>
    public StripeGeometry SmallGeometry { get; }

    public int SmallBytes => SmallBytesMax(Geometry.Redundancy.DataShards);

    /// <summary>
    /// The longest object whose shards are packed into the commit entries. A rule of the store and
    /// not of a class: what an object's shards look like follows from its length and its k.
    /// </summary>
    public static int SmallBytesMax(int dataShards) =>
        Math.Min(dataShards * SmallBytesPerDataShard, SmallBytesCeiling);

    public static StripeGeometry SmallGeometryOf(Redundancy redundancy, int stripeBytes)
    {
        // Never shorter than the longest small object, which must be one stripe.
        int bytes = Math.Max(stripeBytes, SmallBytesMax(redundancy.DataShards));
        Result<StripeGeometry> geometry =
            StripeGeometry.Create(redundancy, bytes, SmallAlignment);
        Invariant.Check(geometry.IsOk, geometry.Fault?.Message);
        return geometry.Value;
    }
}
