using System.Buffers;
using System.Text.Json;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// Writes the method table as an OpenRPC document (https://spec.open-rpc.org), for programs.
/// </summary>
public static class RpcDiscovery
{
    /// <summary>The document as JSON, ready to be a result.</summary>
    public static byte[] Write(string version)
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer, ControlJsonText.Writing))
        {
            writer.WriteStartObject();
            writer.WriteString("openrpc"u8, "1.3.2"u8);
            writer.WriteStartObject("info"u8);
            writer.WriteString("title"u8, "Pangea.DataPlane control socket"u8);
            writer.WriteString("version"u8, version);
            writer.WriteEndObject();
            writer.WriteStartArray("methods"u8);
            foreach (RpcMethod method in RpcMethods.All)
            {
                WriteMethod(writer, method);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteMethod(Utf8JsonWriter writer, RpcMethod method)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, method.Name);
        writer.WriteString("summary"u8, method.Summary);
        writer.WriteString("paramStructure"u8, "by-name"u8);
        writer.WriteStartArray("params"u8);
        foreach (RpcField field in method.Parameters)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, field.Name);
            writer.WriteString("description"u8, field.Doc);
            writer.WriteBoolean("required"u8, field.Required);
            writer.WritePropertyName("schema"u8);
            WriteSchema(writer, field);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("result"u8);
        writer.WriteString("name"u8, "result"u8);
        writer.WritePropertyName("schema"u8);
        WriteRecord(writer, method.Result);
        writer.WriteEndObject();
        writer.WriteStartArray("errors"u8);
        foreach (FaultCode code in method.Errors)
        {
            writer.WriteStartObject();
            writer.WriteNumber("code"u8, (int)code);
            writer.WriteString("message"u8, Wire.RpcErrors.Name(code));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();

        // OpenRPC knows no descriptors beside the bytes; x- members are its way to say more.
        writer.WriteNumber("x-descriptors"u8, method.Descriptors);
        if (method.DescriptorDoc is not null)
        {
            writer.WriteString("x-descriptor"u8, method.DescriptorDoc);
        }

        writer.WriteNumber("x-timeoutSeconds"u8, method.TimeoutSeconds);
        writer.WriteEndObject();
    }

    private static void WriteRecord(Utf8JsonWriter writer, IReadOnlyList<RpcField> fields)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "object"u8);
        writer.WriteStartObject("properties"u8);
        foreach (RpcField field in fields)
        {
            writer.WritePropertyName(field.Name);
            WriteSchema(writer, field);
        }

        writer.WriteEndObject();
        writer.WriteStartArray("required"u8);
        foreach (RpcField field in fields)
        {
            if (field.Required)
            {
                writer.WriteStringValue(field.Name);
            }
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteSchema(Utf8JsonWriter writer, RpcField field)
    {
        switch (field.Type)
        {
            case RpcType.Record:
                WriteRecord(writer, field.Fields);
                break;
            case RpcType.RecordList or RpcType.TextList:
                writer.WriteStartObject();
                writer.WriteString("type"u8, "array"u8);
                writer.WritePropertyName("items"u8);
                if (field.Type == RpcType.RecordList)
                {
                    WriteRecord(writer, field.Fields);
                }
                else
                {
                    WriteScalar(writer, new RpcField(field.Name, RpcType.Text, field.Doc));
                }

                writer.WriteEndObject();
                break;
            default:
                WriteScalar(writer, field);
                break;
        }
    }

    private static void WriteScalar(Utf8JsonWriter writer, RpcField field)
    {
        writer.WriteStartObject();
        switch (field.Type)
        {
            case RpcType.Integer:
                writer.WriteString("type"u8, "integer"u8);
                writer.WriteNumber("minimum"u8, field.Min);
                if (field.Max != long.MaxValue)
                {
                    writer.WriteNumber("maximum"u8, field.Max);
                }

                break;
            case RpcType.Flag:
                writer.WriteString("type"u8, "boolean"u8);
                break;
            case RpcType.Any:
                break;
            default:
                writer.WriteString("type"u8, "string"u8);
                break;
        }

        if (field.Type == RpcType.Time)
        {
            writer.WriteString("format"u8, "date-time"u8);
        }

        if (field.Values.Count > 0)
        {
            writer.WriteStartArray("enum"u8);
            foreach (string value in field.Values)
            {
                writer.WriteStringValue(value);
            }

            writer.WriteEndArray();
        }

        writer.WriteString("description"u8, field.Doc);
        writer.WriteEndObject();
    }
}
