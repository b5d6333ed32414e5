using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Sys;

internal static unsafe partial class LibC
{
    // open(2) is variadic; without O_CREAT it takes no third argument, and on the supported ABIs a
    // variadic call without variadic arguments is an ordinary one.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    internal static partial int openPath(byte* path, int flags);
}
