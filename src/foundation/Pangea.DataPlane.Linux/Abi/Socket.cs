using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>Constants of socket(7) and unix(7), by their kernel names.</summary>
internal static class Socket
{
    internal const int AF_UNIX = 1;
    internal const int SOCK_STREAM = 1;
    internal const int SOCK_NONBLOCK = 0x800;
    internal const int SOCK_CLOEXEC = 0x80000;
    internal const int SOL_SOCKET = 1;
    internal const int SO_TYPE = 3;
    internal const int SO_PEERCRED = 17;
    internal const int SO_ACCEPTCONN = 30;
    internal const int SO_DOMAIN = 39;
    internal const int SCM_RIGHTS = 1;
    internal const int MSG_CTRUNC = 0x8;
    internal const int MSG_DONTWAIT = 0x40;
    internal const int MSG_NOSIGNAL = 0x4000;
    internal const int MSG_CMSG_CLOEXEC = 0x40000000;

    /// <summary>Bytes of sockaddr_un.sun_path, terminating zero included.</summary>
    internal const int UNIX_PATH_MAX = 108;

    /// <summary>CMSG_LEN(0): the header of one control message, aligned to 8.</summary>
    internal const int CMSG_HEADER_BYTES = 16;

    /// <summary>CMSG_SPACE for a number of descriptors.</summary>
    internal static int CmsgSpace(int descriptors) =>
        CMSG_HEADER_BYTES + ((descriptors * sizeof(int) + 7) & ~7);
}

/// <summary>struct sockaddr_un of unix(7).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct sockaddr_un
{
    internal ushort sun_family;
    internal SunPath sun_path;

    [InlineArray(Socket.UNIX_PATH_MAX)]
    internal struct SunPath
    {
        private byte _first;
    }
}

/// <summary>
/// struct iovec under a name of this file's own: readv(2)'s file has one too, and the layouts are
/// equal.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct msg_iovec
{
    internal void* iov_base;
    internal nuint iov_len;
}

/// <summary>struct msghdr of recvmsg(2), 64-bit layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct msghdr
{
    internal void* msg_name;
    internal uint msg_namelen;
    internal msg_iovec* msg_iov;
    internal nuint msg_iovlen;
    internal void* msg_control;
    internal nuint msg_controllen;
    internal int msg_flags;
}

/// <summary>struct cmsghdr of cmsg(3); the data follow it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct cmsghdr
{
    internal nuint cmsg_len;
    internal int cmsg_level;
    internal int cmsg_type;
}

/// <summary>struct ucred of SO_PEERCRED.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ucred
{
    internal int pid;
    internal uint uid;
    internal uint gid;
}
