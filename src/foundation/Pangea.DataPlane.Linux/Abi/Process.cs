using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>
/// Constants of prctl(2), capabilities(7), mount(2), getrlimit(2), waitid(2) and posix_spawn(3), by
/// their own names.
/// </summary>
internal static class Process
{
    internal const int PR_SET_PDEATHSIG = 1;
    internal const int PR_SET_DUMPABLE = 4;
    internal const int PR_SET_KEEPCAPS = 8;
    internal const int PR_CAPBSET_DROP = 24;
    internal const int PR_SET_NO_NEW_PRIVS = 38;
    internal const int PR_CAP_AMBIENT = 47;
    internal const int PR_CAP_AMBIENT_RAISE = 2;
    internal const int PR_CAP_AMBIENT_CLEAR_ALL = 4;

    internal const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    /// <summary>Highest capability number that two 32-bit words can hold.</summary>
    internal const int CapabilityMax = 63;

    internal const int CLONE_NEWNS = 0x20000;
    internal const int CLONE_NEWIPC = 0x8000000;
    internal const nuint MS_RDONLY = 1;
    internal const nuint MS_NOSUID = 2;
    internal const nuint MS_NODEV = 4;
    internal const nuint MS_NOEXEC = 8;
    internal const nuint MS_REMOUNT = 32;
    internal const nuint MS_BIND = 4096;
    internal const nuint MS_REC = 16384;
    internal const nuint MS_PRIVATE = 1 << 18;

    internal const int RLIMIT_CORE = 4;
    internal const int RLIMIT_NPROC = 6;
    internal const int RLIMIT_NOFILE = 7;
    internal const int RLIMIT_MEMLOCK = 8;
    internal const int RLIMIT_MSGQUEUE = 12;

    internal const uint CLOSE_RANGE_CLOEXEC = 4;

    internal const int P_PIDFD = 3;
    internal const int WNOHANG = 1;
    internal const int WEXITED = 4;
    internal const int CLD_EXITED = 1;

    internal const short POSIX_SPAWN_SETSIGDEF = 4;
    internal const short POSIX_SPAWN_SETSIGMASK = 8;

    internal const int F_DUPFD_CLOEXEC = 1030;
    internal const int F_SETFD = 2;
    internal const int FD_CLOEXEC = 1;

    // System call numbers without a wrapper in older C libraries. From 424 on they are the same on
    // every architecture.
    internal const nint SYS_pidfd_send_signal = 424;
    internal const nint SYS_pidfd_open = 434;
    internal const nint SYS_close_range = 436;
}

/// <summary>struct rlimit of getrlimit(2); RLIM_INFINITY is all ones.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct rlimit
{
    internal ulong rlim_cur;
    internal ulong rlim_max;
}

/// <summary>struct __user_cap_header_struct of capset(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct cap_user_header
{
    internal uint version;
    internal int pid;
}

/// <summary>Two struct __user_cap_data_struct of capset(2), as version 3 wants them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct cap_user_data
{
    internal uint effective0;
    internal uint permitted0;
    internal uint inheritable0;
    internal uint effective1;
    internal uint permitted1;
    internal uint inheritable1;
}

/// <summary>The part of siginfo_t (sigaction(2)) that waitid(2) fills; 128 bytes in all.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct siginfo_child
{
    [FieldOffset(0)]
    internal int si_signo;

    [FieldOffset(8)]
    internal int si_code;

    [FieldOffset(16)]
    internal int si_pid;

    [FieldOffset(20)]
    internal uint si_uid;

    [FieldOffset(24)]
    internal int si_status;
}

/// <summary>struct passwd of getpwnam(3).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct passwd
{
    internal byte* pw_name;
    internal byte* pw_passwd;
    internal uint pw_uid;
    internal uint pw_gid;
    internal byte* pw_gecos;
    internal byte* pw_dir;
    internal byte* pw_shell;
}

/// <summary>cpu_set_t of sched_setaffinity(2): 1024 cores.</summary>
[InlineArray(16)]
internal struct cpu_set
{
    private ulong _first;
}

/// <summary>sigset_t of the C library (not the kernel's): 1024 bits.</summary>
[InlineArray(16)]
internal struct sigset
{
    private ulong _first;
}

/// <summary>
/// Room for posix_spawnattr_t (336 bytes in glibc) or posix_spawn_file_actions_t (80), which only
/// the C library looks into.
/// </summary>
[InlineArray(64)]
internal struct spawn_opaque
{
    private ulong _first;
}
