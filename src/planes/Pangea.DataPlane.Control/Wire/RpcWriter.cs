using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// Writes lines, each with its newline. Ids are raw JSON text (see <see cref="RpcIds"/>).
/// </summary>
public static class RpcWriter
{
    /// <summary>A call.</summary>
    public static byte[] Request<TParameters, TResult>(
        ReadOnlySpan<byte> id, RpcMethod<TParameters, TResult> method, TParameters parameters) =>
        Call(id, method.Name, Serialize(parameters, method.ParametersJson));

    /// <summary>A call whose parameters are JSON already; empty means none.</summary>
    public static byte[] RequestRaw(
        ReadOnlySpan<byte> id, string method, ReadOnlySpan<byte> parameters) =>
        Call(id, method, parameters);

    /// <summary>A call that gets no reply.</summary>
    public static byte[] Notification<TParameters>(
        string method, TParameters parameters, JsonTypeInfo<TParameters> type) =>
        Call(default, method, Serialize(parameters, type));

    /// <summary>A reply with the method's result.</summary>
    public static byte[] Result<TParameters, TResult>(
        ReadOnlySpan<byte> id, RpcMethod<TParameters, TResult> method, TResult result) =>
        ResultRaw(id, Serialize(result, method.ResultJson));

    /// <summary>A reply whose result is JSON already.</summary>
    public static byte[] ResultRaw(ReadOnlySpan<byte> id, ReadOnlySpan<byte> result) =>
        [.. "{\"jsonrpc\":\"2.0\",\"id\":"u8, .. id, .. ",\"result\":"u8, .. result, .. "}\n"u8];

    /// <summary>A reply with an error.</summary>
    public static byte[] Error(ReadOnlySpan<byte> id, Fault fault) =>
        [.. "{\"jsonrpc\":\"2.0\",\"id\":"u8, .. id, .. ",\"error\":"u8, .. RpcErrors.Write(fault),
            .. "}\n"u8];

    /// <summary>The same line with another id; the message must have one.</summary>
    public static byte[] WithId(RpcMessage message, ReadOnlySpan<byte> id)
    {
        Invariant.Check(!message.Id.IsEmpty);
        return Splice(message.Line, message.Id, id);
    }

    /// <summary>
    /// The same notification with another value of its parameter <c>id</c>: how progress finds its
    /// way from the worker's numbering to the caller's. Null where the parameter is not there.
    /// </summary>
    public static byte[]? WithCallId(RpcMessage notification, ReadOnlySpan<byte> id)
    {
        ReadOnlyMemory<byte> old = CallId(notification);
        return old.IsEmpty ? null : Splice(notification.Line, old, id);
    }

    /// <summary>
    /// The raw value of a call's parameter <c>id</c>; empty where it is not there.
    /// </summary>
    public static ReadOnlyMemory<byte> CallId(RpcMessage call)
    {
        if (call.Parameters.IsEmpty)
        {
            return default;
        }

        var reader = new Utf8JsonReader(call.Parameters.Span, ControlJsonText.Reading);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool found = reader.ValueTextEquals("id"u8);
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (found)
            {
                return call.Parameters[start..(int)reader.BytesConsumed];
            }
        }

        return default;
    }

    private static byte[] Call(ReadOnlySpan<byte> id, string method, ReadOnlySpan<byte> parameters)
    {
        // A raw method name from a command line may need escaping; our own never does.
        var name = new ArrayBufferWriter<byte>(method.Length + 2);
        using (var writer = new Utf8JsonWriter(name, ControlJsonText.Writing))
        {
            writer.WriteStringValue(method);
        }

        ReadOnlySpan<byte> idMember = id.IsEmpty ? [] : "\"id\":"u8;
        ReadOnlySpan<byte> comma = id.IsEmpty ? [] : ","u8;
        ReadOnlySpan<byte> parametersMember = parameters.IsEmpty ? [] : ",\"params\":"u8;
        return [.. "{\"jsonrpc\":\"2.0\","u8, .. idMember, .. id, .. comma, .. "\"method\":"u8,
            .. name.WrittenSpan, .. parametersMember, .. parameters, .. "}\n"u8];
    }

    private static byte[] Splice(
        ReadOnlyMemory<byte> line, ReadOnlyMemory<byte> part, ReadOnlySpan<byte> replacement)
    {
        ReadOnlySpan<byte> whole = line.Span;
        bool inside = whole.Overlaps(part.Span, out int start);
        Invariant.Check(inside);
        return [.. whole[..start], .. replacement, .. whole[(start + part.Length)..], (byte)'\n'];
    }

    private static ReadOnlySpan<byte> Serialize<T>(T value, JsonTypeInfo<T> type)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, ControlJsonText.Writing))
        {
            JsonSerializer.Serialize(writer, value, type);
        }

        return buffer.WrittenSpan;
    }
}
