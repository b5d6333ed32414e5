using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// How a removed name stands in the file: time, device mask, and the name where the key does not
/// hold it.
/// </summary>
internal static class RemovedCodec
{
    public const int BytesMax = 64 + Limits.ObjectNameBytesMax;

    public static ReadOnlySpan<byte> Write(
        RemovedName removed, ReadOnlySpan<byte> key, Span<byte> buffer)
    {
        var writer = new ValueWriter(buffer);
        writer.WriteNumber((ulong)removed.RemovedMs);
        writer.WriteNumber(removed.DeviceMask);
        if (NameKey.IsCut(key))
        {
            Span<byte> name = stackalloc byte[Limits.ObjectNameBytesMax];
            writer.WriteBytes(name[..Encoding.UTF8.GetBytes(removed.Name, name)]);
        }

        return writer.Seal();
    }

    /// <summary>The removal, or null where the bytes are no sound one.</summary>
    public static RemovedName? Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var reader = new ValueReader(value);
        long removedMs = reader.ReadLong();
        ulong deviceMask = reader.ReadNumber();
        ReadOnlySpan<byte> name = NameKey.IsCut(key) ? reader.ReadRest() : key;
        return reader.IsComplete
            ? new RemovedName(Encoding.UTF8.GetString(name), removedMs, deviceMask)
            : null;
    }
}
