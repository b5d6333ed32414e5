// HOT PATH: one copy of the entry's bytes into the batch, no allocation.

using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>Writes entries; <see cref="LogEntryView"/> has the layout.</summary>
internal static class LogEntryWriter
{
    /// <summary>
    /// Bytes of the whole commit entry; more than an int holds for no object we can make.
    /// </summary>
    public static long CommitBytes(int extents, int manifestBytes, int inlineBytes) =>
        RoundUp(CheckedBytes(extents, manifestBytes)) + RoundUp(inlineBytes);

    public static int NamedBytes(string name) => LogFormat.RoundUpToEntry(
        LogEntryView.HeaderBytes + Encoding.UTF8.GetByteCount(name));

    public static int VoidBytes => LogEntryView.HeaderBytes;

    /// <param name="target">Exactly <see cref="CommitBytes"/> long.</param>
    public static void WriteCommit(
        Span<byte> target,
        in CommitEntry entry,
        ReadOnlySpan<byte> manifest,
        ReadOnlySpan<byte> inlineShard)
    {
        ReadOnlySpan<Extent> extents = entry.Extents.Span;
        int covered = (int)CheckedBytes(extents.Length, manifest.Length);
        int inlineStart = LogFormat.RoundUpToEntry(covered);
        WriteHeader(target, LogEntryKind.Commit, entry.Id, entry.CreatedMs, covered);
        BinaryPrimitives.WriteInt32LittleEndian(target[40..], inlineShard.Length);
        BinaryPrimitives.WriteInt32LittleEndian(target[44..], inlineStart);
        BinaryPrimitives.WriteUInt16LittleEndian(target[64..], (ushort)entry.Position);
        target[66] = (byte)entry.DataShards;
        target[67] = (byte)entry.ParityShards;
        BinaryPrimitives.WriteUInt32LittleEndian(target[68..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(target[72..], entry.ExpiresMs);
        BinaryPrimitives.WriteInt64LittleEndian(target[80..], entry.TtlMs);
        BinaryPrimitives.WriteInt32LittleEndian(target[88..], extents.Length);
        BinaryPrimitives.WriteInt32LittleEndian(target[92..], manifest.Length);
        int at = LogEntryView.CommitFixedBytes;
        foreach (Extent extent in extents)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(target[at..], extent.FirstStripe);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 4)..], extent.Stripes);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 8)..], extent.Segment);
            BinaryPrimitives.WriteUInt32LittleEndian(target[(at + 12)..], extent.Offset);
            at += Extent.Bytes;
        }

        manifest.CopyTo(target[at..]);
        target[covered..inlineStart].Clear();
        inlineShard.CopyTo(target[inlineStart..]);
        target[(inlineStart + inlineShard.Length)..].Clear();
        Seal(target, covered);
    }

    /// <param name="target">Exactly <see cref="NamedBytes"/> long.</param>
    /// <param name="kind">Tombstone or touch.</param>
    /// <param name="id">The version; default for a tombstone.</param>
    /// <param name="timeMs">Removed, or the new expiry.</param>
    /// <param name="name">The object's name.</param>
    public static void WriteNamed(
        Span<byte> target, LogEntryKind kind, ObjectId id, long timeMs, string name)
    {
        int nameBytes = Encoding.UTF8.GetBytes(name, target[LogEntryView.HeaderBytes..]);
        int covered = LogEntryView.HeaderBytes + nameBytes;
        WriteHeader(target, kind, id, timeMs, covered);
        BinaryPrimitives.WriteInt32LittleEndian(target[48..], nameBytes);
        target[covered..].Clear();
        Seal(target, covered);
    }

    /// <param name="target">Exactly <see cref="VoidBytes"/> long.</param>
    /// <param name="id">The version that does not count.</param>
    public static void WriteVoid(Span<byte> target, ObjectId id)
    {
        WriteHeader(target, LogEntryKind.Void, id, 0, LogEntryView.HeaderBytes);
        Seal(target, LogEntryView.HeaderBytes);
    }

    /// <summary>
    /// Turns any entry into one that says nothing: a void of no object, as long as before.
    /// </summary>
    public static void WriteFiller(Span<byte> entry) => WriteVoid(entry, default);

    private static void WriteHeader(
        Span<byte> target, LogEntryKind kind, ObjectId id, long timeMs, int covered)
    {
        target[..LogEntryView.HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(target, LogEntryView.Magic);
        target[4] = (byte)kind;
        target[5] = LogEntryView.Version;
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], target.Length);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], covered);
        id.Write(target[16..]);
        BinaryPrimitives.WriteInt64LittleEndian(target[32..], timeMs);
    }

    private static void Seal(Span<byte> target, int covered) =>
        BinaryPrimitives.WriteUInt32LittleEndian(
            target[LogEntryView.ChecksumOffset..], LogEntryView.ChecksumOf(target[..covered]));

    private static long CheckedBytes(int extents, int manifestBytes) =>
        LogEntryView.CommitFixedBytes + ((long)extents * Extent.Bytes) + manifestBytes;

    private static long RoundUp(long bytes) =>
        (bytes + LogFormat.EntryAlignment - 1) & -LogFormat.EntryAlignment;
}
