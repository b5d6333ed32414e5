using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How far the checking of all shards is; noted in the catalog, so that it survives restarts.
/// </summary>
internal sealed record ScrubState
{
    private const byte Version = 1;
    private const int FixedBytes = 80;

    /// <summary>A pass is under way; it goes on after a restart.</summary>
    public bool IsRunning { get; init; }

    /// <summary>Stopped by hand: no pass begins by itself.</summary>
    public bool IsStopped { get; init; }

    /// <summary>The last object that was checked whole; empty at the beginning.</summary>
    public string After { get; init; } = "";

    /// <summary>Stripes already checked of the version that comes next.</summary>
    public uint Stripes { get; init; }

    /// <summary>That version.</summary>
    public ObjectId Id { get; init; }

    public long Objects { get; init; }

    public long Bytes { get; init; }

    public long Errors { get; init; }

    /// <summary>Passes finished.</summary>
    public long Passes { get; init; }

    /// <summary>Ms since 1970; 0: never.</summary>
    public long StartedMs { get; init; }

    /// <summary>Ms since 1970; 0: never.</summary>
    public long FinishedMs { get; init; }

    public byte[] Encode()
    {
        byte[] note = new byte[FixedBytes + Encoding.UTF8.GetByteCount(After)];
        note[0] = Version;
        note[1] = (byte)((IsRunning ? 1 : 0) | (IsStopped ? 2 : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(4), Stripes);
        Id.Write(note.AsSpan(8));
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(24), Objects);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(32), Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(40), Errors);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(48), Passes);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(56), StartedMs);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(64), FinishedMs);
        Encoding.UTF8.GetBytes(After, note.AsSpan(FixedBytes));
        return note;
    }

    /// <summary>A state of the beginning for anything but a note of this version.</summary>
    public static ScrubState Decode(ReadOnlySpan<byte> note) =>
        note.Length < FixedBytes || note[0] != Version
            ? new ScrubState()
            : new ScrubState
            {
                IsRunning = (note[1] & 1) != 0,
                IsStopped = (note[1] & 2) != 0,
                After = Encoding.UTF8.GetString(note[FixedBytes..]),
                Stripes = BinaryPrimitives.ReadUInt32LittleEndian(note[4..]),
                Id = ObjectId.Read(note[8..]),
                Objects = BinaryPrimitives.ReadInt64LittleEndian(note[24..]),
                Bytes = BinaryPrimitives.ReadInt64LittleEndian(note[32..]),
                Errors = BinaryPrimitives.ReadInt64LittleEndian(note[40..]),
                Passes = BinaryPrimitives.ReadInt64LittleEndian(note[48..]),
                StartedMs = BinaryPrimitives.ReadInt64LittleEndian(note[56..]),
                FinishedMs = BinaryPrimitives.ReadInt64LittleEndian(note[64..]),
            };
}
