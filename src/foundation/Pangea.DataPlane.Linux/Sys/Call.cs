using System.Runtime.InteropServices;
using System.Text;

namespace Pangea.DataPlane.Linux.Sys;

/// <summary>
/// The one place where "-1 and errno" becomes a <see cref="SysResult"/>. Must be called directly
/// after the call, before anything else can overwrite the errno that the marshaller saved.
/// </summary>
internal static class Call
{
    internal static SysResult Of(long returned) =>
        returned >= 0 ? new SysResult(returned) : Failed();

    /// <summary>
    /// True where the call was interrupted by a signal and simply has to be repeated.
    /// </summary>
    internal static bool Interrupted(long returned) =>
        returned < 0 && Marshal.GetLastPInvokeError() == 4; // EINTR

    /// <summary>
    /// Writes <paramref name="text"/> as zero-terminated UTF-8. A zero inside would cut the name
    /// short for the kernel, so it is refused, as is a text that does not fit.
    /// </summary>
    internal static bool TryCString(string text, Span<byte> destination)
    {
        if (text.Contains('\0')
            || !Encoding.UTF8.TryGetBytes(text, destination[..^1], out int bytes))
        {
            return false;
        }

        destination[bytes] = 0;
        return true;
    }

    private static SysResult Failed()
    {
        int errno = Marshal.GetLastPInvokeError();
        return new SysResult(errno == 0 ? -5 : -errno); // a failure without errno: EIO
    }
}
