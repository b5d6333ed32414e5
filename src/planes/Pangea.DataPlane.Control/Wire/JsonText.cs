using System.Text.Json;
using System.Text.Unicode;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// Checks that bytes are one JSON text that every reader understands alike: valid UTF-8, no lone
/// surrogates, no member named twice (RFC 8259 section 4 leaves those to chance, so two programs
/// could see two different calls), nesting bounded.
/// </summary>
public static class JsonText
{
    /// <summary>Why the text is refused, or null.</summary>
    public static string? Check(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
        {
            return "not valid UTF-8";
        }

        var reader = new Utf8JsonReader(text, ControlJsonText.Reading);
        try
        {
            return Walk(text, ref reader);
        }
        catch (JsonException e)
        {
            return e.LineNumber is > 0
                ? $"malformed JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine}"
                : $"malformed JSON at byte {e.BytePositionInLine}";
        }
        catch (InvalidOperationException)
        {
            // The reader's way to report an escape such as \ud800 that is half a character.
            return "a string holds half of a surrogate pair";
        }
    }

    private static string? Walk(ReadOnlySpan<byte> text, ref Utf8JsonReader reader)
    {
        var names = new MemberNames(
            text, stackalloc (int, int)[64], stackalloc int[ControlJsonText.DepthMax + 1]);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    names.Open();
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    names.Close();
                    break;
                case JsonTokenType.PropertyName:
                    if (!names.TryAdd(reader))
                    {
                        return $"member '{Shorten(reader.GetString()!)}' appears twice";
                    }

                    break;
                case JsonTokenType.String when reader.ValueIsEscaped:
                    // Only unescaping finds half a surrogate pair.
                    _ = reader.GetString();
                    break;
            }
        }

        return null;
    }

    /// <summary>
    /// A name from outside, short enough for a message and free of control characters.
    /// </summary>
    internal static string Shorten(string name)
    {
        string text = name.Length <= 64 ? name : name[..64] + "...";
        return string.Create(text.Length, text, (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                // A cut may leave half a pair, which could not be written as JSON again.
                bool bad = char.IsControl(source[i]) || char.IsSurrogate(source[i]);
                span[i] = bad ? '?' : source[i];
            }
        });
    }
}
