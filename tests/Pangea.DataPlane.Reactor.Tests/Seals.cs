using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>Seals of memory files (fcntl(2)), with which a test makes the kernel refuse.</summary>
internal static partial class Seals
{
    private const int AddSeals = 1033;
    private const int Grow = 4;

    /// <summary>
    /// A write across the file's end is cut short there; one past the end is EPERM.
    /// </summary>
    internal static void ForbidGrowth(OwnedFd file) =>
        Assert.Equal(0, fcntl(file.Number, AddSeals, Grow));

    [LibraryImport("libc")]
    private static partial int fcntl(int fd, int command, int argument);
}
