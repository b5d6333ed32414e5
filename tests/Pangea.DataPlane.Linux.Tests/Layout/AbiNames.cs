using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Tests.Layout;

/// <summary>
/// Where a name in Abi/ is not the C name of the same thing. Everything that is not listed here is
/// checked under its own name, so a new struct or constant needs an entry only where the names
/// differ. There is no list of things that are not checked.
/// </summary>
internal static class AbiNames
{
    /// <summary>Headers that declare what Abi/ mirrors.</summary>
    internal static readonly string[] Headers =
    [
        "stddef.h", "errno.h", "fcntl.h", "stdio.h", "dirent.h", "net/if.h", "poll.h", "pwd.h",
        "sched.h", "signal.h", "spawn.h", "time.h", "unistd.h", "sys/eventfd.h", "sys/file.h",
        "sys/mman.h", "sys/mount.h", "sys/prctl.h", "sys/resource.h",
        "sys/signalfd.h", "sys/socket.h", "sys/stat.h",
        "sys/statvfs.h", "sys/syscall.h", "sys/uio.h", "sys/un.h", "sys/wait.h",
        "linux/capability.h",
        "bpf/bpf.h", "bpf/libbpf.h", "linux/bpf.h", "linux/if_link.h",
        "linux/netlink.h", "linux/rtnetlink.h",
        "linux/close_range.h", "linux/io_uring.h", "linux/landlock.h", "linux/mempolicy.h",
        "linux/time_types.h", "linux/ethtool.h", "linux/sockios.h",
    ];

    /// <summary>C types by our type, where it is not "struct our_name".</summary>
    internal static readonly Dictionary<Type, string> Types = new()
    {
        [typeof(timespec)] = "struct __kernel_timespec",
        [typeof(statx_timestamp)] = "struct statx_timestamp",
        [typeof(msg_iovec)] = "struct iovec",
        [typeof(cap_user_header)] = "struct __user_cap_header_struct",
        [typeof(cap_user_data)] = "cap_user_data_pair",
        [typeof(siginfo_child)] = "siginfo_t",
        [typeof(cpu_set)] = "cpu_set_t",
        [typeof(sigset)] = "sigset_t",
        [typeof(IoVector)] = "struct iovec",
    };

    /// <summary>C members by "our_type.our_field".</summary>
    internal static readonly Dictionary<string, string> Fields = new()
    {
        ["io_uring_params.resv0"] = "resv[0]",
        ["io_uring_params.resv1"] = "resv[1]",
        ["io_uring_params.resv2"] = "resv[2]",
        ["cap_user_data.effective0"] = "set[0].effective",
        ["cap_user_data.permitted0"] = "set[0].permitted",
        ["cap_user_data.inheritable0"] = "set[0].inheritable",
        ["cap_user_data.effective1"] = "set[1].effective",
        ["cap_user_data.permitted1"] = "set[1].permitted",
        ["cap_user_data.inheritable1"] = "set[1].inheritable",
    };

    /// <summary>C expressions by "OurClass.OurConstant".</summary>
    internal static readonly Dictionary<string, string> Constants = new()
    {
        ["Ethtool.IFREQ_BYTES"] = "sizeof(struct ifreq)",
        ["Ethtool.IFREQ_DATA"] = "offsetof(struct ifreq, ifr_data)",
        ["Socket.UNIX_PATH_MAX"] = "sizeof(((struct sockaddr_un *)0)->sun_path)",
        ["Socket.CMSG_HEADER_BYTES"] = "CMSG_LEN(0)",
        ["linux_dirent64.d_ino_offset"] = "offsetof(struct dirent64, d_ino)",
        ["linux_dirent64.d_reclen_offset"] = "offsetof(struct dirent64, d_reclen)",
        ["linux_dirent64.d_type_offset"] = "offsetof(struct dirent64, d_type)",
        ["linux_dirent64.d_name_offset"] = "offsetof(struct dirent64, d_name)",
    };

    /// <summary>C declarations that the assertions need.</summary>
    internal static readonly string[] Declarations =
    [
        "typedef struct { struct __user_cap_data_struct set[2]; } cap_user_data_pair;",

        // The headers of Debian 12 are of Linux 6.1. What came later stands here as the kernel has
        // it (include/uapi/linux/landlock.h), and is compared with newer headers where they are.
        """
        #ifndef LANDLOCK_ACCESS_FS_TRUNCATE
        #define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
        #endif
        #ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
        #define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
        #endif
        #ifndef LANDLOCK_ACCESS_NET_BIND_TCP
        #define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
        #define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
        #endif
        #ifndef LANDLOCK_SCOPE_SIGNAL
        #define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
        #define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
        #endif
        """,
    ];

    /// <summary>Relations that are no plain equality.</summary>
    internal static readonly string[] Relations =
    [
        // Opaque to us: it only has to be large enough for what the C library puts there.
        $"sizeof(posix_spawn_file_actions_t) <= {SpawnOpaqueBytes}",
        $"sizeof(posix_spawnattr_t) <= {SpawnOpaqueBytes}",
        $"CAP_LAST_CAP <= {Process.CapabilityMax}",
        "sizeof(off_t) == 8",

        // Grows with the kernel's versions; ours is that of version 6, and a shorter one of an
        // older header begins the same way.
        "sizeof(struct landlock_ruleset_attr) % 8 == 0",
        "offsetof(struct landlock_ruleset_attr, handled_access_fs) == 0",

        // We use their beginnings; library and kernel read and write as much as they are told.
        "offsetof(struct bpf_link_create_opts, flags) == 8",
        "offsetof(struct bpf_link_info, prog_id) == 8",
        "offsetof(struct bpf_link_info, xdp.ifindex) == 16",
        "offsetof(struct bpf_map_info, map_flags) == 20",
        "offsetof(struct bpf_map_info, name) == 24",
        "offsetof(struct bpf_prog_info, id) == 4",
        "offsetof(struct bpf_prog_info, name) == 64",
    ];

    /// <summary>Types and constants that <see cref="Relations"/> covers.</summary>
    internal static readonly HashSet<string> CoveredByRelations =
        [
        "spawn_opaque", "Process.CapabilityMax", "landlock_ruleset_attr", "bpf_link_create_opts",
        "bpf_link_info", "bpf_map_info", "bpf_prog_info",
    ];

    private const int SpawnOpaqueBytes = 512;
}
