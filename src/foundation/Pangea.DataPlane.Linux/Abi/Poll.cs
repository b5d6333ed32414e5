using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

/// <summary>poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct pollfd
{
    internal const short POLLIN = 0x1;
    internal const short POLLOUT = 0x4;
    internal const short POLLERR = 0x8;
    internal const short POLLHUP = 0x10;
    internal const short POLLNVAL = 0x20;
    internal const short POLLRDHUP = 0x2000;

    internal int fd;
    internal short events;
    internal short revents;
}

/// <summary>readv(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct iovec
{
    internal void* iov_base;
    internal nuint iov_len;
}

/// <summary>clock_gettime(2), with 64-bit seconds as the kernel's __kernel_timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct timespec
{
    internal long tv_sec;
    internal long tv_nsec;
}

/// <summary>eventfd(2) flags.</summary>
internal static class Eventfd
{
    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;
}
