using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// What stands in the table <c>meta</c>, one value that each checkpoint replaces: its number, the
/// sums, the devices' ordinals and the log marks.
/// </summary>
internal sealed record CatalogState(
    long Checkpoint,
    long Count,
    long Bytes,
    long StoredBytes,
    IReadOnlyList<UInt128> Devices,
    IReadOnlyList<LogMark> Marks)
{
    public static readonly CatalogState Empty = new(0, 0, 0, 0, [], []);

    private const int DeviceBytes = 16;

    public static ReadOnlySpan<byte> Key => "state"u8;

    public byte[] Encode()
    {
        byte[] buffer = new byte[64 + (Devices.Count * DeviceBytes) + (Marks.Count * 16)];
        var writer = new ValueWriter(buffer);
        writer.WriteNumber((ulong)Checkpoint);
        writer.WriteNumber((ulong)Count);
        writer.WriteNumber((ulong)Bytes);
        writer.WriteNumber((ulong)StoredBytes);
        writer.WriteByte((byte)Devices.Count);
        Span<byte> id = stackalloc byte[DeviceBytes];
        foreach (UInt128 device in Devices)
        {
            BinaryPrimitives.WriteUInt128BigEndian(id, device);
            writer.WriteBytes(id);
        }

        writer.WriteByte((byte)Marks.Count);
        foreach (LogMark mark in Marks)
        {
            writer.WriteByte(mark.Ordinal);
            writer.WriteNumber(mark.Segment);
            writer.WriteNumber(mark.Offset);
        }

        return writer.Seal().ToArray();
    }

    /// <summary>The state, or why the bytes are none.</summary>
    public static Result<CatalogState> Decode(ReadOnlySpan<byte> value)
    {
        if (value.Length >= ValueWriter.HeaderBytes
            && value[ValueWriter.HeaderBytes - 1] != ValueWriter.Version)
        {
            return Unusable(
                $"it has format {value[ValueWriter.HeaderBytes - 1]}, "
                + $"this program reads {ValueWriter.Version}");
        }

        var reader = new ValueReader(value);
        long checkpoint = reader.ReadLong();
        long count = reader.ReadLong();
        long bytes = reader.ReadLong();
        long storedBytes = reader.ReadLong();
        var devices = new UInt128[reader.ReadByte()];
        for (int i = 0; i < devices.Length; i++)
        {
            ReadOnlySpan<byte> id = reader.Take(DeviceBytes);
            devices[i] = id.IsEmpty ? default : BinaryPrimitives.ReadUInt128BigEndian(id);
        }

        var marks = new LogMark[reader.ReadByte()];
        for (int i = 0; i < marks.Length; i++)
        {
            marks[i] = new LogMark(reader.ReadByte(), reader.ReadUInt32(), reader.ReadUInt32());
        }

        return reader.IsComplete
            ? new CatalogState(checkpoint, count, bytes, storedBytes, devices, marks)
            : Unusable("its state does not have the checksum it names");
    }

    private static Fault Unusable(string why) => new(
        FaultCode.Corrupt, $"the catalog cannot be used: {why}", "pangea catalog rebuild");
}
