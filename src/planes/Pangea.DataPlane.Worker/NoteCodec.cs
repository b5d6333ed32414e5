using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The worker's notes in the catalog. An entry of a version that is passed over, little-endian: 0
/// version u8; 1 k u8; 2 m u8; 3 zero; 4 name bytes u32; 8 id 16; 24 created, 32 bytes, 40 stored
/// bytes, 48 expires, 56 ttl (i64 each); 64 the k+m locations of 16 bytes (device u8, 3 zeros,
/// segment, offset, bytes u32 each); the name. Live bytes of a segment: i64.
/// </summary>
internal static class NoteCodec
{
    private const byte Version = 1;
    private const int FixedBytes = 64;
    private const int LocationBytes = 16;

    public static byte[] WriteEntry(ObjectEntry entry)
    {
        int nameStart = FixedBytes + (entry.Locations.Length * LocationBytes);
        int nameBytes = Encoding.UTF8.GetByteCount(entry.Name.Text);
        var note = new byte[nameStart + nameBytes];
        note[0] = Version;
        note[1] = entry.DataShards;
        note[2] = entry.ParityShards;
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), nameBytes);
        entry.Id.Write(note.AsSpan(8));
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(24), entry.CreatedMs);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(32), entry.Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(40), entry.StoredBytes);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(48), entry.ExpiresMs);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(56), entry.TtlMs);
        for (int i = 0; i < entry.Locations.Length; i++)
        {
            Span<byte> target = note.AsSpan(FixedBytes + (i * LocationBytes));
            ShardLocation location = entry.Locations[i];
            target[0] = location.Device;
            BinaryPrimitives.WriteUInt32LittleEndian(target[4..], location.Segment);
            BinaryPrimitives.WriteUInt32LittleEndian(target[8..], location.Offset);
            BinaryPrimitives.WriteUInt32LittleEndian(target[12..], location.Bytes);
        }

        Encoding.UTF8.GetBytes(entry.Name.Text, note.AsSpan(nameStart));
        return note;
    }

    public static bool TryReadEntry(
        ReadOnlySpan<byte> note, [NotNullWhen(true)] out ObjectEntry? entry)
    {
        entry = null;
        if (note.Length < FixedBytes || note[0] != Version)
        {
            return false;
        }

        int positions = note[1] + note[2];
        int nameBytes = BinaryPrimitives.ReadInt32LittleEndian(note[4..]);
        int nameStart = FixedBytes + (positions * LocationBytes);
        if (nameBytes < 0 || note.Length != (long)nameStart + nameBytes)
        {
            return false;
        }

        Result<ObjectName> name = ObjectName.Parse(Encoding.UTF8.GetString(note[nameStart..]));
        if (!name.IsOk)
        {
            return false;
        }

        entry = new ObjectEntry(
            name.Value,
            ObjectId.Read(note[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(note[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(note[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(note[40..]),
            note[1],
            note[2],
            BinaryPrimitives.ReadInt64LittleEndian(note[48..]),
            BinaryPrimitives.ReadInt64LittleEndian(note[56..]),
            default,
            ReadLocations(note[FixedBytes..nameStart]));
        return true;
    }

    private static ImmutableArray<ShardLocation> ReadLocations(ReadOnlySpan<byte> bytes)
    {
        ImmutableArray<ShardLocation>.Builder locations =
            ImmutableArray.CreateBuilder<ShardLocation>(bytes.Length / LocationBytes);
        for (; !bytes.IsEmpty; bytes = bytes[LocationBytes..])
        {
            locations.Add(new ShardLocation(
                bytes[0],
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..])));
        }

        return locations.MoveToImmutable();
    }
}
