using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// One device: a directory or a block device that holds a log. The supervisor opened it; this class
/// needs nothing but the descriptor. A device that fails is reported, left alone for a short time
/// and then tried again, so that one that comes back is used again without a restart.
/// </summary>
public sealed partial class StorageDevice : IDisposable
{
    /// <summary>
    /// How long a failed device is left alone before the next put tries it again.
    /// </summary>
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(5);

    private readonly DirectoryFd? _root;
    private Fault? _fault;
    private long _faultAt;

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

    /// <summary>True where transfers go past the page cache.</summary>
    public bool UsesDirectIo => Log?.UsesDirectIo == true;

    /// <summary>Its log; null while the device is not open.</summary>
    public DeviceLog? Log { get; private set; }

    /// <summary>It is being emptied: it takes no new shards.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Whether a new object should be placed here now.</summary>
    public bool TakesWrites =>
        IsOpen && !IsDraining && (State == DeviceState.Ok || MayRetry);

    /// <summary>
    /// True where its log is open; reading may work even when writing does not.
    /// </summary>
    public bool IsOpen => Log is not null;

    private bool MayRetry => Environment.TickCount64 - _faultAt >= s_retryAfter.TotalMilliseconds;

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

    /// <summary>
    /// Notes a failed operation; decides what it says about the device. Damaged bytes say nothing
    /// (scrub mends them), nor does a segment that compaction has removed meanwhile.
    /// </summary>
    public void Report(Fault fault)
    {
        bool isAboutDevice = fault.Code is not (FaultCode.Corrupt or FaultCode.TooLarge)
            && fault.Errno != Errno.ESTALE.Value && fault.Errno != Errno.ECANCELED.Value;
        if (isAboutDevice)
        {
            SetState(StateOf(fault), fault);
        }
    }

    /// <summary>Takes the device out of use for good.</summary>
    public void Reject(Fault fault)
    {
        CloseLog();
        Id = default;
        SetState(DeviceState.Failed, fault);
    }

    public void Dispose()
    {
        CloseLog();
        _root?.Dispose();
        _block?.Dispose();
    }

    private Result CheckAlive()
    {
        // A directory that was removed while open has no names left.
        OwnedFd? directory = _directories?.Directory;
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
        if (fault.Code == FaultCode.NotFound && IsOpen && !CheckAlive().IsOk)
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

    private void CloseLog()
    {
        Log?.Dispose();
        Log = null;
    }
}
