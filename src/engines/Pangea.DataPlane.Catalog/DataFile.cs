using System.Buffers.Binary;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// The catalog's files in their directory: <c>catalog.lock</c>, held as long as the catalog is
/// open; LMDB's <c>data.mdb</c> and <c>lock.mdb</c>; <c>needs-rebuild</c> where damage was met;
/// <c>starts</c>, whose length counts the starts since one went well.
/// </summary>
internal sealed class DataFile : IDisposable
{
    private const string OwnLock = "catalog.lock";
    private const string DamageMark = "needs-rebuild";
    private const string StartsFile = "starts";

    // So many processes in a row that did not live to complete a checkpoint.
    private const int StartsMax = 8;

    // Layout of an LMDB 0.9 meta page (mdb.c, MDB_page and MDB_meta): a page header of 16 bytes,
    // magic, version, 8 bytes, map size, two tables of 48 bytes (the first begins with the page
    // size), last page, transaction.
    private const uint Magic = 0xBEEFC0DE;
    private const uint DataVersion = 1;
    private const int MetaPages = 2;
    private const int MagicOffset = 16;
    private const int PageBytesOffset = MagicOffset + 24;
    private const int LastPageOffset = PageBytesOffset + 96;
    private const int TransactionOffset = LastPageOffset + 8;
    private const int MetaBytes = TransactionOffset + 8;

    private readonly DirectoryFd _directory;
    private readonly OwnedFd _lock;

    private DataFile(DirectoryFd directory, OwnedFd ownLock)
    {
        _directory = directory;
        _lock = ownLock;
    }

    /// <summary>True where the file system has no room for one large write.</summary>
    public bool IsFull =>
        _directory.Space() is { IsOk: true, Value.FreeBytes: < 1024 * 1024 };

    /// <summary>Takes the directory for this process.</summary>
    public static Result<DataFile> Open(string path)
    {
        Result<DirectoryFd> directory = DirectoryFd.Open(path);
        if (!directory.IsOk)
        {
            return directory.Fault;
        }

        Result<OwnedFd> opened = directory.Value.OpenFile(
            OwnLock, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create);
        Fault? fault = opened.Fault;
        if (opened.IsOk && !TryLock(opened.Value))
        {
            opened.Value.Dispose();
            fault = new Fault(
                FaultCode.BadState,
                $"the catalog in {path} is open in another process",
                "stop the other appliance that uses this state directory");
        }

        if (fault is not null)
        {
            directory.Value.Dispose();
            return fault;
        }

        return new DataFile(directory.Value, opened.Value);
    }

    /// <summary>Remembers damage for the next start; failing to is of no more harm.</summary>
    public void MarkDamaged()
    {
        Result<OwnedFd> mark = _directory.OpenFile(
            DamageMark, OpenFlags.Write | OpenFlags.Create);
        if (mark.IsOk)
        {
            mark.Value.Dispose();
        }
    }

    /// <summary>
    /// Counts this start until <see cref="NoteAlive"/>. Inner pages of the library have no
    /// checksum; where one is damaged the process may end by it, and would again after each
    /// restart. So after a few such ends the file counts as damaged.
    /// </summary>
    public Fault? NoteStart()
    {
        Result<OwnedFd> opened = _directory.OpenFile(
            StartsFile, OpenFlags.Write | OpenFlags.Create | OpenFlags.Append);
        if (!opened.IsOk)
        {
            return null; // A directory that cannot be written says so elsewhere.
        }

        using OwnedFd file = opened.Value;
        Result<FileStatus> status = Files.Status(file);
        if (status.IsOk && status.Value.Bytes >= StartsMax)
        {
            return Damaged($"{StartsMax} processes in a row ended with it before a checkpoint");
        }

        _ = Files.Write(file, "."u8);
        return null;
    }

    /// <summary>This process lives with the file: a checkpoint was completed, or it was closed in
    /// order.</summary>
    public void NoteAlive() => _ = _directory.RemoveFile(StartsFile);

    /// <summary>Removes the file and what belongs to it.</summary>
    public Result Remove()
    {
        foreach (string name in (string[])
            [LmdbEnvironment.DataFile, LmdbEnvironment.LockFile, DamageMark, StartsFile])
        {
            SysResult removed = _directory.RemoveFile(name);
            if (!removed.IsOk && removed.Errno != Errno.ENOENT)
            {
                return removed.Errno.ToFault($"remove the catalog's {name}");
            }
        }

        return Result.Ok;
    }

    /// <summary>
    /// Looks at the file before the library maps it: reading a page that is not there would end the
    /// process (SIGBUS), and so might following a meta page of noise.
    /// </summary>
    public Fault? FindDamage()
    {
        if (_directory.StatusOf(DamageMark, out _).IsOk)
        {
            return Damaged("an earlier process met a damaged page");
        }

        Result<OwnedFd> opened = _directory.OpenFile(LmdbEnvironment.DataFile, OpenFlags.Read);
        if (!opened.IsOk)
        {
            return opened.Fault.Errno == Errno.ENOENT.Value ? null : opened.Fault;
        }

        using OwnedFd file = opened.Value;
        Result<FileStatus> status = Files.Status(file);
        if (!status.IsOk)
        {
            return status.Fault;
        }

        return status.Value.Bytes == 0 ? null : FindDamage(file, status.Value.Bytes);
    }

    public void Dispose()
    {
        _lock.Dispose();
        _directory.Dispose();
    }

    /// <summary>
    /// Half a second of patience: a process that was killed, or one between fork and exec, still
    /// holds the lock for a moment.
    /// </summary>
    private static bool TryLock(OwnedFd file)
    {
        const int triesMax = 25;
        const int pauseMs = 20;
        for (int tries = 0; !Files.TryLock(file, exclusive: true).IsOk; tries++)
        {
            if (tries == triesMax)
            {
                return false;
            }

            Thread.Sleep(pauseMs);
        }

        return true;
    }

    private static Fault? FindDamage(OwnedFd file, long fileBytes)
    {
        Span<byte> meta = stackalloc byte[MetaBytes];
        int pageBytes = Environment.SystemPageSize;
        ulong newest = 0;
        ulong lastPage = 0;
        for (int page = 0; page < MetaPages; page++)
        {
            SysResult read = Files.ReadAt(file, meta, (long)page * pageBytes);
            if (!read.IsOk)
            {
                return read.Errno.ToFault("read the catalog's first pages");
            }

            if (read.Value < MetaBytes)
            {
                return Damaged($"it ends after {fileBytes} bytes");
            }

            if (BinaryPrimitives.ReadUInt32LittleEndian(meta[MagicOffset..]) != Magic
                || BinaryPrimitives.ReadUInt32LittleEndian(meta[(MagicOffset + 4)..])
                    != DataVersion
                || BinaryPrimitives.ReadUInt32LittleEndian(meta[PageBytesOffset..]) != pageBytes)
            {
                return Damaged($"page {page} is no LMDB 0.9 meta page of {pageBytes} bytes");
            }

            ulong transaction = BinaryPrimitives.ReadUInt64LittleEndian(meta[TransactionOffset..]);
            if (page == 0 || transaction > newest)
            {
                newest = transaction;
                lastPage = BinaryPrimitives.ReadUInt64LittleEndian(meta[LastPageOffset..]);
            }
        }

        long needed = lastPage < int.MaxValue ? ((long)lastPage + 1) * pageBytes : long.MaxValue;
        return fileBytes < needed
            ? Damaged($"it has {fileBytes} bytes, its pages need {needed}")
            : null;
    }

    private static Fault Damaged(string why) => new(
        FaultCode.Corrupt, $"the catalog is damaged: {why}", "pangea catalog rebuild");
}
