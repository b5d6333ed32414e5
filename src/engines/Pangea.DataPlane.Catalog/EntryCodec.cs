using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// How an object stands in the file: about 150 bytes for twelve locations. Fields after <see
/// cref="ValueWriter"/>'s header: flags, k, m, id, created, bytes, stored bytes, [expires, ttl],
/// [gets, get bytes, last get], count of locations, each as bytes and, unless 0, device, segment
/// and offset; then the name where the key does not hold it. Optional parts by flag.
/// </summary>
internal static class EntryCodec
{
    private const byte HasExpiry = 1;
    private const byte HasStatistics = 2;

    // Offsets are multiples of 64; turned right by six bits they take three bytes instead of four.
    private const int OffsetTurn = 6;

    /// <summary>Room for any entry: 255 locations of 16 bytes, and a name.</summary>
    public const int BytesMax = 256 + (Limits.ShardsMax * 16) + Limits.ObjectNameBytesMax;

    public static ReadOnlySpan<byte> Write(
        ObjectEntry entry, ObjectStatistics statistics, ReadOnlySpan<byte> key, Span<byte> buffer)
    {
        bool expires = entry.ExpiresMs != 0 || entry.TtlMs != 0;
        bool used = statistics != default;
        var writer = new ValueWriter(buffer);
        writer.WriteByte((byte)((expires ? HasExpiry : 0) | (used ? HasStatistics : 0)));
        writer.WriteByte(entry.DataShards);
        writer.WriteByte(entry.ParityShards);
        writer.WriteId(entry.Id);
        writer.WriteNumber((ulong)entry.CreatedMs);
        writer.WriteNumber((ulong)entry.Bytes);
        writer.WriteNumber((ulong)entry.StoredBytes);
        if (expires)
        {
            writer.WriteNumber((ulong)entry.ExpiresMs);
            writer.WriteNumber((ulong)entry.TtlMs);
        }

        if (used)
        {
            writer.WriteNumber((ulong)statistics.Gets);
            writer.WriteNumber((ulong)statistics.GetBytes);
            writer.WriteNumber((ulong)statistics.LastGetMs);
        }

        writer.WriteByte((byte)entry.Locations.Length);
        foreach (ShardLocation location in entry.Locations)
        {
            writer.WriteNumber(location.Bytes);
            if (!location.IsNone)
            {
                writer.WriteByte(location.Device);
                writer.WriteNumber(location.Segment);
                writer.WriteNumber(BitOperations.RotateRight(location.Offset, OffsetTurn));
            }
        }

        if (NameKey.IsCut(key))
        {
            Span<byte> name = stackalloc byte[Limits.ObjectNameBytesMax];
            writer.WriteBytes(name[..Encoding.UTF8.GetBytes(entry.Name.Text, name)]);
        }

        return writer.Seal();
    }

    /// <summary>The entry, or null where the bytes are no sound one.</summary>
    public static ObjectEntry? Read(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var reader = new ValueReader(value);
        byte flags = reader.ReadByte();
        byte dataShards = reader.ReadByte();
        byte parityShards = reader.ReadByte();
        ObjectId id = reader.ReadId();
        long createdMs = reader.ReadLong();
        long bytes = reader.ReadLong();
        long storedBytes = reader.ReadLong();
        (long expiresMs, long ttlMs) = (flags & HasExpiry) != 0
            ? (reader.ReadLong(), reader.ReadLong())
            : (0, 0);
        ObjectStatistics statistics = ReadStatistics(ref reader, flags);
        var locations = new ShardLocation[reader.ReadByte()];
        for (int i = 0; i < locations.Length; i++)
        {
            uint length = reader.ReadUInt32();
            locations[i] = length == 0
                ? default
                : new ShardLocation(
                    reader.ReadByte(),
                    reader.ReadUInt32(),
                    BitOperations.RotateLeft(reader.ReadUInt32(), OffsetTurn),
                    length);
        }

        ReadOnlySpan<byte> text = NameKey.IsCut(key) ? reader.ReadRest() : key;
        if (!reader.IsComplete || ReadName(text) is not { } name)
        {
            return null;
        }

        return new ObjectEntry(
            name, id, createdMs, bytes, storedBytes, dataShards, parityShards, expiresMs, ttlMs,
            statistics, ImmutableCollectionsMarshal.AsImmutableArray(locations));
    }

    /// <summary>What the indices of a stored entry hang on; false where it is not sound.</summary>
    public static bool TryReadIndexed(
        ReadOnlySpan<byte> value,
        out ObjectId id,
        out long expiresMs,
        out ObjectStatistics statistics)
    {
        var reader = new ValueReader(value);
        byte flags = reader.ReadByte();
        _ = reader.Take(2); // k, m
        id = reader.ReadId();
        _ = reader.ReadLong(); // created
        _ = reader.ReadLong(); // bytes
        _ = reader.ReadLong(); // stored bytes
        expiresMs = 0;
        if ((flags & HasExpiry) != 0)
        {
            expiresMs = reader.ReadLong();
            _ = reader.ReadLong(); // ttl
        }

        statistics = ReadStatistics(ref reader, flags);
        return reader.IsSound;
    }

    /// <summary>A valid name from UTF-8 bytes, or null.</summary>
    public static ObjectName? ReadName(ReadOnlySpan<byte> text)
    {
        // Bytes that are not UTF-8 become U+FFFD; a sound checksum means that we wrote them.
        Result<ObjectName> name = ObjectName.Parse(Encoding.UTF8.GetString(text));
        return name.IsOk ? name.Value : null;
    }

    private static ObjectStatistics ReadStatistics(ref ValueReader reader, byte flags) =>
        (flags & HasStatistics) != 0
            ? new ObjectStatistics(reader.ReadLong(), reader.ReadLong(), reader.ReadLong())
            : default;
}
