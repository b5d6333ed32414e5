using System.Text.Json;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>The part of a reply that statistics are made of.</summary>
/// <param name="Id">The call's number.</param>
/// <param name="Code">0, or the code of the error.</param>
/// <param name="Bytes">The result's member <c>bytes</c>; 0 where there is none.</param>
public readonly record struct RpcOutcome(long Id, int Code, long Bytes)
{
    /// <summary>Reads a reply of ours; false where its id is no number.</summary>
    public static bool TryRead(ReadOnlySpan<byte> line, out RpcOutcome outcome)
    {
        outcome = default;
        var reader = new Utf8JsonReader(line.TrimEnd((byte)'\n'));
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        bool hasId = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                hasId = reader.Read() && reader.TokenType == JsonTokenType.Number
                    && reader.TryGetInt64(out long id)
                    && (outcome = outcome with { Id = id }).Id == id;
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                outcome = outcome with { Code = (int)Member(ref reader, "code"u8) };
                return hasId;
            }
            else if (reader.ValueTextEquals("result"u8))
            {
                outcome = outcome with { Bytes = Member(ref reader, "bytes"u8) };
                return hasId;
            }
            else
            {
                reader.Skip();
            }
        }

        return hasId;
    }

    /// <summary>A number inside the object that follows; 0 where it is not there.</summary>
    private static long Member(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return 0;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool found = reader.ValueTextEquals(name);
            if (!reader.Read())
            {
                return 0;
            }

            if (found)
            {
                return reader.TokenType == JsonTokenType.Number
                    && reader.TryGetInt64(out long number) ? number : 0;
            }

            reader.Skip();
        }

        return 0;
    }
}
