using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Segments as files below <c>segments/</c>: eight hexadecimal digits of the sequence number, then
/// <c>.journal</c> or <c>.shards</c>.
/// </summary>
public sealed class DirectorySegmentStore : ISegmentStore
{
    internal const string SegmentsName = "segments";
    internal const string ReserveName = "reserve";
    private const int SequenceDigits = 8;
    private const string JournalEnding = ".journal";
    private const string ShardsEnding = ".shards";

    private readonly DirectoryFd _root;
    private readonly DirectoryFd _segments;

    private DirectorySegmentStore(
        DeviceId device, DirectoryFd root, DirectoryFd segments, bool directIo, long totalBytes)
    {
        Device = device;
        _root = root;
        _segments = segments;
        UsesDirectIo = directIo;
        SegmentBytesMax = SegmentBytesFor(totalBytes);
    }

    public DeviceId Device { get; }

    public bool UsesDirectIo { get; }

    public long SegmentBytesMax { get; }

    public bool AllowsAnyLength => true;

    /// <summary>For looking whether the directory is still there.</summary>
    internal OwnedFd Directory => _segments.Fd;

    // What a tombstone on a full device needs, and a compaction that has to copy a little first.
    private long ReserveBytes => Math.Max(64 * 1024, SegmentBytesMax / 16);

    /// <param name="root">Borrowed; outlives the store.</param>
    /// <param name="device">From the superblock.</param>
    /// <param name="directIo">Whether files take O_DIRECT.</param>
    public static Result<DirectorySegmentStore> Open(
        DirectoryFd root, DeviceId device, bool directIo)
    {
        SysResult made = root.MakeDirectory(SegmentsName);
        if (!made.IsOk && made.Errno != Errno.EEXIST && made.Errno != Errno.EROFS)
        {
            return made.Errno.ToFault($"make {SegmentsName}/");
        }

        Result<DirectoryFd> segments = root.OpenDirectory(SegmentsName);
        if (!segments.IsOk)
        {
            return segments.Fault;
        }

        // Before the first segment is made. Where there is one, that was done: a start after a
        // crash does not wait for it once for every device.
        if (made.IsOk || segments.Value.List() is not { IsOk: true, Value.Count: > 0 })
        {
            root.Sync();
        }

        Result<FileSystemSpace> space = root.Space();
        return new DirectorySegmentStore(
            device, root, segments.Value, directIo, space.IsOk ? space.Value.TotalBytes : 0);
    }

    /// <summary>
    /// 64 MiB; less on a small file system, so that a segment that is mostly garbage never keeps
    /// much of it; more where a number of files would else reach the hundred thousands.
    /// </summary>
    internal static long SegmentBytesFor(long totalBytes)
    {
        const long mebibyte = 1024 * 1024;
        long usual = Math.Clamp(totalBytes / 64, mebibyte, 64 * mebibyte);
        long bytes = Math.Clamp(totalBytes / 8192, usual, 1024 * mebibyte);
        return bytes & -mebibyte;
    }

    public Result<List<SegmentName>> List(Span<byte> scratch)
    {
        Result<List<DirectoryEntry>> entries = _segments.List();
        if (!entries.IsOk)
        {
            return entries.Fault;
        }

        var names = new List<SegmentName>(entries.Value.Count);
        foreach (DirectoryEntry entry in entries.Value)
        {
            if (TryParse(entry.Name, out uint sequence, out SegmentKind kind)
                && _segments.StatusOf(entry.Name, out FileStatus status).IsOk)
            {
                names.Add(new SegmentName(sequence, kind, status.Bytes));
            }
        }

        names.Sort((left, right) => left.Sequence.CompareTo(right.Sequence));
        return names;
    }

    public Result<SegmentFile> Create(uint sequence, SegmentKind kind, long bytes)
    {
        string name = NameOf(sequence, kind);
        Result<OwnedFd> file = _segments.OpenFile(
            name, Flags | OpenFlags.Create | OpenFlags.Exclusive);
        if (!file.IsOk)
        {
            return file.Fault;
        }

        SysResult reserved = Files.Reserve(file.Value, 0, bytes, keepLength: false);
        if (reserved.Errno == Errno.EOPNOTSUPP)
        {
            // Then a full disk is met when writing; everything else works the same.
            reserved = Files.Truncate(file.Value, bytes);
        }

        if (!reserved.IsOk)
        {
            file.Value.Dispose();
            _segments.RemoveFile(name);
            return reserved.Errno.ToFault($"reserve {bytes} bytes for a segment");
        }

        return new SegmentFile(file.Value, 0, bytes, IsShared: false);
    }

    public Result<SegmentFile> Open(uint sequence, SegmentKind kind)
    {
        string name = NameOf(sequence, kind);
        Result<OwnedFd> file = _segments.OpenFile(name, Flags);
        if (!file.IsOk && file.Fault.Errno is 30 or 13 or 1)
        {
            // EROFS, EACCES, EPERM: reading goes on.
            file = _segments.OpenFile(name, Flags & ~OpenFlags.Write);
        }

        if (!file.IsOk)
        {
            return file.Fault;
        }

        Result<FileStatus> status = Files.Status(file.Value);
        return status.IsOk
            ? new SegmentFile(file.Value, 0, status.Value.Bytes, IsShared: false)
            : status.Fault;
    }

    // fallocate(2) waits for direct writes under way before it touches a file, and reserving what
    // is reserved already changes nothing.
    public bool WaitForWrites(SegmentFile file) =>
        Files.Reserve(file.Fd, 0, file.Bytes, keepLength: true).IsOk;

    public long NextWritten(SegmentFile file, long offset)
    {
        SysResult next = Files.NextData(file.Fd, offset);
        return next.IsOk ? Math.Min(next.Value, file.Bytes)
            : next.Errno == Errno.ENXIO ? file.Bytes
            : offset;
    }

    public SysResult Remove(uint sequence, SegmentKind kind, Span<byte> scratch) =>
        _segments.RemoveFile(NameOf(sequence, kind));

    public ValueTask<SysResult> SyncNamesAsync(IReactor reactor) =>
        reactor.SyncAsync(_segments.Fd, dataOnly: false);

    public bool GiveUpReserve() => _root.RemoveFile(ReserveName).IsOk;

    public void KeepReserve()
    {
        Result<OwnedFd> file = _root.OpenFile(ReserveName, OpenFlags.Write | OpenFlags.Create);
        if (file.IsOk)
        {
            // Without room there is no reserve until there is.
            bool kept = Files.Reserve(file.Value, 0, ReserveBytes, keepLength: true).IsOk;
            file.Value.Dispose();
            if (!kept)
            {
                _root.RemoveFile(ReserveName);
            }
        }
    }

    public void Dispose() => _segments.Dispose();

    private OpenFlags Flags =>
        OpenFlags.Read | OpenFlags.Write | (UsesDirectIo ? OpenFlags.Direct : default);

    internal static string NameOf(uint sequence, SegmentKind kind) =>
        sequence.ToString("x8", CultureInfo.InvariantCulture)
            + (kind == SegmentKind.Journal ? JournalEnding : ShardsEnding);

    private static bool TryParse(string name, out uint sequence, out SegmentKind kind)
    {
        kind = name.EndsWith(JournalEnding, StringComparison.Ordinal)
            ? SegmentKind.Journal
            : SegmentKind.Shards;
        sequence = 0;
        return name.Length > SequenceDigits
            && uint.TryParse(
                name.AsSpan(0, SequenceDigits), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture, out sequence)
            && sequence > 0
            && name == NameOf(sequence, kind);
    }
}
