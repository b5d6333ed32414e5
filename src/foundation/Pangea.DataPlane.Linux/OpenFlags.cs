using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// How to open a file; close-on-exec and no-controlling-terminal are always added.
/// </summary>
[Flags]
public enum OpenFlags
{
    /// <summary>For reading. Together with <see cref="Write"/>: for both.</summary>
    Read = 1,

    Write = 2,

    /// <summary>Make the file where it does not exist.</summary>
    Create = 4,

    /// <summary>With <see cref="Create"/>: fail with EEXIST where it does.</summary>
    Exclusive = 8,

    /// <summary>Drop the old content.</summary>
    Truncate = 16,

    Append = 32,

    /// <summary>
    /// O_DIRECT: past the page cache; addresses, offsets and lengths must be aligned.
    /// </summary>
    Direct = 64,

    /// <summary>A symbolic link as last component fails with ELOOP.</summary>
    NoFollow = 128,

    /// <summary>Only a directory.</summary>
    Directory = 256,

    /// <summary>
    /// A FIFO without a partner or a device that is not ready does not block the open. The flag
    /// stays on the open file.
    /// </summary>
    NonBlocking = 512,
}

/// <summary>Translation into the kernel's numbers.</summary>
internal static class OpenFlagsExtensions
{
    internal static int ToKernel(this OpenFlags flags)
    {
        int kernel = Fcntl.O_CLOEXEC | Fcntl.O_NOCTTY;
        kernel |= (flags & (OpenFlags.Read | OpenFlags.Write)) switch
        {
            OpenFlags.Write => Fcntl.O_WRONLY,
            OpenFlags.Read | OpenFlags.Write => Fcntl.O_RDWR,
            _ => Fcntl.O_RDONLY,
        };
        kernel |= flags.HasFlag(OpenFlags.Create) ? Fcntl.O_CREAT : 0;
        kernel |= flags.HasFlag(OpenFlags.Exclusive) ? Fcntl.O_EXCL : 0;
        kernel |= flags.HasFlag(OpenFlags.Truncate) ? Fcntl.O_TRUNC : 0;
        kernel |= flags.HasFlag(OpenFlags.Append) ? Fcntl.O_APPEND : 0;
        kernel |= flags.HasFlag(OpenFlags.Direct) ? Fcntl.O_DIRECT : 0;
        kernel |= flags.HasFlag(OpenFlags.NoFollow) ? Fcntl.O_NOFOLLOW : 0;
        kernel |= flags.HasFlag(OpenFlags.Directory) ? Fcntl.O_DIRECTORY : 0;
        kernel |= flags.HasFlag(OpenFlags.NonBlocking) ? Fcntl.O_NONBLOCK : 0;
        return kernel;
    }
}
