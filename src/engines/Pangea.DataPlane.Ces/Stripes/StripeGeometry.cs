using System.Numerics;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>How the stripes of an object are cut; fixed for the whole object and kept in its
/// manifest.</summary>
public readonly record struct StripeGeometry
{
    // The largest header stride that a manifest may name.
    private const int HeaderBlockBytesMax = 64 * 1024;

    private StripeGeometry(Redundancy redundancy, int stripeBytes, int shardAlignment)
    {
        Redundancy = redundancy;
        StripeBytes = stripeBytes;
        ShardAlignment = shardAlignment;
        ShardBytesMax = ShardBytesFor(stripeBytes);
    }

    public Redundancy Redundancy { get; }

    /// <summary>Plain bytes of every stripe but the last, which may be shorter.</summary>
    public int StripeBytes { get; }

    /// <summary>Shard payloads are multiples of this power of two: 4096 for direct I/O, 64 in
    /// memory.</summary>
    public int ShardAlignment { get; }

    /// <summary>Payload bytes of one shard of a full stripe that does not shrink.</summary>
    public int ShardBytesMax { get; }

    /// <summary>Payload of all k + m shards at their largest: what a stripe buffer must
    /// hold.</summary>
    public int PayloadBytesMax => ShardBytesMax * Redundancy.TotalShards;

    /// <summary>
    /// Checks the bounds: 4 KiB to 16 MiB a stripe, alignment a power of two up to 4096, and all
    /// shards of a stripe with their headers in one buffer.
    /// </summary>
    public static Result<StripeGeometry> Create(
        Redundancy redundancy, int stripeBytes, int shardAlignment)
    {
        Result<Redundancy> valid =
            Redundancy.Create(redundancy.DataShards, redundancy.ParityShards);
        if (!valid.IsOk)
        {
            return valid.Fault;
        }

        if (stripeBytes is < Limits.StripeBytesMin or > Limits.StripeBytesMax)
        {
            return Fault.InvalidParameter(
                "stripeBytes",
                $"a stripe has {Limits.StripeBytesMin} to {Limits.StripeBytesMax} bytes, "
                    + $"not {stripeBytes}",
                $"the default is {Limits.StripeBytesDefault}");
        }

        if (shardAlignment is < 1 or > 4096 || !BitOperations.IsPow2(shardAlignment))
        {
            return Fault.InvalidParameter(
                "shardAlignment", $"a power of two from 1 to 4096 is needed, not {shardAlignment}");
        }

        var geometry = new StripeGeometry(redundancy, stripeBytes, shardAlignment);
        long bufferBytes =
            ((long)geometry.ShardBytesMax + HeaderBlockBytesMax) * redundancy.TotalShards;
        return bufferBytes <= Array.MaxLength
            ? geometry
            : Fault.InvalidParameter(
                "redundancy",
                $"{redundancy} shards of a stripe of {stripeBytes} bytes need {bufferBytes} bytes, "
                    + $"at most {Array.MaxLength} fit into one buffer",
                "choose a smaller stripeBytes, or fewer parity shards");
    }

    /// <summary>Payload bytes of one shard for a stripe of that many stored bytes; 0 for an empty
    /// one.</summary>
    public int ShardBytesFor(int storedBytes)
    {
        int k = Redundancy.DataShards;
        int bytes = (storedBytes + k - 1) / k;
        return (bytes + ShardAlignment - 1) & -ShardAlignment;
    }

    /// <summary>Stripes of an object of that many bytes; an empty object has none.</summary>
    public long StripesFor(long objectBytes) => (objectBytes + StripeBytes - 1) / StripeBytes;
}
