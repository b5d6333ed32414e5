using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>The <c>compression</c> setting of an object class.</summary>
public enum CompressionMode : byte
{
    /// <summary>Never compress.</summary>
    None,

    /// <summary>Level 3 for what may shrink; the default.</summary>
    Balanced,

    /// <summary>The best level for data at rest: 9 for text, 6 for binaries, 1 for
    /// images.</summary>
    Archive,

    /// <summary>As archive, but the level gives way while the pipeline is behind its
    /// input.</summary>
    Adaptive,
}

/// <summary>Chooses the level by mode and file type; stripes are probed besides by the
/// codec.</summary>
public static class CompressionPolicy
{
    public static CompressionLevel Choose(CompressionMode mode, FileType type)
    {
        FileClass kind = FileTypeTable.ClassOf(type);
        if (mode == CompressionMode.None || kind == FileClass.Compressed)
        {
            return CompressionLevel.Skip;
        }

        if (kind == FileClass.Image)
        {
            return CompressionLevel.Fast;
        }

        bool isAtRest = mode is CompressionMode.Archive or CompressionMode.Adaptive;
        return !isAtRest ? CompressionLevel.Balanced
            : kind == FileClass.Text ? CompressionLevel.Dense
            : CompressionLevel.Binary;
    }

    /// <summary>The names of the configuration: none, balanced, archive, adaptive.</summary>
    public static Result<CompressionMode> Parse(string text) => text switch
    {
        "none" => CompressionMode.None,
        "balanced" => CompressionMode.Balanced,
        "archive" => CompressionMode.Archive,
        "adaptive" => CompressionMode.Adaptive,
        _ => Fault.InvalidParameter(
            "compression",
            $"compression '{text}' is unknown",
            "none, balanced, archive or adaptive"),
    };
}
