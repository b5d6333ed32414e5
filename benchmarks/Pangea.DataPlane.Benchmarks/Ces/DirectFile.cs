using System.Runtime.InteropServices;
using System.Text;

using Microsoft.Win32.SafeHandles;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>Files opened with O_DIRECT, which the BCL does not offer.</summary>
internal static partial class DirectFile
{
    // open(2), asm-generic/fcntl.h; arm64 exchanges O_DIRECT and O_DIRECTORY.
    private const int WriteOnly = 1;
    private const int CreateNew = 0x40;
    private const int Truncate = 0x200;
    private const int CloseOnExec = 0x80000;
    private const int Mode = 0x1A4;

    private static int Direct =>
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>An empty file that is written directly; null where the file system has no
    /// O_DIRECT.</summary>
    public static SafeFileHandle? Create(string path)
    {
        int file = Open(
            Encoding.UTF8.GetBytes(path + "\0"),
            WriteOnly | CreateNew | Truncate | CloseOnExec | Direct, Mode);
        return file < 0 ? null : new SafeFileHandle(file, ownsHandle: true);
    }

    [LibraryImport("libc", EntryPoint = "open")]
    private static partial int Open(byte[] path, int flags, int mode);
}
