using Pangea.DataPlane.Linux.Jailing;
using static Pangea.DataPlane.Worker.Isolation.CallRules;

namespace Pangea.DataPlane.Worker.Isolation;

/// <summary>System calls of a storage worker that has started, beside the runtime's.</summary>
internal static class StorageCalls
{
    // BLKGETSIZE64 and BLKSSZGET of linux/fs.h.
    private const ulong BLKGETSIZE64 = 0x80081272;
    private const ulong BLKSSZGET = 0x1268;

    public static readonly SystemCallRule[] Rules =
    [
        // The ring. It is made before the filter, and another one cannot be: what its owner may
        // do with it stays what it was made for.
        Rarely("io_uring_enter", "submit and wait; not with the plain loop"),
        Rarely("io_uring_register", "buffers and files of a device that was added"),

        // The channel to the supervisor. No socket can be made or connected.
        Allow("recvmsg", "calls with their descriptors"),
        Allow("sendmsg", "replies"),
        Rarely("recvfrom", "callers' sockets as source"),
        Rarely("sendto", "callers' sockets as target"),
        Rarely("getsockopt", "of what kind a caller's socket is"),
        Rarely("shutdown", "the end of the channel"),

        // Devices: segments are made, filled, read and removed below their directories.
        Allow("statx", "what a descriptor is, how long a file"),
        Allow("fcntl", "how a caller's file was opened; the catalog's locks"),
        Rarely("lseek", "the offset of a caller's file"),
        Rarely("fallocate", "room for a segment, and its return"),
        Rarely("ftruncate", "the same where fallocate is unknown; a caller's target"),
        Rarely("fsync", "names in a directory, durable"),
        Rarely("fdatasync", "data, by the plain loop and the catalog"),
        Rarely("sync_file_range", "the catalog"),
        Rarely("msync", "the same"),
        Rarely("pread64", "the plain loop and the catalog"),
        Rarely("pwrite64", "the same"),
        Rarely("preadv", "the same"),
        Rarely("pwritev", "the same"),
        Rarely("preadv2", "callers' pipes, without waiting"),
        Rarely("pwritev2", "the same"),
        Allow("write", "the log; the wake-up of the loop"),
        Rarely("readv", "callers' pipes"),
        Rarely("writev", "the same; the C library's last words"),
        Rarely("eventfd2", "the wake-up of a loop"),
        Rarely("renameat", "a file takes its name when it is whole"),
        Rarely("renameat2", "the same, and never over another"),
        Rarely("unlinkat", "segments that compaction has emptied"),
        Rarely("mkdirat", "a new device's directories"),
        Rarely("getdents64", "the segments of a device"),
        Rarely("fstatfs", "room on a device"),
        Rarely("statfs", "the same"),
        Rarely("flock", "one worker a device"),
        Rarely("fchmod", "a new device's files"),
        Rarely("ioctl", "size of a block device", new ArgumentCondition(1, BLKGETSIZE64)),
        Rarely("ioctl", "its sector size", new ArgumentCondition(1, BLKSSZGET)),
    ];
}
