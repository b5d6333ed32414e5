using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>How the protocol writes and reads JSON text.</summary>
public static class ControlJsonText
{
    /// <summary>
    /// Nesting deeper than this is refused: the deepest record of the protocol has four levels.
    /// </summary>
    public const int DepthMax = 32;

    /// <summary>
    /// Names stay readable UTF-8; our text never goes into HTML, so only JSON's own escapes are
    /// needed.
    /// </summary>
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>One line without a byte of white space.</summary>
    public static readonly JsonWriterOptions Writing = new() { Encoder = Encoder };

    /// <summary>RFC 8259 as it stands: no comments, no trailing commas.</summary>
    public static readonly JsonReaderOptions Reading = new()
    {
        MaxDepth = DepthMax,
        CommentHandling = JsonCommentHandling.Disallow,
        AllowTrailingCommas = false,
    };
}
