using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// What a manifest is written from, without an object on the heap; see <see cref="Manifest"/> for
/// what each part means.
/// </summary>
public readonly ref struct ManifestParts
{
    public required ObjectName Name { get; init; }

    public required ObjectId ObjectId { get; init; }

    /// <summary>Milliseconds since 1970, UTC.</summary>
    public required long CreatedMs { get; init; }

    public required long Bytes { get; init; }

    /// <summary>32 bytes.</summary>
    public required ReadOnlySpan<byte> ContentHash { get; init; }

    public required StripeGeometry Geometry { get; init; }

    public required int HeaderStride { get; init; }

    public required FileType FileType { get; init; }

    /// <summary>Of an object of one stripe, as it was encoded; null where it has none.</summary>
    public StripeInfo? OnlyStripe { get; init; }

    /// <summary>Of any other object.</summary>
    public StripeTable? Stripes { get; init; }

    /// <summary>k + m ids.</summary>
    public required ReadOnlySpan<UInt128> Devices { get; init; }

    internal int StripeCount => Stripes?.Count ?? (OnlyStripe is null ? 0 : 1);
}

/// <summary>
/// What a reader of an object of at most one stripe needs of its manifest, without an object on the
/// heap.
/// </summary>
/// <param name="ObjectId">Whose it is.</param>
/// <param name="KeyId">The key that it is sealed with.</param>
/// <param name="Bytes">Length of the content.</param>
/// <param name="Geometry">How it is cut.</param>
/// <param name="Stripe">Its stripe; null for an empty object.</param>
/// <param name="ContentHash">SHA-256 of the content.</param>
public readonly record struct PackedManifest(
    ObjectId ObjectId,
    KeyId KeyId,
    long Bytes,
    StripeGeometry Geometry,
    StripeInfo? Stripe,
    ContentHash ContentHash);
