using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

// What stands around BPF: grace periods, clocks, interfaces.
internal static unsafe partial class LibC
{
    // The C library has no wrapper for membarrier(2).
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint membarrier(nint number, int command, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int clock_getres(int clock, timespec* resolution);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int clock_gettime(int clock, timespec* now);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial byte* if_indextoname(uint index, byte* name);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ioctl(int fd, nuint request, void* argument);
}
