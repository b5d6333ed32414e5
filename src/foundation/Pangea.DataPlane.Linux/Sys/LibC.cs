using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Sys;

/// <summary>
/// The signatures of the C library, one place each: blittable arguments, no strings (pass
/// zero-terminated UTF-8), errno through <see cref="Marshal.GetLastPInvokeError"/>. Split by
/// man-page subject over the files <c>LibC.*.cs</c>.
/// </summary>
internal static unsafe partial class LibC
{
    [LibraryImport("libc", SetLastError = true)]
    internal static partial int close(int fd);
}
