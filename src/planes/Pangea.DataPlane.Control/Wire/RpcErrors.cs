using System.Buffers;
using System.Text.Json;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>The error object of a reply, from and to a <see cref="Fault"/>.</summary>
public static class RpcErrors
{
    /// <summary>The code's name on the wire, for example "notFound".</summary>
    public static string Name(FaultCode code)
    {
        string name = code.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    /// <summary>The error object as JSON.</summary>
    public static ReadOnlySpan<byte> Write(Fault fault)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, ControlJsonText.Writing))
        {
            writer.WriteStartObject();
            writer.WriteNumber("code"u8, (int)fault.Code);
            writer.WriteString("message"u8, fault.Message);
            writer.WriteStartObject("data"u8);
            writer.WriteString("name"u8, Name(fault.Code));
            if (fault.Hint is not null)
            {
                writer.WriteString("hint"u8, fault.Hint);
            }

            if (fault.Field is not null)
            {
                writer.WriteString("field"u8, fault.Field);
            }

            if (fault.Errno != 0)
            {
                writer.WriteNumber("errno"u8, fault.Errno);
            }

            writer.WriteBoolean("retryable"u8, fault.IsRetryable);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan;
    }

    /// <summary>
    /// The fault of an error reply; null for any other message. Tolerant: an error object that is
    /// not ours becomes <see cref="FaultCode.Internal"/> with what could be read.
    /// </summary>
    public static Fault? Read(RpcMessage message)
    {
        if (message.Kind != RpcKind.Error)
        {
            return null;
        }

        JsonElement error = JsonElement.Parse(
            message.Body.Span, new JsonDocumentOptions { MaxDepth = ControlJsonText.DepthMax });
        FaultCode code = FaultCode.Internal;
        if (Member(error, "code", JsonValueKind.Number) is { } number
            && number.TryGetInt32(out int value) && Enum.IsDefined((FaultCode)value))
        {
            code = (FaultCode)value;
        }

        string text = Member(error, "message", JsonValueKind.String)?.GetString()
            ?? "error without a message";
        JsonElement? data = Member(error, "data", JsonValueKind.Object);
        int errno = 0;
        _ = Member(data, "errno", JsonValueKind.Number)?.TryGetInt32(out errno);
        return new Fault(
            code,
            text,
            Member(data, "hint", JsonValueKind.String)?.GetString(),
            Member(data, "field", JsonValueKind.String)?.GetString(),
            errno);
    }

    private static JsonElement? Member(JsonElement? parent, string name, JsonValueKind kind) =>
        parent is { ValueKind: JsonValueKind.Object } element
        && element.TryGetProperty(name, out JsonElement member) && member.ValueKind == kind
            ? member
            : null;
}
