// HOT PATH: once per put and get; no allocation once the buffers have grown.
using System.Buffers;
using System.Text.Json;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The answer lines of puts and gets, written from values: the very bytes that the serializer makes
/// of their records, without the records. One for a connection; loop thread only.
/// </summary>
internal sealed class TransferAnswer : IDisposable
{
    private readonly ArrayBufferWriter<byte> _line = new(512);
    private readonly Utf8JsonWriter _writer;

    public TransferAnswer() => _writer = new Utf8JsonWriter(_line, ControlJsonText.Writing);

    /// <summary>The line with its newline; valid until the next one is written.</summary>
    /// <param name="id">Of the call, raw.</param>
    /// <param name="put">What it came to.</param>
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> id, in PutOutcome put)
    {
        Begin(id);
        Span<char> hex = stackalloc char[2 * 32];
        _writer.WriteString("name"u8, put.Name.Text);
        _writer.WriteString("id"u8, IdText(put.Id, hex));
        _writer.WriteNumber("bytes"u8, put.Bytes);
        _writer.WriteNumber("storedBytes"u8, put.StoredBytes);
        _writer.WriteNumber("stripes"u8, put.Stripes);
        _writer.WriteString("sha256"u8, HashText(put.Hash, hex));
        _writer.WriteBoolean("replaced"u8, put.Replaced);
        _writer.WriteNumber("devicesCommitted"u8, put.DevicesCommitted);
        _writer.WriteNumber("devicesTotal"u8, put.DevicesTotal);
        if (ObjectReports.TimeOf(put.ExpiresMs) is { } expires)
        {
            _writer.WriteString("expires"u8, expires);
        }

        return End();
    }

    /// <inheritdoc cref="Of(ReadOnlySpan{byte}, in PutOutcome)"/>
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> id, in GetOutcome get)
    {
        Begin(id);
        Span<char> hex = stackalloc char[2 * 32];
        _writer.WriteString("name"u8, get.Name.Text);
        _writer.WriteString("id"u8, IdText(get.Id, hex));
        _writer.WriteNumber("bytes"u8, get.Bytes);
        _writer.WriteString("sha256"u8, HashText(get.Found.Hash, hex));
        _writer.WriteNumber("stripes"u8, get.Found.Stripes);
        _writer.WriteNumber("stripesRepaired"u8, get.Found.StripesRepaired);
        _writer.WriteNumber("shardsLost"u8, get.Found.ShardsLost);
        if (!get.Range.IsWhole)
        {
            _writer.WriteNumber("offset"u8, get.Range.Offset);
            _writer.WriteNumber("length"u8, get.Range.Bytes);
        }

        return End();
    }

    public void Dispose() => _writer.Dispose();

    private void Begin(ReadOnlySpan<byte> id)
    {
        _line.ResetWrittenCount();
        _line.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        _line.Write(id);
        _line.Write(",\"result\":"u8);
        _writer.Reset(_line);
        _writer.WriteStartObject();
    }

    private ReadOnlySpan<byte> End()
    {
        _writer.WriteEndObject();
        _writer.Flush();
        _line.Write("}\n"u8);
        return _line.WrittenSpan;
    }

    private static ReadOnlySpan<char> IdText(ObjectId id, Span<char> hex)
    {
        bool fits = id.Value.TryFormat(hex, out int chars, "x32");
        Invariant.Check(fits);
        return hex[..chars];
    }

    private static ReadOnlySpan<char> HashText(in Ces.ContentHash hash, Span<char> hex)
    {
        bool fits = hash.High.TryFormat(hex, out int first, "x32")
            && hash.Low.TryFormat(hex[32..], out int second, "x32")
            && first + second == hex.Length;
        Invariant.Check(fits);
        return hex;
    }
}
