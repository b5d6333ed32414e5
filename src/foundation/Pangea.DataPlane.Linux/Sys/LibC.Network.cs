using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

internal static unsafe partial class LibC
{
    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    internal static partial int bind_netlink(int fd, sockaddr_nl* address, uint addressBytes);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint recv(int fd, void* buffer, nuint bytes, int flags);

    [LibraryImport("libc", EntryPoint = "if_nameindex", SetLastError = true)]
    internal static partial if_nameindex* if_nameindex_all();

    [LibraryImport("libc")]
    internal static partial void if_freenameindex(if_nameindex* all);
}
