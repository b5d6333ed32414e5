using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Storage;

/// <content>
/// Giving garbage back: what is live in a segment is copied to the log's end and the catalog told;
/// the segment goes when a checkpoint that began afterwards is durable, because until then the
/// catalog on the disk still points into it.
/// </content>
public sealed partial class DeviceLog
{
    private readonly List<uint> _emptied = [];

    /// <summary>
    /// The sealed segment with the largest share of garbage; null where none has enough. Never the
    /// newest one: its number must stay, so that none is given twice.
    /// </summary>
    /// <param name="garbageShareMin">0 .. 1; 0.5 usually, less when room gets short.</param>
    public uint? ChooseForCompaction(double garbageShareMin)
    {
        LogSegment? best = null;
        uint newest = 0;
        foreach (uint sequence in _segments.Keys)
        {
            newest = Math.Max(newest, sequence);
        }

        double bestShare = garbageShareMin;
        foreach (LogSegment segment in _segments.Values)
        {
            double share = 1 - ((double)segment.LiveBytes / segment.Bytes);
            if (segment.IsSealed && !segment.IsEmptied && !segment.IsStuck && !segment.IsRemoved
                && segment.Users == 0 && segment != _journal && segment != _shards
                && segment.Sequence != newest && share >= bestShare)
            {
                best = segment;
                bestShare = share;
            }
        }

        return best?.Sequence;
    }

    /// <summary>
    /// Copies what is live out of a segment. Afterwards it stays, and can be read, until
    /// <see cref="RemoveEmptiedAsync"/>. Interrupting it at any point loses nothing.
    /// </summary>
    /// <param name="sequence">From <see cref="ChooseForCompaction"/>.</param>
    /// <param name="liveness">The catalog.</param>
    /// <param name="bytesPerSecond">Bound on reading and copying; 0 for none.</param>
    public async ValueTask<Result<CompactionReport>> CompactAsync(
        uint sequence, ILogLiveness liveness, long bytesPerSecond)
    {
        if (!_segments.TryGetValue(sequence, out LogSegment? segment) || !segment.IsSealed)
        {
            return new Fault(FaultCode.NotFound, $"there is no sealed segment {sequence:x8}");
        }

        if (segment.IsDirty)
        {
            // Flushes come with commits. Frames of a put that failed have none, and where they have
            // taken all the room there will be none either. A commit must not overtake the flush.
            await _journalTurn.EnterAsync();
            await FlushShardsAsync();
            _journalTurn.Leave();
        }

        var pace = new CopyPace(_reactor, bytesPerSecond);
        var job = new CompactionJob(segment, liveness, pace);
        _background++;
        Result<bool> emptied = segment.Kind == SegmentKind.Journal
            ? await CompactJournalAsync(job)
            : await CompactShardsAsync(job);
        _background--;
        if (!emptied.IsOk)
        {
            // Until the next start: what cannot be read or copied now would be tried for ever.
            segment.IsStuck = emptied.Fault.Code != FaultCode.NoSpace;
            return emptied.Fault;
        }

        if (emptied.Value)
        {
            segment.IsEmptied = true;
            segment.LiveBytes = 0;
            _emptied.Add(sequence);
        }

        return new CompactionReport(
            sequence, emptied.Value, job.CopiedBytes, emptied.Value ? segment.Bytes : 0);
    }

    /// <summary>
    /// The segments that were emptied so far. Taken before a checkpoint begins, they may go when it
    /// is durable.
    /// </summary>
    public IReadOnlyList<uint> TakeEmptied() => _emptied.ToArray();

    /// <summary>Whether any was emptied and is still there.</summary>
    public bool HasEmptied => _emptied.Count > 0;

    /// <summary>Removes emptied segments; readers under way finish first.</summary>
    public async ValueTask<Result> RemoveEmptiedAsync(IReadOnlyList<uint> sequences)
    {
        if (_isClosed)
        {
            return Closed();
        }

        foreach (uint sequence in sequences)
        {
            if (_emptied.Remove(sequence) && _segments.TryGetValue(sequence, out var segment))
            {
                segment.IsRemoved = true;
                if (segment.Users == 0)
                {
                    Unlink(segment);
                }
            }
        }

        if (sequences.Count == 0)
        {
            return Result.Ok;
        }

        // Before any tombstone is dropped that speaks of what lay there.
        _background++;
        SysResult synced = await _store.SyncNamesAsync(_reactor);
        _store.KeepReserve();
        _isOnReserve = false;
        _background--;
        return synced.IsOk ? Result.Ok : Describe(synced, "remove segments of");
    }

    private sealed class CompactionJob(LogSegment segment, ILogLiveness liveness, CopyPace pace)
    {
        internal LogSegment Segment { get; } = segment;

        internal ILogLiveness Liveness { get; } = liveness;

        internal CopyPace Pace { get; } = pace;

        internal long CopiedBytes { get; set; }
    }

    private async ValueTask<Result<bool>> CompactJournalAsync(CompactionJob job)
    {
        LogSegment segment = job.Segment;
        long at = LogFormat.FirstFrameOffset;
        long end = at;
        while (at + LogFormat.BlockBytes <= segment.Bytes && at - end <= HoleBytesMax)
        {
            Result<FrameHeader?> frame = _isClosed
                ? Closed()
                : await ReadFrameHeaderAsync(segment, at);
            if (!frame.IsOk)
            {
                return frame.Fault;
            }

            if (frame.Value is not { } found)
            {
                at += LogFormat.BlockBytes;
                continue;
            }

            Result<bool> copied = at > end ? await CopyHiddenAsync(job, end, at) : true;
            if (copied.IsOk && copied.Value)
            {
                Result<byte[]> raw = await ReadGuardedAsync(
                    new LogAddress(segment.Sequence, (uint)at, found.FrameBytes));
                copied = raw.IsOk
                    ? await CopyEntriesAsync(job, raw.Value, (uint)at, onlyCommits: false)
                    : raw.Fault;
            }

            if (!copied.IsOk || !copied.Value)
            {
                return copied;
            }

            await job.Pace.SpendAsync(found.FrameBytes);
            at += found.FrameBytes;
            end = at;
        }

        return await CopyHiddenAsync(job, end, Math.Min(end + SlabBytes, segment.Bytes));
    }

    /// <summary>
    /// A batch with a rotten frame header hides entries that can still be read by their addresses.
    /// Only commits: those the catalog knows; of others nobody can tell whether they ever counted.
    /// </summary>
    private async ValueTask<Result<bool>> CopyHiddenAsync(CompactionJob job, long from, long to)
    {
        if (to - from < LogFormat.BlockBytes)
        {
            return true;
        }

        Result<byte[]> raw = await ReadGuardedAsync(
            new LogAddress(job.Segment.Sequence, (uint)from, (uint)(to - from)));
        return raw.IsOk
            ? await CopyEntriesAsync(job, raw.Value, (uint)from, onlyCommits: true)
            : raw.Fault;
    }

    private async ValueTask<Result<FrameHeader?>> ReadFrameHeaderAsync(LogSegment segment, long at)
    {
        Result<byte[]> block = await ReadGuardedAsync(
            new LogAddress(segment.Sequence, (uint)at, LogFormat.BlockBytes));
        if (!block.IsOk)
        {
            return block.Fault;
        }

        bool isFrame = FrameHeader.TryRead(
            block.Value, Device, segment.Sequence, (uint)at, out FrameHeader frame)
            && frame.Kind == FrameKind.Batch && at + frame.FrameBytes <= segment.Bytes;
        return isFrame ? frame : (FrameHeader?)null;
    }

    private async ValueTask<Result<byte[]>> ReadGuardedAsync(LogAddress address)
    {
        await _copying.EnterAsync();
        Result<byte[]> raw = await ReadRawAsync(address, _scratch.Slice(CopyStart, CopyBytes));
        _copying.Leave();
        return raw;
    }

    /// <summary>
    /// Appends the live entries of a batch again, all at once so that they share a flush. False
    /// where one is busy. A damaged batch is searched for entries that are whole by themselves.
    /// </summary>
    private async ValueTask<Result<bool>> CopyEntriesAsync(
        CompactionJob job, byte[] frame, uint frameOffset, bool onlyCommits)
    {
        var live = new List<(LogAddress From, LogEntryKind Kind, ObjectId Id)>();
        if (!CollectLive(job, frame, frameOffset, onlyCommits, live))
        {
            return false;
        }

        var appends = new Task<Result<LogAddress>>[live.Count];
        for (int i = 0; i < appends.Length; i++)
        {
            LogAddress from = live[i].From;
            Memory<byte> raw = frame.AsMemory(
                (int)(from.Offset - frameOffset), (int)from.Bytes);
            appends[i] = AppendAgainAsync(raw).AsTask();
        }

        Fault? fault = null;
        for (int i = 0; i < appends.Length; i++)
        {
            Result<LogAddress> to = await appends[i];
            if (!to.IsOk)
            {
                fault = to.Fault;
                continue;
            }

            job.CopiedBytes += to.Value.Bytes;
            bool isTaken = live[i].Kind != LogEntryKind.Commit
                || job.Liveness.Relocated(
                    live[i].Id, _deviceIndex, live[i].From, to.Value);
            Release(isTaken ? live[i].From : to.Value);
        }

        return fault is null ? true : fault;
    }

    private bool CollectLive(
        CompactionJob job, byte[] frame, uint frameOffset, bool onlyCommits,
        List<(LogAddress From, LogEntryKind Kind, ObjectId Id)> live)
    {
        for (int at = LogFormat.FrameHeaderBytes; at < frame.Length;)
        {
            if (!LogEntryView.TryRead(
                frame.AsSpan(at), job.Segment.Sequence, frameOffset + (uint)at,
                out LogEntryView entry))
            {
                at += LogFormat.EntryAlignment;
                continue;
            }

            at += (int)entry.Address.Bytes;
            bool isNeeded;
            if (entry.Kind == LogEntryKind.Commit)
            {
                Liveness state = job.Liveness.Find(
                    entry.Id, _deviceIndex, out LogAddress commit);
                if (state == Liveness.Busy)
                {
                    return false;
                }

                isNeeded = state == Liveness.Live && commit == entry.Address;
            }
            else
            {
                isNeeded = !onlyCommits
                    && (entry.Kind != LogEntryKind.Void || entry.Id != default)
                    && job.Liveness.IsNeeded(entry, _deviceIndex);
            }

            if (isNeeded)
            {
                live.Add((entry.Address, entry.Kind, entry.Id));
            }
        }

        return true;
    }

    private ValueTask<Result<LogAddress>> AppendAgainAsync(ReadOnlyMemory<byte> raw)
    {
        if (raw.Length <= PackedBytesMax)
        {
            return AppendCopyAsync(raw);
        }

        Invariant.Check(LogEntryView.TryRead(raw.Span, 0, 0, out LogEntryView entry));
        return AppendCommitAsync(
            entry.ToCommit(), entry.Manifest.ToArray(), entry.InlineShard.ToArray());
    }
}
