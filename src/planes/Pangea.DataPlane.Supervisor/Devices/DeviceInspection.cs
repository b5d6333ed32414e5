using System.Text.Json;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// Looks at what is to become a device before anything is done for it: before its owner is changed
/// and before a worker is restarted to reach it. The worker judges by itself again.
/// </summary>
internal static class DeviceInspection
{
    private const string SuperblockName = "pangea-device.json";
    private const int SuperblockBytesMax = 4096;

    /// <summary>Why the place cannot be a device of this appliance; null where it may.</summary>
    /// <param name="path">Full path; links are followed.</param>
    /// <param name="stateId">Identity of the appliance's state.</param>
    public static Fault? Check(string path, string stateId)
    {
        Result<DirectoryFd> opened = DirectoryFd.Open(path);
        if (opened.IsOk)
        {
            using DirectoryFd directory = opened.Value;
            return CheckDirectory(path, directory, stateId);
        }

        return opened.Fault.Errno == Errno.ENOTDIR.Value
            ? CheckFile(path, stateId)
            : opened.Fault;
    }

    /// <summary>
    /// Whether the directory is a device or empty but for what file systems put there themselves.
    /// </summary>
    public static bool LooksLikeOurs(DirectoryFd directory)
    {
        Result<List<DirectoryEntry>> entries = directory.List();
        return entries.IsOk && (entries.Value.Any(entry => entry.Name == SuperblockName)
            || Stranger(entries.Value) is null);
    }

    /// <summary>The owner that a superblock names is this appliance.</summary>
    internal static Fault? CheckSuperblock(
        string path, ReadOnlyMemory<byte> text, string stateId)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            string? owner = document.RootElement.GetProperty("state").GetString();
            return owner == stateId
                ? null
                : new Fault(
                    FaultCode.Denied,
                    $"{path} belongs to the appliance state {owner}, this one is {stateId}",
                    "name an empty directory or a blank disk");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException
            or InvalidOperationException)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"the superblock of {path} is damaged: {e.Message}",
                "name an empty directory or a blank disk");
        }
    }

    private static Fault? CheckDirectory(string path, DirectoryFd directory, string stateId)
    {
        Result<OwnedFd> superblock = directory.OpenFile(
            SuperblockName, OpenFlags.Read | OpenFlags.NoFollow | OpenFlags.NonBlocking);
        if (superblock.IsOk)
        {
            using OwnedFd file = superblock.Value;
            return CheckText(path, file, stateId);
        }

        if (superblock.Fault.Code != FaultCode.NotFound)
        {
            return superblock.Fault;
        }

        Result<List<DirectoryEntry>> entries = directory.List();
        return !entries.IsOk
            ? entries.Fault
            : Stranger(entries.Value) is { } stranger
                ? new Fault(
                    FaultCode.Exists,
                    $"{path} has no {SuperblockName} but holds \"{stranger}\"",
                    "a new device must be an empty directory")
                : null;
    }

    /// <summary>What a directory holds that is neither ours nor a file system's own.</summary>
    private static string? Stranger(List<DirectoryEntry> entries) =>
        entries.Select(entry => entry.Name).FirstOrDefault(name =>
            name is not ("lost+found" or "reserve")
            && !name.EndsWith(".tmp", StringComparison.Ordinal));

    private static Fault? CheckFile(string path, string stateId)
    {
        // Without waiting: the path may turn out to be a pipe. What else is wrong with a file that
        // is no directory, the opener says.
        Result<OwnedFd> opened = Files.Open(path, OpenFlags.Read | OpenFlags.NonBlocking);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using OwnedFd file = opened.Value;
        Span<byte> first = stackalloc byte[1];
        return Files.KindOf(file) == FileKind.BlockDevice
            && Files.ReadAt(file, first, 0).IsOk && first[0] == (byte)'{'
            ? CheckText(path, file, stateId)
            : null;
    }

    private static Fault? CheckText(string path, OwnedFd file, string stateId)
    {
        byte[] bytes = new byte[SuperblockBytesMax];
        SysResult read = Files.ReadAt(file, bytes, 0);
        if (!read.IsOk)
        {
            return read.Errno.ToFault($"read the superblock of {path}");
        }

        int length = bytes.AsSpan(0, (int)read.Value).IndexOf((byte)0);
        return CheckSuperblock(
            path, bytes.AsMemory(0, length < 0 ? (int)read.Value : length), stateId);
    }
}
