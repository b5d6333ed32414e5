using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>Constants of netlink(7) and rtnetlink(7), by their kernel names.</summary>
internal static class Netlink
{
    internal const int AF_NETLINK = 16;
    internal const int SOCK_RAW = 3;
    internal const int NETLINK_ROUTE = 0;
    internal const uint RTMGRP_LINK = 1;
}

/// <summary>struct sockaddr_nl of netlink(7).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct sockaddr_nl
{
    internal ushort nl_family;
    internal ushort nl_pad;
    internal uint nl_pid;
    internal uint nl_groups;
}

/// <summary>struct if_nameindex of if_nameindex(3); the last one has no name.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct if_nameindex
{
    internal uint if_index;
    internal byte* if_name;
}
