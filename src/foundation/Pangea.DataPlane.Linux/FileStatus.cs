using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux;

/// <summary>What a descriptor or a directory entry stands for.</summary>
public enum FileKind
{
    Unknown,
    Regular,
    Directory,
    SymbolicLink,
    Pipe,
    Socket,
    CharacterDevice,
    BlockDevice,
}

/// <summary>The part of statx(2) that we act on.</summary>
/// <param name="Kind">Regular file, pipe, ...; an anonymous inode (eventfd) is Unknown.</param>
/// <param name="Bytes">Length of a regular file; 0 for most others.</param>
/// <param name="Inode">Inode number, unique within <paramref name="Device"/>.</param>
/// <param name="Device">
/// Number of the file system: major in the upper, minor in the lower 32 bits.
/// </param>
/// <param name="Mode">The twelve permission bits.</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="LinkCount">Names of the inode; 0 for an unlinked file that is still open.</param>
/// <param name="StoredBytes">Bytes allocated on the file system.</param>
/// <param name="ModifiedUnixNs">Last change of the content, nanoseconds since 1970.</param>
public readonly record struct FileStatus(
    FileKind Kind,
    long Bytes,
    ulong Inode,
    ulong Device,
    int Mode,
    uint Uid,
    uint Gid,
    uint LinkCount,
    long StoredBytes,
    long ModifiedUnixNs)
{
    /// <summary>
    /// Number of the device that a block or character device file stands for, as
    /// <paramref name="Device"/>; 0 for anything else.
    /// </summary>
    public ulong SpecialDevice { get; init; }

    internal static FileStatus From(in statx status) => new(
        KindOf(status.stx_mode),
        (long)status.stx_size,
        status.stx_ino,
        ((ulong)status.stx_dev_major << 32) | status.stx_dev_minor,
        status.stx_mode & 0xFFF,
        status.stx_uid,
        status.stx_gid,
        status.stx_nlink,
        (long)status.stx_blocks * 512, // statx counts 512-byte units whatever the block size
        (status.stx_mtime.tv_sec * 1_000_000_000L) + status.stx_mtime.tv_nsec)
    {
        SpecialDevice = ((ulong)status.stx_rdev_major << 32) | status.stx_rdev_minor,
    };

    internal static FileKind KindOf(int mode) => (mode & statx.S_IFMT) switch
    {
        statx.S_IFREG => FileKind.Regular,
        statx.S_IFDIR => FileKind.Directory,
        statx.S_IFLNK => FileKind.SymbolicLink,
        statx.S_IFIFO => FileKind.Pipe,
        statx.S_IFSOCK => FileKind.Socket,
        statx.S_IFCHR => FileKind.CharacterDevice,
        statx.S_IFBLK => FileKind.BlockDevice,
        _ => FileKind.Unknown,
    };
}

/// <summary>How a descriptor was opened (fcntl F_GETFL).</summary>
public readonly record struct FileAccessMode(
    bool Readable, bool Writable, bool Append, bool NonBlocking, bool Direct);

/// <summary>Room on a file system, for an unprivileged writer.</summary>
/// <param name="FreeBytes">What an unprivileged process may still write.</param>
/// <param name="TotalBytes">Size of the file system.</param>
/// <param name="ReadOnly">Mounted read-only.</param>
public readonly record struct FileSystemSpace(long FreeBytes, long TotalBytes, bool ReadOnly);

/// <summary>One name in a directory.</summary>
public readonly record struct DirectoryEntry(string Name, FileKind Kind);

/// <summary>What direct I/O asks for on one file.</summary>
/// <param name="Supported">False where the file system refuses O_DIRECT.</param>
/// <param name="MemoryAlignment">Bytes; 0 when unknown (use 4096).</param>
/// <param name="OffsetAlignment">Bytes; 0 when unknown (use 4096).</param>
public readonly record struct DirectIo(bool Supported, int MemoryAlignment, int OffsetAlignment);
