// HOT PATH: reading an entry makes views over its bytes and nothing else.

using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>What an entry of the journal says.</summary>
public enum LogEntryKind : byte
{
    /// <summary>The shards of one position of an object are durable here.</summary>
    Commit = 1,

    /// <summary>Every version of a name up to a moment is removed.</summary>
    Tombstone = 2,

    /// <summary>A version was never finished; its commits do not count.</summary>
    Void = 3,

    /// <summary>A version's expiry moved.</summary>
    Touch = 4,
}

/// <summary>
/// One entry, read in place; valid as long as the bytes it was read from. The 64-byte header:
/// <code>
///  0 magic "PGEN"      4 kind u8, version u8, 0 u16   8 bytes u32 (whole entry, multiple of 64)
/// 12 checked bytes u32 (what the CRC covers: all but the inline shard)
/// 16 object id 16      32 time i64 (created, removed, new expiry; ms)
/// 40 inline bytes u32  44 inline start u32            48 name bytes u32, 0 u64
/// 60 CRC-32C of bytes 0..59 and 64..checked bytes
/// </code>
/// A commit goes on with 64 position u16, k u8, m u8, 0 u32; 72 expires i64; 80 ttl i64; 88 extents
/// u32; 92 manifest bytes u32; 96 the extents, 16 bytes each; the manifest; then, on a multiple of
/// 64, the inline shard. The name of a tombstone or touch is UTF-8 from byte 64.
/// </summary>
public readonly ref struct LogEntryView
{
    internal const int HeaderBytes = 64;
    internal const int CommitFixedBytes = 96;
    internal const uint Magic = 0x4E454750; // "PGEN"
    internal const byte Version = 1;
    internal const int ChecksumOffset = 60;

    private readonly ReadOnlySpan<byte> _bytes;

    private LogEntryView(ReadOnlySpan<byte> bytes, LogAddress address)
    {
        _bytes = bytes;
        Address = address;
    }

    public LogAddress Address { get; }

    public LogEntryKind Kind => (LogEntryKind)_bytes[4];

    /// <summary>The object version; zero for a tombstone.</summary>
    public ObjectId Id => ObjectId.Read(_bytes[16..]);

    /// <summary>Created, removed, or the new expiry, by kind; ms since 1970.</summary>
    public long TimeMs => BinaryPrimitives.ReadInt64LittleEndian(_bytes[32..]);

    /// <summary>Of a tombstone or touch.</summary>
    public ReadOnlySpan<byte> Name =>
        Kind == LogEntryKind.Commit ? default : _bytes.Slice(HeaderBytes, (int)UInt32At(48));

    public string NameText => Encoding.UTF8.GetString(Name);

    public int Position => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[64..]);

    public int DataShards => _bytes[66];

    public int ParityShards => _bytes[67];

    public long ExpiresMs => BinaryPrimitives.ReadInt64LittleEndian(_bytes[72..]);

    public long TtlMs => BinaryPrimitives.ReadInt64LittleEndian(_bytes[80..]);

    public int ExtentCount => (int)UInt32At(88);

    /// <summary>The encoded manifest of a commit.</summary>
    public ReadOnlySpan<byte> Manifest => _bytes.Slice(ManifestStart, (int)UInt32At(92));

    /// <summary>Shard header and payload of a packed object; else empty.</summary>
    public ReadOnlySpan<byte> InlineShard => _bytes.Slice(InlineStart, InlineBytes);

    internal ReadOnlySpan<byte> Raw => _bytes;

    internal int ManifestStart => CommitFixedBytes + (ExtentCount * Extent.Bytes);

    // Without bytes the field was not judged.
    internal int InlineStart => InlineBytes == 0 ? 0 : (int)UInt32At(44);

    internal int InlineBytes => (int)UInt32At(40);

    public Extent ExtentAt(int index)
    {
        int at = CommitFixedBytes + (index * Extent.Bytes);
        return new Extent(UInt32At(at), UInt32At(at + 4), UInt32At(at + 8), UInt32At(at + 12));
    }

    /// <summary>The fixed fields and the extents of a commit, copied out of the bytes.</summary>
    public CommitEntry ToCommit()
    {
        Invariant.Check(Kind == LogEntryKind.Commit);
        Extent[] extents = ExtentCount == 0 ? [] : new Extent[ExtentCount];
        for (int i = 0; i < extents.Length; i++)
        {
            extents[i] = ExtentAt(i);
        }

        return new CommitEntry(
            Id, Position, DataShards, ParityShards, TimeMs, ExpiresMs, TtlMs, extents);
    }

    /// <summary>
    /// Reads an entry that starts at the beginning of the bytes; false for anything but a whole
    /// one of this version. The inline shard is not judged: it has checksums of its own.
    /// </summary>
    internal static bool TryRead(
        ReadOnlySpan<byte> bytes, uint segment, uint offset, out LogEntryView entry)
    {
        entry = default;
        if (bytes.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
        {
            return false;
        }

        uint whole = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        uint covered = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        if (whole > bytes.Length || whole % LogFormat.EntryAlignment != 0
            || covered < HeaderBytes || covered > whole
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..])
                != ChecksumOf(bytes[..(int)covered]))
        {
            return false;
        }

        var read = new LogEntryView(
            bytes[..(int)whole], new LogAddress(segment, offset, whole));
        if (!read.IsPlausible(covered))
        {
            return false;
        }

        entry = read;
        return true;
    }

    /// <summary>How long the entry at the start of the bytes says it is; 0 for none.</summary>
    internal static uint BytesOf(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= HeaderBytes && BinaryPrimitives.ReadUInt32LittleEndian(bytes) == Magic
            ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..])
            : 0;

    internal static uint ChecksumOf(ReadOnlySpan<byte> covered) => LogFormat.Checksum(
        covered[HeaderBytes..], LogFormat.Checksum(covered[..ChecksumOffset]));

    // The checksum held, so wrong lengths are a defect of the writer; they must not lead outside.
    private bool IsPlausible(uint covered)
    {
        if (_bytes[5] != Version)
        {
            return false;
        }

        ulong inlineEnd = (ulong)UInt32At(44) + UInt32At(40);
        if (UInt32At(40) != 0 && (UInt32At(44) < covered || inlineEnd > (ulong)_bytes.Length))
        {
            return false;
        }

        switch (Kind)
        {
            case LogEntryKind.Commit:
                return covered >= CommitFixedBytes
                    && CommitFixedBytes + ((ulong)UInt32At(88) * Extent.Bytes) + UInt32At(92)
                        == covered;
            case LogEntryKind.Tombstone or LogEntryKind.Touch:
                return HeaderBytes + (ulong)UInt32At(48) == covered;
            default:
                return Kind == LogEntryKind.Void && covered == HeaderBytes;
        }
    }

    private uint UInt32At(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[at..]);
}
