using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>How far one position of a large object is written to its new place.</summary>
/// <param name="Position">Which.</param>
/// <param name="Device">Identity of the device it is being written to.</param>
/// <param name="Stripes">Stripes 0 to this (exclusive) are there, flushed.</param>
/// <param name="Extents">Where they are.</param>
internal sealed record HealProgress(
    int Position, DeviceId Device, uint Stripes, ImmutableArray<Extent> Extents);

/// <summary>What healing remembers of an object across restarts.</summary>
internal sealed record HealNote
{
    public required ObjectId Id { get; init; }

    /// <summary>When its loss was first seen, ms since 1970.</summary>
    public required long SinceMs { get; init; }

    /// <summary>
    /// Bit i: position i has a commit entry and yet was seen damaged. The catalog does not know.
    /// </summary>
    public ulong BadPositions { get; init; }

    /// <summary>Tries that failed.</summary>
    public int Failures { get; init; }

    /// <summary>
    /// Not before, ms since 1970; 0 with failures: not before something changes.
    /// </summary>
    public long NextMs { get; init; }

    /// <summary>Why the last try failed; empty where none did.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Good shards at the last try.</summary>
    public int ShardsAvailable { get; init; }

    public ImmutableArray<HealProgress> Progress { get; init; } = [];

    /// <summary>True where it waits for a change and not for the clock.</summary>
    public bool IsGivenUp => Failures > 0 && NextMs == 0;

    /// <summary>
    /// Layout, little-endian: version u8, progress count u8, reason bytes u16, failures i32,
    /// available i32, 0 u32, since i64, next i64, bad u64, reason; then for each progress: position
    /// u8, 0 u8, 0 u16, stripes u32, extents u32, device 16, and each extent as 4 x u32.
    /// </summary>
    public byte[] Encode()
    {
        byte[] reason = Encoding.UTF8.GetBytes(Reason);
        int reasonBytes = Math.Min(reason.Length, ReasonBytesMax);
        int bytes = FixedBytes + reasonBytes
            + Progress.Sum(each => ProgressBytes + (each.Extents.Length * Extent.Bytes));
        byte[] note = new byte[bytes];
        note[0] = Version;
        note[1] = (byte)Progress.Length;
        BinaryPrimitives.WriteUInt16LittleEndian(note.AsSpan(2), (ushort)reasonBytes);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), Failures);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(8), ShardsAvailable);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(16), SinceMs);
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(24), NextMs);
        BinaryPrimitives.WriteUInt64LittleEndian(note.AsSpan(32), BadPositions);
        reason.AsSpan(0, reasonBytes).CopyTo(note.AsSpan(FixedBytes));
        Span<byte> rest = note.AsSpan(FixedBytes + reasonBytes);
        foreach (HealProgress each in Progress)
        {
            rest = rest[WriteProgress(rest, each)..];
        }

        return note;
    }

    /// <summary>False for anything but a note of this version.</summary>
    public static bool TryDecode(
        ObjectId id, ReadOnlySpan<byte> note, [NotNullWhen(true)] out HealNote? decoded)
    {
        decoded = null;
        if (note.Length < FixedBytes || note[0] != Version)
        {
            return false;
        }

        int reasonBytes = BinaryPrimitives.ReadUInt16LittleEndian(note[2..]);
        if (reasonBytes > note.Length - FixedBytes)
        {
            return false;
        }

        var progress = ImmutableArray.CreateBuilder<HealProgress>(note[1]);
        ReadOnlySpan<byte> rest = note[(FixedBytes + reasonBytes)..];
        for (int i = 0; i < note[1]; i++)
        {
            if (!TryReadProgress(ref rest, out HealProgress? each))
            {
                return false;
            }

            progress.Add(each);
        }

        decoded = new HealNote
        {
            Id = id,
            SinceMs = BinaryPrimitives.ReadInt64LittleEndian(note[16..]),
            NextMs = BinaryPrimitives.ReadInt64LittleEndian(note[24..]),
            BadPositions = BinaryPrimitives.ReadUInt64LittleEndian(note[32..]),
            Failures = BinaryPrimitives.ReadInt32LittleEndian(note[4..]),
            ShardsAvailable = BinaryPrimitives.ReadInt32LittleEndian(note[8..]),
            Reason = Encoding.UTF8.GetString(note.Slice(FixedBytes, reasonBytes)),
            Progress = progress.ToImmutable(),
        };
        return rest.IsEmpty;
    }

    private const byte Version = 1;
    private const int FixedBytes = 40;
    private const int ProgressBytes = 28;
    private const int ReasonBytesMax = 1024;

    private static int WriteProgress(Span<byte> target, HealProgress progress)
    {
        target[0] = (byte)progress.Position;
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], progress.Stripes);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], progress.Extents.Length);
        progress.Device.Value.Write(target[12..]);
        int at = ProgressBytes;
        foreach (Extent extent in progress.Extents)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(target[at..], extent.FirstStripe);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 4)..], extent.Stripes);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 8)..], extent.Segment);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 12)..], extent.Offset);
            at += Extent.Bytes;
        }

        return at;
    }

    private static bool TryReadProgress(
        ref ReadOnlySpan<byte> rest, [NotNullWhen(true)] out HealProgress? progress)
    {
        progress = null;
        if (rest.Length < ProgressBytes)
        {
            return false;
        }

        uint count = BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]);
        if (count > (uint)(rest.Length - ProgressBytes) / Extent.Bytes
            || rest[0] >= Limits.ShardsMax)
        {
            return false;
        }

        var extents = ImmutableArray.CreateBuilder<Extent>((int)count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> from = rest[(ProgressBytes + (i * Extent.Bytes))..];
            extents.Add(new Extent(
                BinaryPrimitives.ReadUInt32LittleEndian(from),
                BinaryPrimitives.ReadUInt32LittleEndian(from[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(from[8..]),
                BinaryPrimitives.ReadUInt32LittleEndian(from[12..])));
        }

        progress = new HealProgress(
            rest[0],
            new DeviceId(ObjectId.Read(rest[12..])),
            BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]),
            extents.MoveToImmutable());
        rest = rest[(ProgressBytes + ((int)count * Extent.Bytes))..];
        return true;
    }
}
