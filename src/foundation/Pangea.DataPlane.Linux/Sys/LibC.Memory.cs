using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Sys;

internal static unsafe partial class LibC
{
    [LibraryImport("libc")]
    internal static partial int malloc_trim(nuint pad);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscallSetMemoryPolicy(
        nint number, int mode, ulong* nodes, nuint bits);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscallGetMemoryPolicy(
        nint number, int* mode, ulong* nodes, nuint bits, void* address, nuint flags);
}
