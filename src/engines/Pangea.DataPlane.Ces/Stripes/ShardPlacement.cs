namespace Pangea.DataPlane.Ces;

/// <summary>
/// Which position (device, file, stream) holds which shard: turned by one with every stripe, so
/// that parity does not always fall on the same ones. Part of the format: docs/shard-format.md,
/// section 7.
/// </summary>
public static class ShardPlacement
{
    public static int PositionOf(ulong stripeIndex, int shardIndex, int totalShards) =>
        (int)((stripeIndex + (ulong)shardIndex) % (ulong)totalShards);

    /// <summary>The inverse: which shard of a stripe lies at a position.</summary>
    public static int ShardAt(ulong stripeIndex, int position, int totalShards) =>
        (int)(((ulong)position + (ulong)totalShards - (stripeIndex % (ulong)totalShards))
            % (ulong)totalShards);
}
