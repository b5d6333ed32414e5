using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

/// <summary>Numbers of io_uring(7), from linux/io_uring.h.</summary>
internal static class IoUring
{
    // The three calls have the same numbers on every architecture.
    internal const long SYS_io_uring_setup = 425;
    internal const long SYS_io_uring_enter = 426;
    internal const long SYS_io_uring_register = 427;

    internal const uint IORING_SETUP_CQSIZE = 0x8;
    internal const uint IORING_SETUP_CLAMP = 0x10;
    internal const uint IORING_SETUP_R_DISABLED = 0x40;
    internal const uint IORING_SETUP_SUBMIT_ALL = 0x80;
    internal const uint IORING_SETUP_COOP_TASKRUN = 0x100;
    internal const uint IORING_SETUP_SINGLE_ISSUER = 0x1000;
    internal const uint IORING_SETUP_DEFER_TASKRUN = 0x2000;

    internal const uint IORING_FEAT_SINGLE_MMAP = 0x1;
    internal const uint IORING_FEAT_NODROP = 0x2;
    internal const uint IORING_FEAT_RW_CUR_POS = 0x8;
    internal const uint IORING_FEAT_EXT_ARG = 0x100;

    internal const uint IORING_ENTER_GETEVENTS = 0x1;
    internal const uint IORING_ENTER_EXT_ARG = 0x8;
    internal const uint IORING_ENTER_REGISTERED_RING = 0x10;

    internal const long IORING_OFF_SQ_RING = 0;
    internal const long IORING_OFF_SQES = 0x10000000;

    internal const byte IORING_OP_NOP = 0;
    internal const byte IORING_OP_READV = 1;
    internal const byte IORING_OP_WRITEV = 2;
    internal const byte IORING_OP_FSYNC = 3;
    internal const byte IORING_OP_READ_FIXED = 4;
    internal const byte IORING_OP_WRITE_FIXED = 5;
    internal const byte IORING_OP_POLL_ADD = 6;
    internal const byte IORING_OP_TIMEOUT = 11;
    internal const byte IORING_OP_ASYNC_CANCEL = 14;
    internal const byte IORING_OP_READ = 22;
    internal const byte IORING_OP_WRITE = 23;

    internal const uint IORING_FSYNC_DATASYNC = 1;

    internal const uint IORING_TIMEOUT_ABS = 1;

    internal const byte IOSQE_FIXED_FILE = 0x1;
    internal const byte IOSQE_IO_LINK = 0x4;

    internal const uint IORING_REGISTER_BUFFERS = 0;
    internal const uint IORING_REGISTER_FILES = 2;
    internal const uint IORING_REGISTER_FILES_UPDATE = 6;
    internal const uint IORING_REGISTER_ENABLE_RINGS = 12;
    internal const uint IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
    internal const uint IORING_REGISTER_RING_FDS = 20;
    internal const uint IORING_UNREGISTER_RING_FDS = 21;
}

/// <summary>Where the parts of the submission ring lie in its mapping.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_sqring_offsets
{
    internal uint head;
    internal uint tail;
    internal uint ring_mask;
    internal uint ring_entries;
    internal uint flags;
    internal uint dropped;
    internal uint array;
    internal uint resv1;
    internal ulong resv2;
}

/// <summary>Where the parts of the completion ring lie in its mapping.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_cqring_offsets
{
    internal uint head;
    internal uint tail;
    internal uint ring_mask;
    internal uint ring_entries;
    internal uint overflow;
    internal uint cqes;
    internal uint flags;
    internal uint resv1;
    internal ulong resv2;
}

/// <summary>io_uring_setup(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_uring_params
{
    internal uint sq_entries;
    internal uint cq_entries;
    internal uint flags;
    internal uint sq_thread_cpu;
    internal uint sq_thread_idle;
    internal uint features;
    internal uint wq_fd;
    internal uint resv0;
    internal uint resv1;
    internal uint resv2;
    internal io_sqring_offsets sq_off;
    internal io_cqring_offsets cq_off;
}

/// <summary>A submission queue entry; of each union the member that we use.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct io_uring_sqe
{
    [FieldOffset(0)]
    internal byte opcode;

    [FieldOffset(1)]
    internal byte flags;

    [FieldOffset(2)]
    internal ushort ioprio;

    [FieldOffset(4)]
    internal int fd;

    [FieldOffset(8)]
    internal ulong off;

    [FieldOffset(16)]
    internal ulong addr;

    [FieldOffset(24)]
    internal uint len;

    [FieldOffset(28)]
    internal uint rw_flags;

    [FieldOffset(28)]
    internal uint fsync_flags;

    [FieldOffset(28)]
    internal uint poll32_events;

    [FieldOffset(28)]
    internal uint cancel_flags;

    [FieldOffset(32)]
    internal ulong user_data;

    [FieldOffset(40)]
    internal ushort buf_index;

    [FieldOffset(42)]
    internal ushort personality;
}

/// <summary>
/// The argument of registering a file (data is the address of the numbers) or the ring itself
/// (data is its descriptor).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_uring_rsrc_update
{
    internal uint offset;
    internal uint resv;
    internal ulong data;
}

/// <summary>A completion queue entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_uring_cqe
{
    internal ulong user_data;
    internal int res;
    internal uint flags;
}

/// <summary>The extended argument of io_uring_enter(2): a timeout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct io_uring_getevents_arg
{
    internal ulong sigmask;
    internal uint sigmask_sz;
    internal uint pad;
    internal ulong ts;
}
