using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>Constants of landlock(7), by their own names (linux/landlock.h).</summary>
internal static class Landlock
{
    internal const nint SYS_landlock_create_ruleset = 444;
    internal const nint SYS_landlock_add_rule = 445;
    internal const nint SYS_landlock_restrict_self = 446;

    internal const uint LANDLOCK_CREATE_RULESET_VERSION = 1;
    internal const int LANDLOCK_RULE_PATH_BENEATH = 1;

    internal const ulong LANDLOCK_ACCESS_FS_EXECUTE = 1 << 0;
    internal const ulong LANDLOCK_ACCESS_FS_WRITE_FILE = 1 << 1;
    internal const ulong LANDLOCK_ACCESS_FS_READ_FILE = 1 << 2;
    internal const ulong LANDLOCK_ACCESS_FS_READ_DIR = 1 << 3;
    internal const ulong LANDLOCK_ACCESS_FS_REMOVE_DIR = 1 << 4;
    internal const ulong LANDLOCK_ACCESS_FS_REMOVE_FILE = 1 << 5;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_CHAR = 1 << 6;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_DIR = 1 << 7;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_REG = 1 << 8;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_SOCK = 1 << 9;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_FIFO = 1 << 10;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_BLOCK = 1 << 11;
    internal const ulong LANDLOCK_ACCESS_FS_MAKE_SYM = 1 << 12;

    /// <summary>Version 2 of the interface, Linux 5.19.</summary>
    internal const ulong LANDLOCK_ACCESS_FS_REFER = 1 << 13;

    /// <summary>Version 3, Linux 6.2.</summary>
    internal const ulong LANDLOCK_ACCESS_FS_TRUNCATE = 1 << 14;

    /// <summary>Version 5, Linux 6.10.</summary>
    internal const ulong LANDLOCK_ACCESS_FS_IOCTL_DEV = 1 << 15;

    /// <summary>Version 4, Linux 6.7.</summary>
    internal const ulong LANDLOCK_ACCESS_NET_BIND_TCP = 1 << 0;

    /// <inheritdoc cref="LANDLOCK_ACCESS_NET_BIND_TCP"/>
    internal const ulong LANDLOCK_ACCESS_NET_CONNECT_TCP = 1 << 1;

    /// <summary>Version 6, Linux 6.12.</summary>
    internal const ulong LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0;

    /// <inheritdoc cref="LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET"/>
    internal const ulong LANDLOCK_SCOPE_SIGNAL = 1 << 1;
}

/// <summary>
/// struct landlock_ruleset_attr as of version 6; an older kernel takes the longer struct as long as
/// what it does not know is zero.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct landlock_ruleset_attr
{
    internal ulong handled_access_fs;
    internal ulong handled_access_net;
    internal ulong scoped;
}

/// <summary>struct landlock_path_beneath_attr, which is packed.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct landlock_path_beneath_attr
{
    internal ulong allowed_access;
    internal int parent_fd;
}
