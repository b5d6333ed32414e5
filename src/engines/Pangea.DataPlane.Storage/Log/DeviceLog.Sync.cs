using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Storage;

/// <content>Flushing without a commit.</content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// Makes every shard frame durable whose append has completed, before anything names it: what
    /// is noted of a long job must be there after a power loss. A fault where that is not certain.
    /// </summary>
    public async ValueTask<Result> SyncShardsAsync()
    {
        // In turn with the batches: one that saw no dirty segment would else not wait for us. A log
        // that is closed meanwhile waits for it before its files go.
        _background++;
        await _journalTurn.EnterAsync();
        if (!_isClosed)
        {
            _ = await FlushShardsAsync();
        }

        _journalTurn.Leave();
        _background--;
        if (_isClosed)
        {
            return Closed(); // The device was taken out: its files are closed.
        }

        return _brokenSegments == 0
            ? Result.Ok
            : Errno.EIO.ToFault($"flush device {_deviceIndex}");
    }
}
