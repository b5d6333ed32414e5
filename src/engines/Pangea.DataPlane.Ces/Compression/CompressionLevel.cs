namespace Pangea.DataPlane.Ces;

/// <summary>How hard to try on one stripe: nothing, or a libzstd level.</summary>
/// <param name="Zstd">0 stores the stripe as it is; 1 to 19 are libzstd's levels.</param>
public readonly record struct CompressionLevel(int Zstd)
{
    public const int ZstdMax = 19;

    public static readonly CompressionLevel Skip = new(0);
    public static readonly CompressionLevel Fast = new(1);
    public static readonly CompressionLevel Balanced = new(3);
    public static readonly CompressionLevel Binary = new(6);
    public static readonly CompressionLevel Dense = new(9);

    public bool IsSkip => Zstd == 0;
}
