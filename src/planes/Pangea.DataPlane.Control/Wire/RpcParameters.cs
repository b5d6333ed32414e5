using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// Checks the parameters of a call against the method table, so that every error names its field
/// ("devices[2].path"), and turns them into the method's record.
/// </summary>
public static class RpcParameters
{
    /// <summary>The fault of the first parameter that does not fit the table, or null.</summary>
    public static Fault? Check(RpcMethod method, RpcMessage call)
    {
        if (call.Parameters.IsEmpty)
        {
            return Missing(method.Parameters, 0, "", method);
        }

        var reader = new Utf8JsonReader(call.Parameters.Span, ControlJsonText.Reading);
        reader.Read();
        return CheckRecord(ref reader, method.Parameters, "", method);
    }

    /// <summary>The parameters as the method's record, or the fault that names the field.</summary>
    public static Result<TParameters> Read<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method, RpcMessage call)
    {
        if (Check(method, call) is { } fault)
        {
            return fault;
        }

        ReadOnlySpan<byte> json = call.Parameters.IsEmpty ? "{}"u8 : call.Parameters.Span;
        return Deserialize(json, method.ParametersJson, method.Name);
    }

    /// <summary>
    /// The result of a reply as the method's record, or the fault of an error reply.
    /// </summary>
    public static Result<TResult> ReadResult<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method, RpcMessage reply) =>
        RpcErrors.Read(reply) is { } fault
            ? fault
            : Deserialize(reply.Body.Span, method.ResultJson, method.Name);

    /// <summary>The parameters of a notification as a record.</summary>
    public static Result<T> ReadNotification<T>(RpcMessage notification, JsonTypeInfo<T> type) =>
        Deserialize(
            notification.Parameters.IsEmpty ? "{}"u8 : notification.Parameters.Span,
            type,
            notification.Method);

    internal static void Fuzz(RpcMessage message)
    {
        RpcMethod? method = RpcMethods.Find(message.Method) ?? WorkerMethods.Find(message.Method);
        if (method is null)
        {
            return;
        }

        if (Check(method, message) is null)
        {
            // What passed the table must suit the record: the two must not drift apart.
            ReadOnlySpan<byte> json = message.Parameters.IsEmpty ? "{}"u8 : message.Parameters.Span;
            Invariant.Check(JsonSerializer.Deserialize(json, method.ParametersType) is not null);
        }
    }

    private static Result<T> Deserialize<T>(
        ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string method)
    {
        try
        {
            T? value = JsonSerializer.Deserialize(json, type);
            return value is null
                ? new Fault(FaultCode.Internal, $"{method}: null where a record was expected")
                : value;
        }
        catch (JsonException e)
        {
            return new Fault(
                FaultCode.Internal,
                $"{method}: cannot read {type.Type.Name} at {e.Path}",
                "client and appliance may be of different versions");
        }
    }

    private static Fault? CheckRecord(
        ref Utf8JsonReader reader, IReadOnlyList<RpcField> fields, string path, RpcMethod method)
    {
        ulong seen = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int index = IndexOf(fields, ref reader);
            if (index < 0)
            {
                return Unknown(fields, path + JsonText.Shorten(reader.GetString()!), method);
            }

            seen |= 1UL << index;
            RpcField field = fields[index];
            reader.Read();
            Fault? fault = CheckValue(
                ref reader, field, path.Length == 0 ? field.Name : path + field.Name, method);
            if (fault is not null)
            {
                return fault;
            }
        }

        return Missing(fields, seen, path, method);
    }

    private static int IndexOf(IReadOnlyList<RpcField> fields, ref Utf8JsonReader reader)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            if (reader.ValueTextEquals(fields[i].Name))
            {
                return i;
            }
        }

        return -1;
    }

    private static Fault? CheckValue(
        ref Utf8JsonReader reader, RpcField field, string path, RpcMethod method)
    {
        JsonTokenType token = reader.TokenType;
        if (token == JsonTokenType.Null && field.Nullable)
        {
            return null;
        }

        switch (field.Type)
        {
            case RpcType.Text or RpcType.Time:
                return token == JsonTokenType.String
                    ? CheckChoice(field, reader.GetString()!, path)
                    : Wrong(path, "a string");
            case RpcType.NameText:
                return token == JsonTokenType.String
                    ? ObjectName.Parse(reader.GetString()!).Fault is { } bad
                        ? bad with { Field = path }
                        : null
                    : Wrong(path, "a string");
            case RpcType.Flag:
                return token is JsonTokenType.True or JsonTokenType.False
                    ? null
                    : Wrong(path, "true or false");
            case RpcType.Integer:
                return token == JsonTokenType.Number && reader.TryGetInt64(out long value)
                    && value >= field.Min && value <= field.Max
                    ? null
                    : Wrong(path, Range(field));
            case RpcType.Record:
                return token == JsonTokenType.StartObject
                    ? CheckRecord(ref reader, field.Fields, path + ".", method)
                    : Wrong(path, "an object");
            case RpcType.RecordList:
                return token == JsonTokenType.StartArray
                    ? CheckList(ref reader, field, path, method)
                    : Wrong(path, "an array");
            default:
                // No parameter has another type; the table's test holds that.
                reader.Skip();
                return null;
        }
    }

    private static Fault? CheckList(
        ref Utf8JsonReader reader, RpcField field, string path, RpcMethod method)
    {
        for (int i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
        {
            Fault? fault = reader.TokenType == JsonTokenType.StartObject
                ? CheckRecord(ref reader, field.Fields, $"{path}[{i}].", method)
                : Wrong($"{path}[{i}]", "an object");
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }

    private static Fault? CheckChoice(RpcField field, string value, string path) =>
        field.Values.Count == 0 || field.Values.Contains(value)
            ? null
            : Wrong(path, "one of " + string.Join(", ", field.Values));

    /// <param name="fields">At most 64.</param>
    /// <param name="seen">Bit i: the i-th field was there.</param>
    /// <param name="path">Before the fields' names.</param>
    /// <param name="method">Whose.</param>
    private static Fault? Missing(
        IReadOnlyList<RpcField> fields, ulong seen, string path, RpcMethod method)
    {
        Invariant.Check(fields.Count <= 64);
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].Required && (seen & (1UL << i)) == 0)
            {
                return Fault.InvalidParameter(
                    path + fields[i].Name,
                    $"{method.Name}: parameter '{path}{fields[i].Name}' is missing",
                    fields[i].Doc);
            }
        }

        return null;
    }

    private static Fault Unknown(IReadOnlyList<RpcField> fields, string path, RpcMethod method) =>
        Fault.InvalidParameter(
            path,
            $"{method.Name}: unknown parameter '{path}'",
            fields.Count == 0
                ? "it takes none"
                : "known are " + string.Join(", ", fields.Select(f => f.Name)));

    private static Fault Wrong(string path, string expected) =>
        Fault.InvalidParameter(path, $"parameter '{path}' must be {expected}");

    private static string Range(RpcField field) => (field.Min, field.Max) switch
    {
        (long.MinValue, long.MaxValue) => "an integer",
        (_, long.MaxValue) => $"an integer of at least {field.Min}",
        _ => $"an integer from {field.Min} to {field.Max}",
    };
}
