using System.Buffers.Binary;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How many bytes of each segment objects need, as notes of the catalog: in pieces of so many
/// segments, and only the pieces that changed are written. A piece is a list of sequence number
/// u32 and live bytes i64, little-endian; its key is the device's id and the piece's number.
/// </summary>
internal sealed class LiveBytesNotes(StorageService service)
{
    private const string Table = "live-bytes";
    private const int SegmentsPerNote = 1024;
    private const int RecordBytes = sizeof(uint) + sizeof(long);
    private const int KeyBytes = DeviceId.Bytes + sizeof(uint);

    private readonly Dictionary<(DeviceId Device, int Piece), byte[]> _written = [];
    private readonly List<(DeviceId Device, int Piece, byte[] Value)> _taken = [];
    private readonly Dictionary<(DeviceId Device, uint Segment), long> _unfinished = [];

    /// <summary>
    /// Takes the numbers as they are at this moment, without what puts under way have written: it
    /// counts when their commits are read again, and is garbage where there will be none.
    /// </summary>
    public void Take()
    {
        _taken.Clear();
        _unfinished.Clear();
        foreach ((StorageDevice device, LogAddress frames) in
            service.Writers.SelectMany(writer => writer.Written))
        {
            (DeviceId, uint) key = (device.Id, frames.Segment);
            _unfinished[key] = _unfinished.GetValueOrDefault(key) + frames.Bytes;
        }

        foreach (StorageDevice device in service.Devices.All)
        {
            if (device.Log is not { } log || device.Id == default)
            {
                continue;
            }

            int piece = 0;
            foreach (SegmentReport[] segments in log.Segments.Chunk(SegmentsPerNote))
            {
                _taken.Add((device.Id, piece++, Encode(device.Id, segments)));
            }
        }
    }

    /// <summary>Notes what was taken, for the next checkpoint.</summary>
    public void Note()
    {
        foreach ((DeviceId device, int piece, byte[] value) in _taken)
        {
            if (!_written.TryGetValue((device, piece), out byte[]? known)
                || !known.AsSpan().SequenceEqual(value))
            {
                service.Catalog.SetNote(Table, KeyOf(device, piece), value);
                _written[(device, piece)] = value;
            }
        }

        _taken.Clear();
    }

    public void Restore(StorageDevice device)
    {
        for (int piece = 0; ; piece++)
        {
            if (service.Catalog.GetNote(Table, KeyOf(device.Id, piece)) is not { } note)
            {
                return;
            }

            ReadOnlySpan<byte> value = note.Span;
            for (; value.Length >= RecordBytes; value = value[RecordBytes..])
            {
                device.Log!.RestoreLiveBytes(
                    BinaryPrimitives.ReadUInt32LittleEndian(value),
                    BinaryPrimitives.ReadInt64LittleEndian(value[sizeof(uint)..]));
            }
        }
    }

    private byte[] Encode(DeviceId device, SegmentReport[] segments)
    {
        var value = new byte[segments.Length * RecordBytes];
        Span<byte> target = value;
        foreach (SegmentReport segment in segments)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(target, segment.Sequence);
            long unfinished = _unfinished.GetValueOrDefault((device, segment.Sequence));
            BinaryPrimitives.WriteInt64LittleEndian(
                target[sizeof(uint)..], segment.LiveBytes - unfinished);
            target = target[RecordBytes..];
        }

        return value;
    }

    private static byte[] KeyOf(DeviceId device, int piece)
    {
        var key = new byte[KeyBytes];
        device.Value.Write(key);
        BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(DeviceId.Bytes), piece);
        return key;
    }
}
