using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

/// <summary>statx(2); the same on every architecture.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
internal struct statx
{
    internal const uint STATX_BASIC_STATS = 0x7ff;
    internal const uint STATX_DIOALIGN = 0x2000;

    internal const int S_IFMT = 0xF000;
    internal const int S_IFSOCK = 0xC000;
    internal const int S_IFLNK = 0xA000;
    internal const int S_IFREG = 0x8000;
    internal const int S_IFBLK = 0x6000;
    internal const int S_IFDIR = 0x4000;
    internal const int S_IFCHR = 0x2000;
    internal const int S_IFIFO = 0x1000;

    internal uint stx_mask;
    internal uint stx_blksize;
    internal ulong stx_attributes;
    internal uint stx_nlink;
    internal uint stx_uid;
    internal uint stx_gid;
    internal ushort stx_mode;
    internal ushort __spare0;
    internal ulong stx_ino;
    internal ulong stx_size;
    internal ulong stx_blocks;
    internal ulong stx_attributes_mask;
    internal statx_timestamp stx_atime;
    internal statx_timestamp stx_btime;
    internal statx_timestamp stx_ctime;
    internal statx_timestamp stx_mtime;
    internal uint stx_rdev_major;
    internal uint stx_rdev_minor;
    internal uint stx_dev_major;
    internal uint stx_dev_minor;
    internal ulong stx_mnt_id;
    internal uint stx_dio_mem_align;
    internal uint stx_dio_offset_align;
}

/// <summary>Part of <see cref="statx"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct statx_timestamp
{
    internal long tv_sec;
    internal uint tv_nsec;
    internal int __reserved;
}

/// <summary>statvfs(3) of glibc on 64-bit machines.</summary>
[StructLayout(LayoutKind.Sequential, Size = 112)]
internal struct statvfs
{
    internal ulong f_bsize;
    internal ulong f_frsize;
    internal ulong f_blocks;
    internal ulong f_bfree;
    internal ulong f_bavail;
    internal ulong f_files;
    internal ulong f_ffree;
    internal ulong f_favail;
    internal ulong f_fsid;
    internal ulong f_flag;
    internal ulong f_namemax;
}

/// <summary>
/// The fixed part of a directory entry of getdents64(2); the name follows at offset 19.
/// </summary>
internal static class linux_dirent64
{
    internal const int d_ino_offset = 0;
    internal const int d_reclen_offset = 16;
    internal const int d_type_offset = 18;
    internal const int d_name_offset = 19;

    internal const byte DT_FIFO = 1;
    internal const byte DT_CHR = 2;
    internal const byte DT_DIR = 4;
    internal const byte DT_BLK = 6;
    internal const byte DT_REG = 8;
    internal const byte DT_LNK = 10;
    internal const byte DT_SOCK = 12;
}
