using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>How <see cref="CesEncoder"/> stores an object; the defaults are the
/// appliance's.</summary>
public sealed record CesOptions
{
    public const int HeaderStrideMin = StripeCodec.HeaderBytes;
    public const int HeaderStrideMax = 4096;

    public Redundancy Redundancy { get; init; } = Redundancy.Default;

    /// <summary>Plain bytes of a stripe.</summary>
    public int StripeBytes { get; init; } = Limits.StripeBytesDefault;

    /// <summary>Multiple of every shard payload; 4096 where direct I/O will read it.</summary>
    public int ShardAlignment { get; init; } = 64;

    /// <summary>Bytes from a shard header to its payload; 4096 where direct I/O will read
    /// it.</summary>
    public int HeaderStride { get; init; } = HeaderStrideMin;

    public CompressionMode Compression { get; init; } = CompressionMode.Balanced;

    /// <summary>Kept in the manifest; its extension helps to choose the compression.</summary>
    public string Name { get; init; } = "object";

    /// <summary>Fixed for golden files only: an id used twice with one key breaks the
    /// cipher.</summary>
    internal ObjectId? ObjectId { get; init; }

    internal DateTimeOffset? Created { get; init; }

    internal Result<StripeGeometry> Geometry() =>
        HeaderStride is < HeaderStrideMin or > HeaderStrideMax || HeaderStride % 16 != 0
            ? Fault.InvalidParameter(
                "headerStride",
                $"a multiple of 16 from {HeaderStrideMin} to {HeaderStrideMax} is needed, "
                    + $"not {HeaderStride}")
            : StripeGeometry.Create(Redundancy, StripeBytes, ShardAlignment);
}
