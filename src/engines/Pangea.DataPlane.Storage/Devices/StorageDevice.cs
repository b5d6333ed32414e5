using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// One device: a directory that holds shard files. The supervisor opened it; this class needs
/// nothing but the descriptor. A device that fails is reported, left alone for a short time and
/// then tried again, so that one that comes back is used again without a restart.
/// </summary>
public sealed partial class StorageDevice : IDisposable
{
    private const string ObjectsName = "objects";
    private const string TemporaryName = "tmp";
    private const string TombstonesName = "tombstones";

    /// <summary>
    /// How long a failed device is left alone before the next put tries it again.
    /// </summary>
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(5);

    private readonly DirectoryFd? _root;
    private DirectoryFd? _objects;
    private DirectoryFd? _temporary;
    private DirectoryFd? _tombstones;
    private Fault? _fault;
    private long _faultAt;
    private bool _directIo;

    private StorageDevice(int index, string path, DirectoryFd? root, OwnedFd? block = null)
    {
        Index = index;
        Path = path;
        _root = root;
        _block = block;
    }

    /// <summary>Its place in the configuration, from 0.</summary>
    public int Index { get; }

    /// <summary>As configured; for people, never opened.</summary>
    public string Path { get; }

    /// <summary>Its identity; zero where it never could be read.</summary>
    public DeviceId Id { get; private set; }

    public DeviceState State { get; private set; } = DeviceState.Ok;

    /// <summary>Why the state is not <see cref="DeviceState.Ok"/>.</summary>
    public string? Reason => _fault?.Message;

    /// <summary>True where files are opened with O_DIRECT.</summary>
    public bool UsesDirectIo => Log?.UsesDirectIo ?? _directIo;

    /// <summary>Its log; null while the device is not open.</summary>
    public DeviceLog? Log { get; private set; }

    /// <summary>It is being emptied: it takes no new shards.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Whether a new object should be placed here now.</summary>
    public bool TakesWrites =>
        IsOpen && !IsDraining && (State == DeviceState.Ok || MayRetry);

    /// <summary>
    /// True where its directories are open; reading may work even when writing does not.
    /// </summary>
    public bool IsOpen => _objects is not null || Log is not null;

    /// <summary>For making renames into it durable. Only on a device that is open.</summary>
    public OwnedFd ObjectsDirectory => _objects!.Fd;

    /// <summary>
    /// For making names of unfinished files durable. Only on a device that is open.
    /// </summary>
    public OwnedFd TemporaryDirectory => _temporary!.Fd;

    private bool MayRetry => Environment.TickCount64 - _faultAt >= s_retryAfter.TotalMilliseconds;

    /// <summary>
    /// Takes a device directory into use: reads its superblock, or formats it when it is empty. A
    /// device that cannot be used is returned all the same, with its state and reason.
    /// </summary>
    /// <param name="index">Place in the configuration.</param>
    /// <param name="path">As configured, for messages.</param>
    /// <param name="root">The open directory, owned from now on; null where it is missing.</param>
    /// <param name="stateId">The appliance state that the device must belong to.</param>
    /// <param name="missingReason">What the supervisor said about a missing directory.</param>
    /// <param name="mayFormat">False where a device was in use at this place before.</param>
    public static StorageDevice Open(
        int index, string path, OwnedFd? root, string stateId, string? missingReason = null,
        bool mayFormat = true)
    {
        if (root is null)
        {
            var missing = new StorageDevice(index, path, null);
            missing.SetState(
                DeviceState.Missing,
                new Fault(FaultCode.NotFound, missingReason ?? $"directory {path} does not exist"));
            return missing;
        }

        Result<DirectoryFd> directory = DirectoryFd.Adopt(root);
        if (!directory.IsOk)
        {
            root.Dispose();
            var failed = new StorageDevice(index, path, null);
            failed.SetState(DeviceState.Failed, directory.Fault);
            return failed;
        }

        var device = new StorageDevice(index, path, directory.Value);
        Result result = device.Mount(stateId, mayFormat);
        if (!result.IsOk)
        {
            device.CloseDirectories();
            device.SetState(StateOf(result.Fault), result.Fault);
        }

        return device;
    }

    /// <summary>
    /// Free and total bytes of the file system; null where the device is not there.
    /// </summary>
    public FileSystemSpace? Space()
    {
        if (_blocks is not null)
        {
            return new FileSystemSpace(_blocks.FreeBytes, _blocks.TotalBytes, ReadOnly: false);
        }

        if (_root is null)
        {
            return null;
        }

        Result<FileSystemSpace> space = _root.Space();
        return space.IsOk ? space.Value : null;
    }

    /// <summary>
    /// Looks whether the directory is still there, so that a status report never shows yesterday's
    /// state. A full or read-only device becomes Ok again only by a write that succeeds.
    /// </summary>
    public void Refresh()
    {
        if (!IsOpen)
        {
            return;
        }

        Result alive = CheckAlive();
        if (!alive.IsOk)
        {
            SetState(DeviceState.Missing, alive.Fault);
        }
        else if (State == DeviceState.Missing || (State == DeviceState.Failed && MayRetry))
        {
            SetState(DeviceState.Ok, null);
        }
    }

    /// <summary>
    /// Everything of an object was made durable here: whatever was wrong is over.
    /// </summary>
    public void ReportSuccess()
    {
        if (State != DeviceState.Ok)
        {
            SetState(DeviceState.Ok, null);
        }
    }

    /// <summary>Notes a failed operation; decides what it says about the device.</summary>
    public void Report(Fault fault) => SetState(StateOf(fault), fault);

    /// <summary>Takes the device out of use for good.</summary>
    public void Reject(Fault fault)
    {
        CloseDirectories();
        Id = default;
        SetState(DeviceState.Failed, fault);
    }

    public Result<OwnedFd> CreateTemporary(string name)
    {
        if (_temporary is null)
        {
            return new Fault(FaultCode.NotFound, $"device {Index} is not available: {Reason}");
        }

        if (!TakesWrites)
        {
            return _fault!;
        }

        OpenFlags flags = OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive
            | (_directIo ? OpenFlags.Direct : default);
        Result<OwnedFd> file = _temporary.OpenFile(name, flags);
        return file.IsOk ? file : Describe(file.Fault, "create a shard file");
    }

    /// <summary>Renames a finished file into place; not yet durable.</summary>
    public Result Publish(string name)
    {
        SysResult renamed = _temporary!.Rename(name, _objects!, name, replace: false);
        return renamed.IsOk
            ? Result.Ok
            : renamed.Errno.ToFault($"publish a shard file on device {Index}");
    }

    /// <summary>Removes the file wherever it stands; nothing happens where it is not.</summary>
    public void Discard(string name)
    {
        _temporary?.RemoveFile(name);
        _objects?.RemoveFile(name);
    }

    public Result<OwnedFd> OpenObject(string name)
    {
        if (_objects is null)
        {
            return new Fault(FaultCode.NotFound, $"device {Index} is not available: {Reason}");
        }

        OpenFlags flags = OpenFlags.Read | (_directIo ? OpenFlags.Direct : default);
        Result<OwnedFd> file = _objects.OpenFile(name, flags);
        return file.IsOk ? file : Describe(file.Fault, "open a shard file");
    }

    public Result<long> LengthOf(OwnedFd file)
    {
        Result<FileStatus> status = Files.Status(file);
        return status.IsOk ? status.Value.Bytes : status.Fault;
    }

    /// <summary>
    /// Finishes on this device what a crash interrupted: files of objects that some device has
    /// published are published here too, all other temporary files are removed.
    /// </summary>
    /// <param name="isPublished">Whether any device has the object under <c>objects/</c>.</param>
    /// <returns>The objects that were published.</returns>
    public Result<List<ObjectId>> FinishRenames(Func<ObjectId, bool> isPublished)
    {
        var published = new List<ObjectId>();
        if (_temporary is null || State == DeviceState.ReadOnly)
        {
            return published;
        }

        Result<List<DirectoryEntry>> entries = _temporary.List();
        if (!entries.IsOk)
        {
            return entries.Fault;
        }

        foreach (DirectoryEntry entry in entries.Value)
        {
            bool finish = ObjectId.TryParse(entry.Name, out ObjectId id) && isPublished(id);
            if (!finish)
            {
                _temporary.RemoveFile(entry.Name);
            }
            else if (Publish(entry.Name).IsOk)
            {
                // Otherwise the file stays for the next start: it is a good shard.
                published.Add(id);
            }
        }

        SysResult synced = published.Count > 0 ? SyncObjects() : default;
        return synced.IsOk
            ? published
            : synced.Errno.ToFault($"publish shard files on device {Index}");
    }

    /// <summary>
    /// The objects that have a file here. Names that are not ours are left alone.
    /// </summary>
    public Result<List<ObjectId>> ListObjects()
    {
        if (_objects is null)
        {
            return new List<ObjectId>();
        }

        Result<List<DirectoryEntry>> entries = _objects.List();
        if (!entries.IsOk)
        {
            return entries.Fault;
        }

        var ids = new List<ObjectId>(entries.Value.Count);
        foreach (DirectoryEntry entry in entries.Value)
        {
            if (ObjectId.TryParse(entry.Name, out ObjectId id))
            {
                ids.Add(id);
            }
        }

        return ids;
    }

    /// <summary>Makes added and removed object files durable; waits for the disk.</summary>
    public SysResult SyncObjects() => _objects?.Sync() ?? default;

    /// <summary>Removes an object's file; durable after <see cref="SyncObjects"/>.</summary>
    public Result RemoveObject(string name)
    {
        if (_objects is null)
        {
            return Result.Ok;
        }

        SysResult removed = _objects.RemoveFile(name);
        return removed.IsOk || removed.Errno == Errno.ENOENT
            ? Result.Ok
            : removed.Errno.ToFault($"remove a shard file on device {Index}");
    }

    public void Dispose()
    {
        CloseDirectories();
        _root?.Dispose();
        _block?.Dispose();
    }

    private Result CheckAlive()
    {
        // A directory that was removed while open has no names left.
        OwnedFd? directory = _objects?.Fd ?? _directories?.Directory;
        if (directory is null)
        {
            return Result.Ok;
        }

        Result<FileStatus> status = Files.Status(directory);
        if (!status.IsOk)
        {
            return status.Fault;
        }

        return status.Value.LinkCount == 0
            ? new Fault(
                FaultCode.NotFound, $"directory {Path} was removed", Errno: Errno.ENOENT.Value)
            : Result.Ok;
    }

    private Fault Describe(Fault fault, string what)
    {
        if (fault.Code == FaultCode.NotFound && _objects is not null && !CheckAlive().IsOk)
        {
            return new Fault(
                FaultCode.Io, $"device {Index} is gone: {Path} was removed", Errno: fault.Errno);
        }

        string message = $"cannot {what} on device {Index} ({Path}): {fault.Message}";
        return fault with { Message = message };
    }

    private static DeviceState StateOf(Fault fault) => fault.Errno switch
    {
        28 or 122 => DeviceState.Full, // ENOSPC, EDQUOT
        30 or 13 or 1 => DeviceState.ReadOnly, // EROFS, EACCES, EPERM
        2 => DeviceState.Missing, // ENOENT
        _ => DeviceState.Failed,
    };

    private void SetState(DeviceState state, Fault? fault)
    {
        State = state;
        _fault = fault;
        _faultAt = Environment.TickCount64;
    }

    private void CloseDirectories()
    {
        Log?.Dispose();
        Log = null;
        _objects?.Dispose();
        _temporary?.Dispose();
        _tombstones?.Dispose();
        _objects = null;
        _temporary = null;
        _tombstones = null;
    }
}
