using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Storage;

/// <content>Flushing without a commit.</content>
public sealed partial class DeviceLog
{
    /// <summary>
    /// Makes every shard frame durable whose append has completed, before anything names it: what
    /// is noted of a long job must be there after a power loss.
    /// </summary>
    /// <param name="frames">The frames that will be named. A fault where they may not be durable;
    /// what became of others does not matter.</param>
    public async ValueTask<Result> SyncShardsAsync(ReadOnlyMemory<Extent> frames)
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

        foreach (Extent extent in frames.Span)
        {
            if (!_segments.TryGetValue(extent.Segment, out LogSegment? segment)
                || segment.IsBroken)
            {
                return Errno.EIO.ToFault($"flush device {_deviceIndex}");
            }
        }

        return Result.Ok;
    }
}
