using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Synchronous calls on open descriptors. They may wait for a disk: the data path uses the reactor
/// instead, and these serve start-up, metadata and tests.
/// </summary>
public static unsafe class Files
{
    internal const int PathBytesMax = 4096;

    /// <summary>Opens by path; relative to the current directory.</summary>
    public static Result<OwnedFd> Open(string path, OpenFlags flags, int mode = 0x180) =>
        OpenAt(Fcntl.AT_FDCWD, path, flags, mode);

    /// <summary>An anonymous file in memory; the name only shows up in /proc.</summary>
    public static Result<OwnedFd> CreateMemoryFile(string name)
    {
        Span<byte> text = stackalloc byte[256];
        if (!Call.TryCString(name, text))
        {
            return Errno.EINVAL.ToFault($"make the memory file {name}");
        }

        // SAFETY: text is zero-terminated and lives on this stack frame until the call returns.
        fixed (byte* pointer = text)
        {
            return Own(
                Call.Of(LibC.memfd_create(pointer, Fcntl.MFD_CLOEXEC | Fcntl.MFD_ALLOW_SEALING)),
                "make a memory file");
        }
    }

    public static Result<FileStatus> Status(OwnedFd file)
    {
        SysResult result = Statx(file, statx.STATX_BASIC_STATS, out statx status);
        return result.IsOk ? FileStatus.From(status) : result.Errno.ToFault("read a file's status");
    }

    /// <summary>The kind alone, without an allocation on failure (Unknown).</summary>
    public static FileKind KindOf(OwnedFd file) =>
        Statx(file, 1 /* STATX_TYPE */, out statx status).IsOk
            ? FileStatus.KindOf(status.stx_mode)
            : FileKind.Unknown;

    public static Result<FileAccessMode> AccessMode(OwnedFd file)
    {
        SysResult result = Call.Of(LibC.fcntl(file.Number, Fcntl.F_GETFL, 0));
        if (!result.IsOk)
        {
            return result.Errno.ToFault("read a descriptor's access mode");
        }

        int flags = (int)result.Value;
        int access = flags & Fcntl.O_ACCMODE;
        return new FileAccessMode(
            Readable: access is Fcntl.O_RDONLY or Fcntl.O_RDWR,
            Writable: access is Fcntl.O_WRONLY or Fcntl.O_RDWR,
            Append: (flags & Fcntl.O_APPEND) != 0,
            NonBlocking: (flags & Fcntl.O_NONBLOCK) != 0,
            Direct: (flags & Fcntl.O_DIRECT) != 0);
    }

    /// <summary>
    /// Turns O_DIRECT of an open file on or off, for everyone who shares it. Operations under way
    /// keep what they began with.
    /// </summary>
    public static SysResult SetDirect(OwnedFd file, bool isDirect)
    {
        SysResult flags = Call.Of(LibC.fcntl(file.Number, Fcntl.F_GETFL, 0));
        if (!flags.IsOk)
        {
            return flags;
        }

        int wanted = isDirect
            ? (int)flags.Value | Fcntl.O_DIRECT
            : (int)flags.Value & ~Fcntl.O_DIRECT;
        return Call.Of(LibC.fcntl(file.Number, Fcntl.F_SETFL, wanted));
    }

    /// <summary>Room on the file system that holds the file or directory.</summary>
    public static Result<FileSystemSpace> Space(OwnedFd file)
    {
        statvfs status;
        SysResult result = Call.Of(LibC.fstatvfs(file.Number, &status));
        const ulong readOnly = 1; // ST_RDONLY
        return result.IsOk
            ? new FileSystemSpace(
                (long)(status.f_bavail * status.f_frsize),
                (long)(status.f_blocks * status.f_frsize),
                (status.f_flag & readOnly) != 0)
            : result.Errno.ToFault("read the free space");
    }

    /// <summary>Reads at an offset until the span is full or the file ends.</summary>
    /// <returns>Bytes read; less than asked only at the end of the file.</returns>
    public static SysResult ReadAt(OwnedFd file, Span<byte> bytes, long offset)
    {
        int done = 0;
        // SAFETY: the span is pinned for the duration of the calls and done never exceeds its
        // length.
        fixed (byte* pointer = bytes)
        {
            while (done < bytes.Length)
            {
                nint read = LibC.pread(
                    file.Number, pointer + done, (nuint)(bytes.Length - done), offset + done);
                if (Call.Interrupted(read))
                {
                    continue;
                }

                if (read < 0)
                {
                    return Call.Of(read);
                }

                if (read == 0)
                {
                    break;
                }

                done += (int)read;
            }
        }

        return new SysResult(done);
    }

    /// <summary>Writes the whole span at an offset.</summary>
    public static SysResult WriteAt(OwnedFd file, ReadOnlySpan<byte> bytes, long offset)
    {
        int done = 0;
        // SAFETY: the span is pinned for the duration of the calls and done never exceeds its
        // length.
        fixed (byte* pointer = bytes)
        {
            while (done < bytes.Length)
            {
                nint written = LibC.pwrite(
                    file.Number, pointer + done, (nuint)(bytes.Length - done), offset + done);
                if (Call.Interrupted(written))
                {
                    continue;
                }

                if (written < 0)
                {
                    return Call.Of(written);
                }

                done += (int)written;
            }
        }

        return new SysResult(done);
    }

    /// <summary>One read(2) from the current position; waits where the descriptor does.</summary>
    public static SysResult Read(OwnedFd file, Span<byte> bytes)
    {
        // SAFETY: the span is pinned for the duration of the call.
        fixed (byte* pointer = bytes)
        {
            nint read;
            do
            {
                read = LibC.read(file.Number, pointer, (nuint)bytes.Length);
            }
            while (Call.Interrupted(read));

            return Call.Of(read);
        }
    }

    /// <summary>One write(2) at the current position; may write less than asked.</summary>
    public static SysResult Write(OwnedFd file, ReadOnlySpan<byte> bytes)
    {
        // SAFETY: the span is pinned for the duration of the call.
        fixed (byte* pointer = bytes)
        {
            nint written;
            do
            {
                written = LibC.write(file.Number, pointer, (nuint)bytes.Length);
            }
            while (Call.Interrupted(written));

            return Call.Of(written);
        }
    }

    public static SysResult Sync(OwnedFd file, bool dataOnly) =>
        Call.Of(dataOnly ? LibC.fdatasync(file.Number) : LibC.fsync(file.Number));

    public static SysResult Truncate(OwnedFd file, long bytes) =>
        Call.Of(LibC.ftruncate(file.Number, bytes));

    /// <summary>
    /// Reserves room, so that later writes of the range cannot fail with ENOSPC. EOPNOTSUPP where
    /// the file system cannot.
    /// </summary>
    /// <param name="file">A regular file, writable.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="bytes">Length of the range.</param>
    /// <param name="keepLength">Do not let the file's length grow.</param>
    public static SysResult Reserve(OwnedFd file, long offset, long bytes, bool keepLength) =>
        Call.Of(LibC.fallocate(
            file.Number, keepLength ? Fcntl.FALLOC_FL_KEEP_SIZE : 0, offset, bytes));

    /// <summary>The current position; ESPIPE for pipes, sockets and terminals.</summary>
    public static SysResult Position(OwnedFd file) =>
        Call.Of(LibC.lseek(file.Number, 0, Fcntl.SEEK_CUR));

    /// <summary>Moves the current position; ESPIPE for pipes, sockets and terminals.</summary>
    public static SysResult SetPosition(OwnedFd file, long offset) =>
        Call.Of(LibC.lseek(file.Number, offset, Fcntl.SEEK_SET));

    /// <summary>flock(2) without waiting; EAGAIN when another open file holds it.</summary>
    public static SysResult TryLock(OwnedFd file, bool exclusive) =>
        Call.Of(LibC.flock(
            file.Number, (exclusive ? Fcntl.LOCK_EX : Fcntl.LOCK_SH) | Fcntl.LOCK_NB));

    public static SysResult Unlock(OwnedFd file) =>
        Call.Of(LibC.flock(file.Number, Fcntl.LOCK_UN));

    public static SysResult ChangeOwner(OwnedFd file, uint uid, uint gid) =>
        Call.Of(LibC.fchown(file.Number, uid, gid));

    public static SysResult ChangeMode(OwnedFd file, int mode) =>
        Call.Of(LibC.fchmod(file.Number, (uint)mode));

    /// <summary>A second descriptor for the same open file, close-on-exec.</summary>
    public static Result<OwnedFd> Duplicate(OwnedFd file) =>
        Own(Call.Of(LibC.fcntl(file.Number, Fcntl.F_DUPFD_CLOEXEC, 0)), "duplicate a descriptor");

    /// <summary>
    /// Whether the open file takes O_DIRECT, and with which alignment. Asks the kernel
    /// (STATX_DIOALIGN, Linux 6.1); where it does not say, opening the same file with O_DIRECT is
    /// the test.
    /// </summary>
    public static DirectIo ProbeDirectIo(OwnedFd file)
    {
        if (Statx(file, statx.STATX_BASIC_STATS | statx.STATX_DIOALIGN, out statx status).IsOk
            && (status.stx_mask & statx.STATX_DIOALIGN) != 0)
        {
            return new DirectIo(
                status.stx_dio_offset_align != 0,
                (int)status.stx_dio_mem_align,
                (int)status.stx_dio_offset_align);
        }

        Result<OwnedFd> again =
            Open($"/proc/self/fd/{file.Number}", OpenFlags.Read | OpenFlags.Direct);
        if (!again.IsOk)
        {
            return default;
        }

        again.Value.Dispose();
        return new DirectIo(true, 0, 0);
    }

    internal static Result<OwnedFd> OpenAt(int directory, string name, OpenFlags flags, int mode)
    {
        Span<byte> text = stackalloc byte[PathBytesMax];
        if (!Call.TryCString(name, text))
        {
            return Errno.EINVAL.ToFault($"open {name}");
        }

        // SAFETY: text is zero-terminated and lives on this stack frame until the call returns.
        fixed (byte* pointer = text)
        {
            int fd;
            do
            {
                fd = LibC.openat(directory, pointer, flags.ToKernel(), (uint)mode);
            }
            while (Call.Interrupted(fd));

            return fd >= 0 ? new OwnedFd(fd) : Call.Of(fd).Errno.ToFault($"open {name}");
        }
    }

    internal static SysResult StatAt(int directory, string name, int flags, out FileStatus status)
    {
        status = default;
        Span<byte> text = stackalloc byte[PathBytesMax];
        if (!Call.TryCString(name, text))
        {
            return SysResult.Fail(Errno.EINVAL);
        }

        statx raw;
        // SAFETY: text is zero-terminated; raw is as large as the kernel's struct (layout test).
        fixed (byte* pointer = text)
        {
            SysResult result = Call.Of(
                LibC.statx(directory, pointer, flags, statx.STATX_BASIC_STATS, &raw));
            if (result.IsOk)
            {
                status = FileStatus.From(raw);
            }

            return result;
        }
    }

    private static SysResult Statx(OwnedFd file, uint mask, out statx status)
    {
        statx raw = default;
        byte empty = 0;
        // SAFETY: an empty zero-terminated path and a struct of the kernel's size (layout test).
        SysResult result = Call.Of(
            LibC.statx(file.Number, &empty, Fcntl.AT_EMPTY_PATH, mask, &raw));
        status = raw;
        return result;
    }

    private static Result<OwnedFd> Own(SysResult result, string what) =>
        result.IsOk ? new OwnedFd((int)result.Value) : result.Errno.ToFault(what);
}
