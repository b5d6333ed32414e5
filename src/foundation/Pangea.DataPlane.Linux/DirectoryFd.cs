using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// An open directory, and every call that names something below it. A process that only holds such
/// a descriptor needs no path and no permission on the way to it.
/// </summary>
public sealed unsafe class DirectoryFd : IDisposable
{
    private const int ListBufferBytes = 32 * 1024;

    private DirectoryFd(OwnedFd fd) => Fd = fd;

    /// <summary>The descriptor, owned by this object.</summary>
    public OwnedFd Fd { get; }

    public static Result<DirectoryFd> Open(string path)
    {
        Result<OwnedFd> opened = Files.Open(path, OpenFlags.Read | OpenFlags.Directory);
        return opened.IsOk ? new DirectoryFd(opened.Value) : opened.Fault;
    }

    /// <summary>
    /// Takes ownership, on success only, of a descriptor that must be a directory's.
    /// </summary>
    public static Result<DirectoryFd> Adopt(OwnedFd fd)
    {
        Result<FileStatus> status = Files.Status(fd);
        if (!status.IsOk)
        {
            return status.Fault;
        }

        return status.Value.Kind == FileKind.Directory
            ? new DirectoryFd(fd)
            : new Fault(FaultCode.BadDescriptor, $"{fd} is not a directory's descriptor");
    }

    /// <summary>
    /// Opens a file below. A new file gets <paramref name="mode"/>, by default 0600.
    /// </summary>
    public Result<OwnedFd> OpenFile(string name, OpenFlags flags, int mode = 0x180) =>
        Files.OpenAt(Fd.Number, name, flags, mode);

    public Result<DirectoryFd> OpenDirectory(string name)
    {
        Result<OwnedFd> opened = OpenFile(
            name, OpenFlags.Read | OpenFlags.Directory | OpenFlags.NoFollow);
        return opened.IsOk ? new DirectoryFd(opened.Value) : opened.Fault;
    }

    /// <summary>Makes a directory, by default 0700; EEXIST where the name is taken.</summary>
    public SysResult MakeDirectory(string name, int mode = 0x1C0)
    {
        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(name, text))
        {
            return SysResult.Fail(Errno.EINVAL);
        }

        // SAFETY: text is zero-terminated and lives on this stack frame until the call returns.
        fixed (byte* pointer = text)
        {
            return Call.Of(LibC.mkdirat(Fd.Number, pointer, (uint)mode));
        }
    }

    /// <summary>
    /// Moves a name. Both directories are on the same file system (EXDEV otherwise).
    /// </summary>
    /// <param name="from">Name in this directory.</param>
    /// <param name="toDirectory">Where to.</param>
    /// <param name="to">Name there.</param>
    /// <param name="replace">False: EEXIST where the new name is taken.</param>
    public SysResult Rename(string from, DirectoryFd toDirectory, string to, bool replace)
    {
        Span<byte> fromText = stackalloc byte[Files.PathBytesMax];
        Span<byte> toText = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(from, fromText) || !Call.TryCString(to, toText))
        {
            return SysResult.Fail(Errno.EINVAL);
        }

        // SAFETY: both texts are zero-terminated and live on this stack frame until the call
        // returns.
        fixed (byte* fromPointer = fromText)
        fixed (byte* toPointer = toText)
        {
            return Call.Of(LibC.renameat2(
                Fd.Number,
                fromPointer,
                toDirectory.Fd.Number,
                toPointer,
                replace ? 0 : Fcntl.RENAME_NOREPLACE));
        }
    }

    public SysResult RemoveFile(string name) => Unlink(name, 0);

    /// <summary>Removes an empty directory.</summary>
    public SysResult RemoveDirectory(string name) => Unlink(name, Fcntl.AT_REMOVEDIR);

    /// <summary>Status of a name, of a symbolic link itself.</summary>
    public SysResult StatusOf(string name, out FileStatus status) =>
        Files.StatAt(Fd.Number, name, Fcntl.AT_SYMLINK_NOFOLLOW, out status);

    public SysResult ChangeOwner(string name, uint uid, uint gid)
    {
        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(name, text))
        {
            return SysResult.Fail(Errno.EINVAL);
        }

        // SAFETY: text is zero-terminated and lives on this stack frame until the call returns.
        fixed (byte* pointer = text)
        {
            return Call.Of(LibC.fchownat(
                Fd.Number, pointer, uid, gid, Fcntl.AT_SYMLINK_NOFOLLOW));
        }
    }

    /// <summary>Makes added, removed and renamed names durable.</summary>
    public SysResult Sync() => Files.Sync(Fd, dataOnly: false);

    public Result<FileSystemSpace> Space() => Files.Space(Fd);

    /// <summary>
    /// All names but "." and "..", in the file system's order. Reads through a descriptor of its
    /// own, so that two listings never share a position.
    /// </summary>
    public Result<List<DirectoryEntry>> List()
    {
        Result<OwnedFd> opened = OpenFile(".", OpenFlags.Read | OpenFlags.Directory);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using OwnedFd own = opened.Value;
        var entries = new List<DirectoryEntry>();
        byte[] buffer = new byte[ListBufferBytes];
        while (true)
        {
            SysResult result;
            // SAFETY: the array is pinned for the duration of the call, which writes at most its
            // length.
            fixed (byte* pointer = buffer)
            {
                result = Call.Of(LibC.getdents64(own.Number, pointer, (nuint)buffer.Length));
            }

            if (!result.IsOk)
            {
                return result.Errno.ToFault("list a directory");
            }

            if (result.Value == 0)
            {
                return entries;
            }

            Decode(buffer.AsSpan(0, (int)result.Value), entries);
        }
    }

    public void Dispose() => Fd.Dispose();

    private static void Decode(ReadOnlySpan<byte> bytes, List<DirectoryEntry> entries)
    {
        while (bytes.Length > linux_dirent64.d_name_offset)
        {
            int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(
                bytes[linux_dirent64.d_reclen_offset..]);
            ReadOnlySpan<byte> name = bytes[linux_dirent64.d_name_offset..entryBytes];
            name = name[..name.IndexOf((byte)0)];
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
            {
                entries.Add(new DirectoryEntry(
                    Encoding.UTF8.GetString(name), KindOf(bytes[linux_dirent64.d_type_offset])));
            }

            bytes = bytes[entryBytes..];
        }
    }

    private static FileKind KindOf(byte type) => type switch
    {
        linux_dirent64.DT_REG => FileKind.Regular,
        linux_dirent64.DT_DIR => FileKind.Directory,
        linux_dirent64.DT_LNK => FileKind.SymbolicLink,
        linux_dirent64.DT_FIFO => FileKind.Pipe,
        linux_dirent64.DT_SOCK => FileKind.Socket,
        linux_dirent64.DT_CHR => FileKind.CharacterDevice,
        linux_dirent64.DT_BLK => FileKind.BlockDevice,
        _ => FileKind.Unknown,
    };

    private SysResult Unlink(string name, int flags)
    {
        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(name, text))
        {
            return SysResult.Fail(Errno.EINVAL);
        }

        // SAFETY: text is zero-terminated and lives on this stack frame until the call returns.
        fixed (byte* pointer = text)
        {
            return Call.Of(LibC.unlinkat(Fd.Number, pointer, flags));
        }
    }
}
