using System.Buffers.Text;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>Ids of calls as raw JSON text.</summary>
public static class RpcIds
{
    /// <summary>Longest id accepted, as written.</summary>
    public const int BytesMax = 256;

    /// <summary>The id of a reply to a line whose own id could not be told.</summary>
    public static ReadOnlyMemory<byte> Null { get; } = "null"u8.ToArray();

    /// <summary>The raw text of one of our own ids.</summary>
    public static byte[] Write(long id)
    {
        byte[] text = new byte[20];
        Utf8Formatter.TryFormat(id, text, out int bytes);
        return text[..bytes];
    }

    /// <summary>Reads an id that <see cref="Write"/> made.</summary>
    public static bool TryParse(ReadOnlySpan<byte> id, out long number) =>
        Utf8Parser.TryParse(id, out number, out int used) && used == id.Length;
}
