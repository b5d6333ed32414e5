using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

/// <summary>
/// open(2) and fcntl(2) constants; four open flags have different values on ARM64.
/// </summary>
internal static class Fcntl
{
    internal const int O_RDONLY = 0;
    internal const int O_WRONLY = 1;
    internal const int O_RDWR = 2;
    internal const int O_ACCMODE = 3;
    internal const int O_CREAT = 0x40;
    internal const int O_EXCL = 0x80;
    internal const int O_NOCTTY = 0x100;
    internal const int O_TRUNC = 0x200;
    internal const int O_APPEND = 0x400;
    internal const int O_NONBLOCK = 0x800;
    internal const int O_DSYNC = 0x1000;
    internal const int O_CLOEXEC = 0x80000;

    internal const int O_DIRECT_X64 = 0x4000;
    internal const int O_DIRECTORY_X64 = 0x10000;
    internal const int O_NOFOLLOW_X64 = 0x20000;
    internal const int O_DIRECT_ARM64 = 0x10000;
    internal const int O_DIRECTORY_ARM64 = 0x4000;
    internal const int O_NOFOLLOW_ARM64 = 0x8000;

    internal const int F_GETFL = 3;
    internal const int F_SETFL = 4;
    internal const int F_DUPFD_CLOEXEC = 1030;

    internal const int F_ADD_SEALS = 1033;
    internal const int F_GET_SEALS = 1034;
    internal const int F_SEAL_SEAL = 1;
    internal const int F_SEAL_SHRINK = 2;
    internal const int F_SEAL_GROW = 4;

    internal const int AT_FDCWD = -100;
    internal const int AT_REMOVEDIR = 0x200;
    internal const int AT_SYMLINK_NOFOLLOW = 0x100;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const uint RENAME_NOREPLACE = 1;

    internal const int LOCK_SH = 1;
    internal const int LOCK_EX = 2;
    internal const int LOCK_NB = 4;
    internal const int LOCK_UN = 8;

    internal const int SEEK_SET = 0;
    internal const int SEEK_CUR = 1;
    internal const int FALLOC_FL_KEEP_SIZE = 1;
    internal const int RWF_NOWAIT = 8;

    internal const uint MFD_CLOEXEC = 1;
    internal const uint MFD_ALLOW_SEALING = 2;

    private static bool IsArm64 => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    internal static int O_DIRECT => IsArm64 ? O_DIRECT_ARM64 : O_DIRECT_X64;

    internal static int O_DIRECTORY => IsArm64 ? O_DIRECTORY_ARM64 : O_DIRECTORY_X64;

    internal static int O_NOFOLLOW => IsArm64 ? O_NOFOLLOW_ARM64 : O_NOFOLLOW_X64;
}
