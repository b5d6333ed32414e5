using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// Reads one line of JSON-RPC 2.0 (https://www.jsonrpc.org/specification). Never throws, whatever
/// the bytes are. Stricter than the standard where leniency would hide a mistake: unknown members,
/// members named twice and positional parameters are refused, and so are batches (one call per
/// line).
/// </summary>
public static class RpcParser
{
    private static readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> s_known =
        RpcMethods.All.Concat(WorkerMethods.Private).Select(method => method.Name)
            .ToHashSet(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly int s_knownBytesMax = s_known.Set.Max(name => name.Length);

    /// <summary>Cuts the line into its parts, or says what to answer.</summary>
    /// <param name="line">Without its newline; the message keeps a reference to it.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> line,
        [NotNullWhen(true)] out RpcMessage? message,
        [NotNullWhen(false)] out RpcRefusal? refusal)
    {
        message = null;
        refusal = null;
        if (JsonText.Check(line.Span) is { } reason)
        {
            refusal = new RpcRefusal(
                new Fault(
                    FaultCode.ParseError, reason, "send one JSON text per line"), RpcIds.Null);
            return false;
        }

        Parts parts = default;
        Fault? fault = Split(line, ref parts);
        if (fault is null)
        {
            (message, fault) = Compose(line, parts);
        }

        if (message is null)
        {
            bool idKnown = parts.HasId && IsIdAllowed(parts.Id.Span);
            refusal = new RpcRefusal(fault!, idKnown ? parts.Id : RpcIds.Null);
            return false;
        }

        return true;
    }

    /// <summary>
    /// Entry for fuzzing: whatever the bytes are, parsing and rewriting must not throw.
    /// </summary>
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (TryParse(data.ToArray(), out RpcMessage? message, out RpcRefusal? refusal))
        {
            RpcParameters.Fuzz(message);
            _ = RpcErrors.Read(message);
            if (!message.Id.IsEmpty)
            {
                byte[] line = RpcWriter.WithId(message, "7"u8);
                bool again = TryParse(
                    line.AsMemory(0, line.Length - 1), out RpcMessage? second, out _);
                Invariant.Check(again && second!.IdNumber == 7 && second.Kind == message.Kind);
            }
        }
        else
        {
            byte[] reply = RpcWriter.Error(refusal.Id.Span, refusal.Fault);
            Invariant.Check(JsonText.Check(reply.AsSpan(0, reply.Length - 1)) is null);
        }
    }

    private static Fault? Split(ReadOnlyMemory<byte> line, ref Parts parts)
    {
        // The text is known to be well formed, so the reader cannot throw from here on.
        var reader = new Utf8JsonReader(line.Span, ControlJsonText.Reading);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            return Invalid("batches are not supported", "send one request per line");
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Invalid("the line is not a JSON object", "send {\"jsonrpc\":\"2.0\",...}");
        }

        Fault? unknown = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            Member member = MemberOf(ref reader);
            string? other = member == Member.Unknown ? reader.GetString() : null;
            reader.Read();
            JsonTokenType type = reader.TokenType;
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            ReadOnlyMemory<byte> value = line[start..(int)reader.BytesConsumed];
            if (other is not null)
            {
                unknown ??= Invalid($"unknown member '{JsonText.Shorten(other)}'", null) with
                {
                    Field = JsonText.Shorten(other),
                };
            }

            parts.Set(member, type, value);
        }

        return unknown;
    }

    private static Member MemberOf(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("jsonrpc"u8) ? Member.Version
        : reader.ValueTextEquals("id"u8) ? Member.Id
        : reader.ValueTextEquals("method"u8) ? Member.Method
        : reader.ValueTextEquals("params"u8) ? Member.Parameters
        : reader.ValueTextEquals("result"u8) ? Member.Result
        : reader.ValueTextEquals("error"u8) ? Member.Error
        : Member.Unknown;

    /// <summary>The method's name: of one that we know the string that the table has.</summary>
    private static string NameOf(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped || reader.ValueSpan.Length > s_knownBytesMax)
        {
            return reader.GetString()!;
        }

        Span<char> name = stackalloc char[reader.ValueSpan.Length];
        name = name[..reader.CopyString(name)];
        return s_known.TryGetValue(name, out string? known) ? known : name.ToString();
    }

    private static (RpcMessage?, Fault?) Compose(ReadOnlyMemory<byte> line, in Parts parts)
    {
        if (!parts.Version.Span.SequenceEqual("\"2.0\""u8))
        {
            return (
                null,
                Invalid("member 'jsonrpc' is not \"2.0\"", "add \"jsonrpc\":\"2.0\"", "jsonrpc"));
        }

        if (parts.HasId && !IsIdAllowed(parts.Id.Span))
        {
            return (null, Invalid(
                $"member 'id' is not a string, a number or null of at most {RpcIds.BytesMax} bytes",
                null,
                "id"));
        }

        bool isReply = !parts.Result.IsEmpty || !parts.Error.IsEmpty;
        return isReply ? ComposeReply(line, parts) : ComposeCall(line, parts);
    }

    private static (RpcMessage?, Fault?) ComposeCall(ReadOnlyMemory<byte> line, in Parts parts)
    {
        if (parts.MethodType != JsonTokenType.String)
        {
            return (null, Invalid("member 'method' is missing or not a string", null, "method"));
        }

        if (!parts.Parameters.IsEmpty && parts.ParametersType != JsonTokenType.StartObject)
        {
            return (null, new Fault(
                FaultCode.InvalidParameters,
                "parameters are not a JSON object",
                "name the parameters: \"params\":{...}",
                "params"));
        }

        var reader = new Utf8JsonReader(parts.Method.Span);
        reader.Read();
        RpcKind kind = parts.HasId ? RpcKind.Request : RpcKind.Notification;
        return (new RpcMessage(kind, line, parts.Id, NameOf(ref reader), parts.Parameters), null);
    }

    private static (RpcMessage?, Fault?) ComposeReply(ReadOnlyMemory<byte> line, in Parts parts)
    {
        bool both = !parts.Result.IsEmpty && !parts.Error.IsEmpty;
        if (both || !parts.HasId || !parts.Method.IsEmpty || !parts.Parameters.IsEmpty)
        {
            return (
                null,
                Invalid("a reply has an id and either a result or an error, nothing else", null));
        }

        return parts.Error.IsEmpty
            ? (new RpcMessage(RpcKind.Result, line, parts.Id, "", parts.Result), null)
            : (new RpcMessage(RpcKind.Error, line, parts.Id, "", parts.Error), null);
    }

    private static bool IsIdAllowed(ReadOnlySpan<byte> id) =>
        id.Length <= RpcIds.BytesMax && (id[0] is (byte)'"' or (byte)'-' or (byte)'n' ||
            char.IsAsciiDigit((char)id[0]));

    private static Fault Invalid(string message, string? hint, string? field = null) =>
        new(FaultCode.InvalidRequest, message, hint, field);

    private enum Member
    {
        Unknown,
        Version,
        Id,
        Method,
        Parameters,
        Result,
        Error,
    }

    /// <summary>The raw members of a line; a member that is not there is empty.</summary>
    private struct Parts
    {
        public ReadOnlyMemory<byte> Version;
        public ReadOnlyMemory<byte> Id;
        public ReadOnlyMemory<byte> Method;
        public ReadOnlyMemory<byte> Parameters;
        public ReadOnlyMemory<byte> Result;
        public ReadOnlyMemory<byte> Error;
        public JsonTokenType MethodType;
        public JsonTokenType ParametersType;

        public readonly bool HasId => !Id.IsEmpty;

        public void Set(Member member, JsonTokenType type, ReadOnlyMemory<byte> value)
        {
            switch (member)
            {
                case Member.Version:
                    Version = value;
                    break;
                case Member.Id:
                    Id = value;
                    break;
                case Member.Method:
                    Method = value;
                    MethodType = type;
                    break;
                case Member.Parameters:
                    Parameters = value;
                    ParametersType = type;
                    break;
                case Member.Result:
                    Result = value;
                    break;
                case Member.Error:
                    Error = value;
                    break;
            }
        }
    }
}
