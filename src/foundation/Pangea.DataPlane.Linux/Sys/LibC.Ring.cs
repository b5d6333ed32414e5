using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

// io_uring has no wrappers in the C library, so its three calls go through syscall(2). That
// function is variadic in C; on x86-64 and ARM64 Linux variadic integers travel like named ones.
internal static unsafe partial class LibC
{
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial long io_uring_setup(
        long number, uint entries, io_uring_params* parameters);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial long io_uring_enter(
        long number,
        int fd,
        uint submit,
        uint complete,
        uint flags,
        io_uring_getevents_arg* argument,
        nuint argumentBytes);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial long io_uring_register(
        long number, int fd, uint opcode, void* argument, uint count);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint recvfrom(
        int fd, void* buffer, nuint bytes, int flags, void* address, uint* addressBytes);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint sendto(
        int fd, void* buffer, nuint bytes, int flags, void* address, uint addressBytes);
}
