// HOT PATH: reading a shard or a packed object is one read into the caller's slab.

using System.Buffers;
using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>A commit entry, read whole.</summary>
/// <param name="Entry">Position, times, extents.</param>
/// <param name="Manifest">As it was appended.</param>
/// <param name="InlineShard">Shard header and payload of a packed object, else empty; not
/// judged.</param>
public sealed record CommitRecord(CommitEntry Entry, byte[] Manifest, byte[] InlineShard);

/// <summary>Looks at a commit entry while its bytes are there.</summary>
/// <param name="entry">Position, times, extents.</param>
/// <param name="manifest">As it was appended; valid during the call.</param>
/// <param name="inlineShard">As in <see cref="CommitRecord"/>; valid during the call.</param>
public delegate void CommitLook(
    in CommitEntry entry, ReadOnlySpan<byte> manifest, ReadOnlySpan<byte> inlineShard);

/// <summary>Where in the slice of a read the parts of a packed object's commit entry lie.</summary>
/// <param name="ManifestStart">From the slice's beginning.</param>
/// <param name="ManifestBytes">Length.</param>
/// <param name="ShardStart">Shard header, payload right behind it.</param>
/// <param name="ShardBytes">Both together; 0 for an object that is not packed.</param>
/// <param name="Position">Which position of the object the entry is for.</param>
public readonly record struct InlineShard(
    int ManifestStart, int ManifestBytes, int ShardStart, int ShardBytes, int Position);

/// <content>Reading by address.</content>
public sealed partial class DeviceLog
{
    /// <summary>Bytes to have ready for reading an entry: the blocks that cover it.</summary>
    public static int BytesToRead(LogAddress address) => (int)(
        LogFormat.RoundUpToBlock((long)address.Offset + address.Bytes)
        - (address.Offset & ~(LogFormat.BlockBytes - 1L)));

    /// <summary>
    /// Reads a shard frame: its header block, and as much payload as the slice holds. ESTALE where
    /// the segment is gone (compaction has moved what lived there: look the address up again),
    /// ENODATA where there is no such frame.
    /// </summary>
    public ValueTask<SysResult> ReadShardAsync(
        LogAddress address, BufferSlice headerBlock, BufferSlice payload)
    {
        ShardRead job = _shardReads.TryPop(out ShardRead? used) ? used : new(this);
        (job.Address, job.Header, job.Payload) = (address, headerBlock, payload);
        return job.Start();
    }

    private SysResult JudgeShard(LogAddress address, BufferSlice headerBlock, SysResult read)
    {
        if (!read.IsOk)
        {
            _report(Describe(read, "read"));
            return read;
        }

        bool isFrame = FrameHeader.TryRead(
            _pool.Span(headerBlock), Device, address.Segment, address.Offset, out FrameHeader frame)
            && frame.Kind == FrameKind.Shard;
        return isFrame ? read : SysResult.Fail(Errno.ENODATA);
    }

    /// <summary>
    /// Reads the commit entry of a packed object in one go, without an allocation. Corrupt where
    /// there is no whole entry, TooLarge where the slice does not hold it.
    /// </summary>
    /// <param name="address">Of the entry.</param>
    /// <param name="into">At least <see cref="BytesToRead"/>, from a multiple of 4096.</param>
    public ValueTask<Result<InlineShard>> ReadInlineAsync(LogAddress address, BufferSlice into)
    {
        int bytes = BytesToRead(address);
        if (into.Bytes < bytes)
        {
            return new ValueTask<Result<InlineShard>>(new Fault(
                FaultCode.TooLarge, $"an entry of {address.Bytes} bytes meets a short buffer"));
        }

        InlineRead job = _inlineReads.TryPop(out InlineRead? used) ? used : new(this);
        (job.Address, job.Blocks) = (address, into with { Bytes = bytes });
        return job.Start();
    }

    private Result<InlineShard> FindInline(LogAddress address, BufferSlice blocks, SysResult read)
    {
        if (!read.IsOk)
        {
            Fault fault = Describe(read, "read");
            _report(fault);
            return fault;
        }

        int skip = (int)(address.Offset % LogFormat.BlockBytes);
        return LogEntryView.TryRead(
            _pool.Span(blocks)[skip..], address.Segment, address.Offset, out LogEntryView entry)
            && entry.Kind == LogEntryKind.Commit
            ? new InlineShard(
                skip + entry.ManifestStart, entry.Manifest.Length,
                skip + entry.InlineStart, entry.InlineBytes, entry.Position)
            : NoEntry(address);
    }

    /// <summary>Reads a commit entry of any length into memory of its own.</summary>
    /// <param name="address">Of the entry.</param>
    /// <param name="scratch">A slab of the pool to read through.</param>
    /// <param name="pool">The pool.</param>
    public async ValueTask<Result<CommitRecord>> ReadCommitAsync(
        LogAddress address, BufferLease scratch, BufferPool pool)
    {
        CommitRecord? record = null;
        Result<CommitEntry> read = await ReadCommitAsync(
            address, scratch, pool, (in CommitEntry entry, ReadOnlySpan<byte> manifest,
                ReadOnlySpan<byte> inlineShard) =>
                    record = new CommitRecord(entry, manifest.ToArray(), inlineShard.ToArray()));
        return read.IsOk ? record! : read.Fault;
    }

    /// <summary>As above; the manifest is shown and not kept.</summary>
    /// <param name="address">Of the entry.</param>
    /// <param name="scratch">A slab of the pool to read through.</param>
    /// <param name="pool">The pool.</param>
    /// <param name="look">Takes what it needs; null where the entry's own fields are all.</param>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    public async ValueTask<Result<CommitEntry>> ReadCommitAsync(
        LogAddress address, BufferLease scratch, BufferPool pool, CommitLook? look)
    {
        Invariant.Check(pool == _pool);
        Result<LogSegment> used = UseAround(address);
        if (!used.IsOk)
        {
            return used.Fault;
        }

        byte[] raw = ArrayPool<byte>.Shared.Rent((int)address.Bytes);
        SysResult read = await ReadIntoAsync(
            used.Value, address, scratch.Slice(0, scratch.Bytes), raw);
        Leave(used.Value);
        Result<CommitEntry> found = read.IsOk
            ? Parse(address, raw.AsSpan(0, (int)address.Bytes), look)
            : Describe(read, "read");
        ArrayPool<byte>.Shared.Return(raw);
        return found;
    }

    private Result<CommitEntry> Parse(
        LogAddress address, ReadOnlySpan<byte> raw, CommitLook? look)
    {
        if (!LogEntryView.TryRead(raw, address.Segment, address.Offset, out LogEntryView entry)
            || entry.Kind != LogEntryKind.Commit)
        {
            return NoEntry(address);
        }

        CommitEntry commit = entry.ToCommit();
        look?.Invoke(commit, entry.Manifest, entry.InlineShard);
        return commit;
    }

    /// <summary>The bytes at an address, through a window.</summary>
    private async ValueTask<Result<byte[]>> ReadRawAsync(LogAddress address, BufferSlice window)
    {
        Result<LogSegment> used = UseAround(address);
        if (!used.IsOk)
        {
            return used.Fault;
        }

        var bytes = new byte[address.Bytes];
        SysResult read = await ReadIntoAsync(used.Value, address, window, bytes);
        Leave(used.Value);
        return read.IsOk ? bytes : Describe(read, "read");
    }

    /// <summary>
    /// The segment, to be left; a fault where the address, which may be a lie, leads out of it.
    /// </summary>
    private Result<LogSegment> UseAround(LogAddress address)
    {
        Result<LogSegment> used = Use(address.Segment);
        if (used.IsOk && (long)address.Offset + address.Bytes > used.Value.Bytes)
        {
            Leave(used.Value);
            return NoEntry(address);
        }

        return used;
    }

    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    private async ValueTask<SysResult> ReadIntoAsync(
        LogSegment segment, LogAddress address, BufferSlice window, byte[] bytes)
    {
        int windowBytes = window.Bytes & ~(LogFormat.BlockBytes - 1);
        long start = address.Offset & ~(LogFormat.BlockBytes - 1L);
        long end = (long)address.Offset + address.Bytes;
        SysResult read = default;
        for (long at = start; at < end && read.IsOk; at += windowBytes)
        {
            int part = (int)Math.Min(windowBytes, LogFormat.RoundUpToBlock(end - at));
            read = await ReadFullyAsync(segment.File!.Value, window with { Bytes = part }, at);
            if (read.IsOk)
            {
                long from = Math.Max(at, address.Offset);
                long to = Math.Min(at + part, end);
                _pool.Span(window)[(int)(from - at)..(int)(to - at)]
                    .CopyTo(bytes.AsSpan((int)(from - address.Offset)));
            }
        }

        return read;
    }

    private Fault NoEntry(LogAddress address) => new(
        FaultCode.Corrupt, $"device {_deviceIndex} has no whole commit entry at {address}");

    private SysResult Failed(Fault fault)
    {
        _report(fault);
        return SysResult.Fail(fault.Errno == 0 ? Errno.EIO : new Errno(fault.Errno));
    }
}
