using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

// The C library has no wrappers for landlock(7), so its three calls go through syscall(2).
internal static unsafe partial class LibC
{
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint landlock_create_ruleset(
        nint number, landlock_ruleset_attr* attributes, nuint bytes, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint landlock_add_rule(
        nint number, int ruleset, int type, landlock_path_beneath_attr* rule, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint landlock_restrict_self(nint number, int ruleset, uint flags);
}
