using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <content>
/// Compacting shard frames. The commit entry of an object says where its frames are, so moving
/// frames means one new commit entry per object.
/// </content>
public sealed partial class DeviceLog
{
    private async ValueTask<Result<bool>> CompactShardsAsync(CompactionJob job)
    {
        Result<List<FoundFrame>> found = await FindShardsAsync(job.Segment);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        var byOffset = new Dictionary<uint, FoundFrame>(found.Value.Count);
        foreach (FoundFrame frame in found.Value)
        {
            byOffset.Add(frame.Offset, frame);
        }

        foreach (ObjectId id in found.Value.Select(frame => frame.Id).Distinct())
        {
            Liveness state = job.Liveness.Find(id, _deviceIndex, out LogAddress commit);
            Result<bool> moved = state switch
            {
                Liveness.Busy => false,
                Liveness.Live => await MoveObjectAsync(job, id, commit, byOffset),
                _ => true,
            };
            if (!moved.IsOk || !moved.Value)
            {
                return moved;
            }
        }

        return true;
    }

    /// <summary>Moves an object's frames out of the segment, then its commit entry.</summary>
    private async ValueTask<Result<bool>> MoveObjectAsync(
        CompactionJob job, ObjectId id, LogAddress commit, Dictionary<uint, FoundFrame> frames)
    {
        Result<byte[]> raw = await ReadGuardedAsync(commit);
        if (!raw.IsOk)
        {
            return raw.Fault;
        }

        if (!LogEntryView.TryRead(
            raw.Value, commit.Segment, commit.Offset, out LogEntryView view)
            || view.Kind != LogEntryKind.Commit || view.Id != id)
        {
            return NoEntry(commit);
        }

        CommitEntry entry = view.ToCommit();
        byte[] manifest = view.Manifest.ToArray();
        if (!Array.Exists(entry.Extents.ToArray(), e => e.Segment == job.Segment.Sequence))
        {
            return true;
        }

        var copies = new List<LogAddress>();
        Result<Extent[]> extents = await MoveExtentsAsync(job, id, entry.Extents, frames, copies);
        Result<LogAddress> to = extents.IsOk
            ? await AppendCommitAsync(entry with { Extents = extents.Value }, manifest, default)
            : extents.Fault;
        // Whoever began to read or heal it meanwhile goes by the old places.
        bool isTaken = to.IsOk
            && job.Liveness.Find(id, _deviceIndex, out _) == Liveness.Live
            && job.Liveness.Relocated(id, _deviceIndex, commit, to.Value);
        if (isTaken)
        {
            Release(commit);
            return true;
        }

        copies.ForEach(Release);
        if (to.IsOk)
        {
            // One that was healed in between may still name frames of this segment.
            Release(to.Value);
            return job.Liveness.Find(id, _deviceIndex, out _) == Liveness.Dead;
        }

        return to.Fault;
    }

    /// <summary>The extents with every frame of the segment at a new place.</summary>
    private async ValueTask<Result<Extent[]>> MoveExtentsAsync(
        CompactionJob job,
        ObjectId id,
        ReadOnlyMemory<Extent> extents,
        Dictionary<uint, FoundFrame> frames,
        List<LogAddress> copies)
    {
        var moved = new ExtentList();
        for (int i = 0; i < extents.Length; i++)
        {
            Extent extent = extents.Span[i];
            if (extent.Segment != job.Segment.Sequence)
            {
                moved.Add(extent, 0);
                continue;
            }

            uint offset = extent.Offset;
            for (uint stripe = 0; stripe < extent.Stripes; stripe++)
            {
                if (!frames.TryGetValue(offset, out FoundFrame frame) || frame.Id != id)
                {
                    // Its header is rotten, and with it the way to the next ones: scrub finds
                    // shards without a place and heals them.
                    moved.Add(
                        new Extent(extent.FirstStripe + stripe, extent.Stripes - stripe, 0, 0), 0);
                    break;
                }

                Result<LogAddress> copy = await CopyFrameAsync(job, frame);
                if (!copy.IsOk)
                {
                    return copy.Fault;
                }

                copies.Add(copy.Value);
                moved.Add(
                    new Extent(
                        extent.FirstStripe + stripe, 1, copy.Value.Segment, copy.Value.Offset),
                    frame.Bytes);
                offset += frame.Bytes;
            }
        }

        return moved.ToArray();
    }

    /// <summary>Copies one frame to the log's end, window by window, with a new header.</summary>
    private async ValueTask<Result<LogAddress>> CopyFrameAsync(CompactionJob job, FoundFrame frame)
    {
        while (_shards?.HasRoomFor(frame.Bytes) != true || _isClosed)
        {
            Result rolled = _isClosed
                ? Closed()
                : await RollAsync(SegmentKind.Shards, frame.Bytes, essential: false);
            if (!rolled.IsOk)
            {
                return rolled.Fault;
            }
        }

        LogSegment to = _shards;
        var address = new LogAddress(to.Sequence, (uint)to.Cursor, frame.Bytes);
        to.Cursor += frame.Bytes;
        to.LiveBytes += frame.Bytes;
        to.Users++;
        SysResult copied = await CopyBytesAsync(job.Segment, frame, to, address);
        MarkDirty(to);
        Leave(to);
        job.CopiedBytes += frame.Bytes;
        await job.Pace.SpendAsync(2L * frame.Bytes);
        if (copied.IsOk)
        {
            return address;
        }

        to.IsSealed = true;
        Release(address);
        return Describe(copied, "copy a frame on");
    }

    private async ValueTask<SysResult> CopyBytesAsync(
        LogSegment from, FoundFrame frame, LogSegment to, LogAddress address)
    {
        Result<LogSegment> used = Use(from.Sequence);
        if (!used.IsOk)
        {
            return Failed(used.Fault);
        }

        SysResult result = default;
        for (uint done = 0; done < frame.Bytes && result.IsOk;)
        {
            await _copying.EnterAsync();
            int part = (int)Math.Min(CopyBytes, frame.Bytes - done);
            BufferSlice window = _scratch.Slice(CopyStart, part);
            result = await ReadFullyAsync(from.File!.Value, window, frame.Offset + done);
            if (result.IsOk)
            {
                if (done == 0)
                {
                    new FrameHeader(
                        FrameKind.Shard, Device, address.Segment, address.Offset, frame.Bytes,
                        frame.Id, 0, 0, 0).Write(_pool.Span(window));
                }

                result = await WriteFullyAsync(
                    to.File!.Value, window, window with { Bytes = 0 }, address.Offset + done);
            }

            done += (uint)part;
            _copying.Leave();
        }

        Leave(from);
        return result;
    }
}
