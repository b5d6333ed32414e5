using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// The lines between supervisor and warden: a JSON array of texts each, its first one the verb. One
/// request, one answer, both waited for. Small on purpose: the warden's side runs as root.
/// </summary>
internal sealed class WardenWire(UnixSocket channel) : IDisposable
{
    public const string Launch = "launch";
    public const string Reap = "reap";
    public const string Inspect = "inspect";
    public const string Open = "open";
    public const string Configuration = "configuration";
    public const string RemoveSocket = "removeSocket";
    public const string OpenPins = "openPins";
    public const string RemovePins = "removePins";
    public const string DiscardPins = "discardPins";
    public const string Renew = "renew";
    public const string Done = "ok";
    private const string Failed = "fault";

    private readonly LineAssembler _lines = new();
    private readonly byte[] _chunk = new byte[16 * 1024];

    /// <summary>Readable or hung up when the other end has something to say or has gone.</summary>
    public UnixSocket Channel => channel;

    /// <summary>The line of these texts.</summary>
    public static byte[] Line(IEnumerable<string?> texts)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            foreach (string? text in texts)
            {
                writer.WriteStringValue(text);
            }

            writer.WriteEndArray();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <summary>The texts of a line; null where it is none of ours.</summary>
    public static string?[]? Texts(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Array
                && document.RootElement.EnumerateArray().All(each =>
                    each.ValueKind is JsonValueKind.String or JsonValueKind.Null)
                ? [.. document.RootElement.EnumerateArray().Select(each => each.GetString())]
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // The second: a lone surrogate in a text.
        }
    }

    public static string?[] Fields(Fault fault) =>
    [
        Failed,
        ((int)fault.Code).ToString(CultureInfo.InvariantCulture),
        fault.Message,
        fault.Hint,
        fault.Field,
        fault.Errno.ToString(CultureInfo.InvariantCulture),
    ];

    /// <summary>The fault of an answer; null where it is none.</summary>
    public static Fault? FaultOf(string?[] answer) =>
        answer is [Done, ..]
            ? null
            : answer is [Failed, { } code, { } message, var hint, var field, { } errno]
                && int.TryParse(code, CultureInfo.InvariantCulture, out int number)
                && int.TryParse(errno, CultureInfo.InvariantCulture, out int error)
                ? new Fault((FaultCode)number, message, hint, field, error)
                : new Fault(FaultCode.Internal, "the warden's answer cannot be read");

    /// <summary>Sends a line; its descriptors stay the caller's.</summary>
    public SysResult Send(IEnumerable<string?> texts, ReadOnlySpan<OwnedFd> descriptors)
    {
        byte[] line = Line(texts);
        SysResult sent = channel.Send(line, descriptors, wait: true);
        int at = 0;
        while (sent.IsOk && (at += (int)sent.Value) < line.Length)
        {
            sent = channel.Send(line.AsSpan(at), [], wait: true);
        }

        return sent;
    }

    /// <summary>
    /// Waits for a line; null where the other end has gone or sends what is no line.
    /// </summary>
    public ReceivedLine? Receive()
    {
        var received = new List<OwnedFd>();
        ReceivedLine line;
        while (!_lines.TryTake(out line))
        {
            received.Clear();
            SysResult result = channel.Receive(_chunk, received, wait: true);
            if (!result.IsOk || result.Value == 0
                || !_lines.Append(_chunk.AsSpan(0, (int)result.Value), received))
            {
                return null;
            }
        }

        return line;
    }

    public void Dispose()
    {
        _lines.Dispose();
        channel.Dispose();
    }
}
