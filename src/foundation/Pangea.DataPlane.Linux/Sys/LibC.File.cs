using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

// Files, directories and mappings: open(2), read(2), rename(2), statx(2), mmap(2), poll(2),
// eventfd(2).
internal static unsafe partial class LibC
{
    // open(2) is variadic in C; on x86-64 and ARM64 Linux a variadic integer travels like a named
    // one.
    [LibraryImport("libc", SetLastError = true)]
    internal static partial int openat(int dirfd, byte* path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint pread(int fd, void* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint pwrite(int fd, void* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint preadv2(
        int fd, iovec* vectors, int count, long offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint pwritev2(
        int fd, iovec* vectors, int count, long offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fdatasync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fallocate(int fd, int mode, long offset, long length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int flock(int fd, int operation);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fchown(int fd, uint uid, uint gid);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fchownat(int dirfd, byte* path, uint uid, uint gid, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int renameat2(
        int fromDir, byte* from, int toDir, byte* to, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int unlinkat(int dirfd, byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int mkdirat(int dirfd, byte* path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint getdents64(int fd, void* buffer, nuint bytes);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int statx(
        int dirfd, byte* path, int flags, uint mask, statx* status);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fstatvfs(int fd, statvfs* status);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int memfd_create(byte* name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial void* mmap(
        void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int munmap(void* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int poll(pollfd* descriptors, ulong count, int timeoutMs);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int eventfd(uint initial, int flags);
}
