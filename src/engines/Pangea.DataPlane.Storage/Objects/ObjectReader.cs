using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>Where the commit entry of one position of an object is.</summary>
/// <param name="Device">Null where the device is not here.</param>
/// <param name="Commit">None where the position was never written.</param>
public readonly record struct PositionSource(StorageDevice? Device, LogAddress Commit)
{
    /// <summary>True where there is something to read from.</summary>
    public bool IsHere =>
        Device is { Log: not null, State: not DeviceState.Missing } && !Commit.IsNone;
}

/// <summary>
/// Reads one object version of many stripes from the logs of its devices: commit entries first,
/// then shard frames by stripe and shard. Judges neither manifests nor shards.
/// </summary>
/// <remarks>
/// A position's frames lie in extents of consecutive stripes. Where a stripe is within its extent
/// follows from the lengths of the stripes before it, so each position keeps a cursor: reading
/// upwards costs a step a stripe, whatever the object's length.
/// </remarks>
public sealed class ObjectReader
{
    private readonly PositionSource[] _sources;
    private readonly Func<long, int> _shardBytesOf;
    private readonly CommitEntry?[] _entries;
    private readonly Cursor[] _cursors;

    /// <param name="sources">One for each position.</param>
    /// <param name="shardBytesOf">Payload bytes of a shard of a stripe, from the manifest.</param>
    public ObjectReader(PositionSource[] sources, Func<long, int> shardBytesOf)
    {
        _sources = sources;
        _shardBytesOf = shardBytesOf;
        _entries = new CommitEntry?[sources.Length];
        _cursors = new Cursor[sources.Length];
    }

    public int Positions => _sources.Length;

    /// <summary>
    /// Positions that are here; whether they are whole is known when they are read.
    /// </summary>
    public int AvailablePositions => _sources.Count(source => source.IsHere);

    public StorageDevice? DeviceOf(int position) => _sources[position].Device;

    /// <summary>True where the position's commit entry was read or may yet be.</summary>
    public bool Has(int position) => _sources[position].IsHere;

    /// <summary>
    /// Reads a position's commit entry, once; afterwards its shards can be read. A position whose
    /// entry cannot be read is no longer here.
    /// </summary>
    /// <param name="position">A position that is here.</param>
    /// <param name="scratch">A slab to read through.</param>
    /// <param name="pool">Where the slab is from.</param>
    /// <param name="look">Is shown the entry, if it is read and whole.</param>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder<>))]
    public async ValueTask<Result> OpenAsync(
        int position, BufferLease scratch, BufferPool pool, CommitLook? look = null)
    {
        if (_entries[position] is not null)
        {
            return Result.Ok;
        }

        PositionSource source = _sources[position];
        if (source.Device?.Log is not { } log || source.Commit.IsNone)
        {
            return new Fault(FaultCode.NotFound, $"position {position} is not here");
        }

        Result<CommitEntry> entry = await log.ReadCommitAsync(
            source.Commit, scratch, pool, look);
        if (!entry.IsOk)
        {
            _sources[position] = default;
            source.Device.Report(entry.Fault);
            return entry.Fault;
        }

        _entries[position] = entry.Value;
        return Result.Ok;
    }

    /// <summary>
    /// Reads one shard's frame into header block and payload; ENOENT where the position does not
    /// hold the stripe.
    /// </summary>
    public ValueTask<SysResult> ReadShardAsync(
        int position, long stripe, BufferSlice header, BufferSlice payload)
    {
        LogAddress address = AddressOf(position, stripe);
        return address.IsNone || _sources[position].Device?.Log is not { } log
            ? ValueTask.FromResult(SysResult.Fail(Errno.ENOENT))
            : log.ReadShardAsync(address, header, payload);
    }

    /// <summary>Where a position's frame of a stripe is; none where it has none.</summary>
    public LogAddress AddressOf(int position, long stripe)
    {
        if (_entries[position] is not { } entry)
        {
            return default;
        }

        ReadOnlySpan<Extent> extents = entry.Extents.Span;
        ref Cursor cursor = ref _cursors[position];
        if (stripe < cursor.Stripe)
        {
            cursor = default;
        }

        while (cursor.Extent < extents.Length)
        {
            Extent extent = extents[cursor.Extent];
            if (stripe >= extent.FirstStripe + (long)extent.Stripes)
            {
                cursor = new Cursor(cursor.Extent + 1, 0, 0);
                continue;
            }

            if (stripe < extent.FirstStripe)
            {
                return default;
            }

            if (cursor.Offset == 0)
            {
                // Not placed in this extent yet: no frame is at a segment's beginning.
                cursor = new Cursor(cursor.Extent, extent.FirstStripe, extent.Offset);
            }

            for (; cursor.Stripe < stripe; cursor.Stripe++)
            {
                cursor.Offset += (uint)StripeImage.FrameBytes(_shardBytesOf(cursor.Stripe));
            }

            return new LogAddress(
                extent.Segment, cursor.Offset,
                (uint)StripeImage.FrameBytes(_shardBytesOf(stripe)));
        }

        return default;
    }

    /// <summary>How far a position's extents were followed.</summary>
    private record struct Cursor(int Extent, long Stripe, uint Offset);
}
