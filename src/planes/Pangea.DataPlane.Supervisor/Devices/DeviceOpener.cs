using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Privilege;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// Opens the directory or block device at a path for a worker: the one thing about devices that
/// needs privilege and paths. Nothing is written to what is opened, and no directory is given to
/// the workers' user that looks like somebody else's.
/// </summary>
internal static class DeviceOpener
{
    /// <summary>
    /// So much at a disk's beginning must be zero before it is taken for an empty one: partition
    /// tables, superblocks of file systems, of encrypted volumes and of arrays stand there.
    /// </summary>
    private const int BlankBytes = 1024 * 1024;

    private const byte SuperblockFirstByte = (byte)'{';

    /// <summary>The path as a user gave it, or what is wrong with it.</summary>
    public static Fault? CheckPath(string path) =>
        path.Length is < 2 or > 1024 || path[0] != '/' || path.Any(char.IsControl)
            ? Fault.InvalidParameter(
                "path",
                "a device is named by a full path of at most 1024 characters",
                "begin it with a slash")
            : null;

    /// <summary>Opens the path; the caller disposes what is open.</summary>
    /// <param name="path">Full path; links are followed.</param>
    /// <param name="user">Whom the workers run as, where that is somebody else.</param>
    /// <param name="places">Where it may lie; null: anywhere.</param>
    public static Result<OpenedPath> Open(
        string path, UserAccount? user, AllowedPlaces? places = null)
    {
        Result<DirectoryFd> directory = DirectoryFd.Open(path);
        if (directory.IsOk && places?.Check(path, directory.Value.Fd) is { } elsewhere)
        {
            directory.Value.Dispose();
            return elsewhere;
        }

        if (directory.IsOk)
        {
            return OpenDirectory(path, directory.Value, user);
        }

        if (directory.Fault.Errno != Errno.ENOTDIR.Value)
        {
            return directory.Fault;
        }

        // Without waiting: the path may turn out to be a pipe.
        Result<OwnedFd> looked = Files.Open(path, OpenFlags.Read | OpenFlags.NonBlocking);
        if (!looked.IsOk)
        {
            return looked.Fault;
        }

        using OwnedFd file = looked.Value;
        Result<FileStatus> status = Files.Status(file);
        if (!status.IsOk)
        {
            return status.Fault;
        }

        if (places?.Check(path, file) is { } misplaced)
        {
            return misplaced;
        }

        return status.Value.Kind == FileKind.BlockDevice
            ? OpenBlockDevice(path, file, status.Value)
            : Fault.InvalidParameter(
                "path", $"{path} is neither a directory nor a block device", "name one of these");
    }

    private static Result<OpenedPath> OpenDirectory(
        string path, DirectoryFd directory, UserAccount? user)
    {
        Result<FileStatus> status = Files.Status(directory.Fd);
        if (!status.IsOk)
        {
            directory.Dispose();
            return status.Fault;
        }

        // Of a directory with other people's files the worker says what is wrong with it; the files
        // keep their owner.
        if (user is { } account && DeviceInspection.LooksLikeOurs(directory))
        {
            // On a file system that is mounted read-only this fails, and the worker finds out by
            // itself what it can still do with the device.
            SysResult owned = DirectoryOwner.HandOver(directory, account);
            if (!owned.IsOk && owned.Errno != Errno.EROFS)
            {
                EventLog.Write(
                    "device.notOwned",
                    ("path", path),
                    ("user", account),
                    ("reason", owned.Errno.Text));
            }
        }

        return new OpenedPath(
            directory.Fd,
            new DeviceIdentity(DeviceKind.Directory, status.Value.Device, status.Value.Inode));
    }

    private static Result<OpenedPath> OpenBlockDevice(
        string path, OwnedFd file, FileStatus status)
    {
        string number = string.Create(
            CultureInfo.InvariantCulture,
            $"{status.SpecialDevice >> 32}:{status.SpecialDevice & uint.MaxValue}");
        if (HasPartitions(number))
        {
            return new Fault(
                FaultCode.BadState,
                $"block device {path} has partitions",
                "name an unused partition of it, or wipe its partition table");
        }

        if (CheckContent(path, file) is { } foreign)
        {
            return foreign;
        }

        // Exclusive: fails with EBUSY where it is mounted, part of an array or a volume, used for
        // swapping or open in the same way elsewhere, and keeps those from taking it meanwhile.
        Result<OwnedFd> opened = Files.Open(
            path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Exclusive | OpenFlags.Direct);
        if (!opened.IsOk)
        {
            return opened.Fault.Errno == Errno.EBUSY.Value
                ? new Fault(
                    FaultCode.Busy,
                    $"block device {path} is in use: mounted, part of an array or a volume, or "
                        + "open elsewhere",
                    "lsblk and findmnt show by whom",
                    Errno: Errno.EBUSY.Value)
                : opened.Fault;
        }

        return new OpenedPath(
            opened.Value, new DeviceIdentity(DeviceKind.Block, status.SpecialDevice, 0));
    }

    private static bool HasPartitions(string number)
    {
        string directory = $"/sys/dev/block/{number}";
        try
        {
            return Directory.Exists(directory) && Directory.EnumerateDirectories(directory)
                .Any(child => File.Exists(Path.Combine(child, "partition")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // No /sys: the exclusive open still tells a partition that is in use.
        }
    }

    /// <summary>
    /// The beginning of the disk is ours or blank. Anything else is data of somebody who did not
    /// say that it may go.
    /// </summary>
    private static Fault? CheckContent(string path, OwnedFd file)
    {
        byte[] bytes = new byte[BlankBytes];
        SysResult read = Files.ReadAt(file, bytes, 0);
        if (!read.IsOk)
        {
            return read.Errno.ToFault($"read block device {path}");
        }

        ReadOnlySpan<byte> start = bytes.AsSpan(0, (int)read.Value);
        return start.IsEmpty || start[0] == SuperblockFirstByte || !start.ContainsAnyExcept((byte)0)
            ? null
            : new Fault(
                FaultCode.Exists,
                $"block device {path} holds data that is not ours",
                $"if it may go: blkdiscard -z {path}, or dd if=/dev/zero of={path} bs=1M count=1");
    }
}
