using System.Buffers.Binary;
using System.Collections.Immutable;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>What is being done to all shards of a device.</summary>
internal enum DeviceWorkKind : byte
{
    /// <summary>A new device gets what the one in its place held.</summary>
    Fill = 1,

    /// <summary>Everything moves to other devices.</summary>
    Drain = 2,
}

/// <summary>
/// The filling or emptying of one device, as it is noted in the catalog: what is left to do is
/// counted anew by each look at all objects, so a restart costs nothing of it.
/// </summary>
internal sealed class DeviceWork
{
    private const byte Version = 2;
    private const int IdBytes = 16;
    private const int BeforeOffset = 48;

    public required int Index { get; init; }

    public required DeviceWorkKind Kind { get; init; }

    /// <summary>The device at the index.</summary>
    public required DeviceId Device { get; init; }

    /// <summary>
    /// Whose shards it gets; only for filling. Several where what took over a place was exchanged
    /// again before it was full.
    /// </summary>
    public ImmutableArray<DeviceId> Before { get; init; } = [];

    public long ObjectsDone { get; set; }

    public long BytesDone { get; set; }

    /// <summary>As of the last whole look.</summary>
    public long ObjectsLeft { get; set; }

    /// <summary>Counted by the look under way.</summary>
    public long ObjectsSeen { get; set; }

    /// <summary>True once a look has counted what is to do.</summary>
    public bool IsCounted { get; set; }

    /// <summary>What stands in the way of the rest; null where nothing does.</summary>
    public Fault? Obstacle { get; set; }

    public byte[] Encode()
    {
        byte[] note = new byte[BeforeOffset + (Before.Length * IdBytes)];
        note[0] = Version;
        note[1] = (byte)Kind;
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(8), ObjectsDone);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(16), BytesDone);
        Device.Value.Write(note.AsSpan(32));
        for (int each = 0; each < Before.Length; each++)
        {
            Before[each].Value.Write(note.AsSpan(BeforeOffset + (each * IdBytes)));
        }

        return note;
    }

    /// <summary>Null for anything but a note of this version.</summary>
    public static DeviceWork? Decode(int index, ReadOnlySpan<byte> note) =>
        note.Length >= BeforeOffset && note[0] == Version
        && note[1] is (byte)DeviceWorkKind.Fill or (byte)DeviceWorkKind.Drain
            ? new DeviceWork
            {
                Index = index,
                Kind = (DeviceWorkKind)note[1],
                Device = new DeviceId(ObjectId.Read(note[32..])),
                Before = ReadIds(note[BeforeOffset..]),
                ObjectsDone = BinaryPrimitives.ReadInt64LittleEndian(note[8..]),
                BytesDone = BinaryPrimitives.ReadInt64LittleEndian(note[16..]),
            }
            : null;

    private static ImmutableArray<DeviceId> ReadIds(ReadOnlySpan<byte> note)
    {
        var ids = ImmutableArray.CreateBuilder<DeviceId>(note.Length / IdBytes);
        for (; note.Length >= IdBytes; note = note[IdBytes..])
        {
            ids.Add(new DeviceId(ObjectId.Read(note)));
        }

        return ids.ToImmutable();
    }
}
