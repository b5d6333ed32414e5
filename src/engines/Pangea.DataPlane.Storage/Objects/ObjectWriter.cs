using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Writes one new object version of many stripes onto its devices: shard frames as the stripes
/// come, then a commit entry that names them. The flush that makes the entry durable covers the
/// frames too, for they were written before it was appended. A device that fails on the way is left
/// out; the put goes on while enough remain.
/// </summary>
public sealed class ObjectWriter
{
    /// <summary>Stripes whose writes may overlap; more than any transfer has slots.</summary>
    private const int WindowStripes = 16;

    private readonly ObjectCommit _commit;
    private readonly List<Run>[] _runs;
    private readonly LogAddress[][] _window;
    private readonly bool[] _written = new bool[WindowStripes];
    private long _inOrder;

    private ObjectWriter(ObjectCommit commit)
    {
        _commit = commit;
        _runs = new List<Run>[commit.Positions];
        for (int position = 0; position < _runs.Length; position++)
        {
            _runs[position] = [];
        }

        _window = new LogAddress[WindowStripes][];
        for (int i = 0; i < WindowStripes; i++)
        {
            _window[i] = new LogAddress[commit.Positions];
        }
    }

    /// <summary>Positions, devices, and the commit.</summary>
    public ObjectCommit Commit => _commit;

    /// <summary>Bytes that the frames occupy on all devices.</summary>
    public long FrameBytes { get; private set; }

    /// <summary>
    /// What was written so far: in a segment of a device, so many bytes. No commit names it yet.
    /// </summary>
    public IEnumerable<(StorageDevice Device, LogAddress Frames)> Written
    {
        get
        {
            for (int position = 0; position < _runs.Length; position++)
            {
                foreach (Run run in _runs[position])
                {
                    yield return (
                        _commit.DeviceOf(position),
                        new LogAddress(run.Extent.Segment, run.Extent.Offset, run.Bytes));
                }
            }
        }
    }

    /// <summary>Chooses devices; fails where fewer than needed take writes.</summary>
    /// <param name="devices">Of which to choose.</param>
    /// <param name="redundancy">k and m of the object.</param>
    /// <param name="id">The new version.</param>
    /// <param name="needed">Devices that must have it before it is acknowledged.</param>
    public static Result<ObjectWriter> Create(
        DeviceSet devices, Redundancy redundancy, ObjectId id, int needed)
    {
        var commit = new ObjectCommit();
        Result enough = commit.Begin(devices, redundancy, id, needed);
        return enough.IsOk ? new ObjectWriter(commit) : enough.Fault;
    }

    /// <summary>
    /// Appends one stripe: shard i of the image goes to its position's device. Calls may overlap;
    /// the image's slab must stay untouched until completion.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Result> WriteStripeAsync(
        long stripe, StripeImage image, ValueTask<Result<LogAddress>>[] scratch)
    {
        int total = _commit.Positions;
        ulong started = 0;
        for (int shard = 0; shard < total; shard++)
        {
            int position = Placement.PositionOf(stripe, shard, total);
            if (_commit.LogOf(position) is { } log)
            {
                started |= 1UL << shard;
                scratch[shard] = log.AppendShardAsync(
                    _commit.Id, image.Header(shard), image.Payload(shard));
            }
        }

        // Every started operation is awaited, whatever became of its device meanwhile: until then
        // the slab is the kernel's.
        LogAddress[] addresses = _window[stripe % WindowStripes];
        Array.Clear(addresses);
        for (int shard = 0; shard < total; shard++)
        {
            int position = Placement.PositionOf(stripe, shard, total);
            if ((started & (1UL << shard)) == 0)
            {
                continue;
            }

            Result<LogAddress> written = await scratch[shard];
            if (written.IsOk)
            {
                addresses[position] = written.Value;
                FrameBytes += written.Value.Bytes;
            }
            else
            {
                _commit.Drop(position, written.Fault);
            }
        }

        Settle(stripe);
        return _commit.CheckQuorum();
    }

    /// <summary>
    /// Makes the version durable, see <see cref="ObjectCommit.CommitAsync"/>. All stripes must have
    /// been written. On a fault the frames are garbage already.
    /// </summary>
    public async ValueTask<Result> CommitAsync(CommitTerms terms, ReadOnlyMemory<byte> manifest)
    {
        var extents = new Extent[_runs.Length][];
        for (int position = 0; position < _runs.Length; position++)
        {
            extents[position] = [.. _runs[position].Select(run => run.Extent)];
        }

        Result committed = await _commit.CommitAsync(terms, manifest, default, 0, extents);
        ReleaseFrames(onlyDropped: committed.IsOk);
        return committed;
    }

    /// <summary>
    /// The object is not stored: its frames are garbage. Only with no write of this object under
    /// way.
    /// </summary>
    public void Abort() => ReleaseFrames(onlyDropped: false);

    /// <summary>
    /// Puts finished stripes into the order of the object, in which extents are built: stripes
    /// that overlap may end in any order.
    /// </summary>
    private void Settle(long stripe)
    {
        Invariant.Check(stripe >= _inOrder && stripe < _inOrder + WindowStripes);
        _written[stripe % WindowStripes] = true;
        while (_written[_inOrder % WindowStripes])
        {
            long next = _inOrder++;
            _written[next % WindowStripes] = false;
            LogAddress[] addresses = _window[next % WindowStripes];
            for (int position = 0; position < addresses.Length; position++)
            {
                if (!addresses[position].IsNone)
                {
                    Append(_runs[position], (uint)next, addresses[position]);
                }
            }
        }
    }

    private static void Append(List<Run> runs, uint stripe, LogAddress frame)
    {
        if (runs.Count > 0)
        {
            Run last = runs[^1];
            Extent extent = last.Extent;
            if (extent.Segment == frame.Segment && extent.Offset + last.Bytes == frame.Offset
                && extent.FirstStripe + extent.Stripes == stripe)
            {
                runs[^1] = new Run(
                    extent with { Stripes = extent.Stripes + 1 }, last.Bytes + frame.Bytes);
                return;
            }
        }

        runs.Add(new Run(new Extent(stripe, 1, frame.Segment, frame.Offset), frame.Bytes));
    }

    private void ReleaseFrames(bool onlyDropped)
    {
        for (int position = 0; position < _runs.Length; position++)
        {
            if (onlyDropped && !_commit.EntryOf(position).IsNone)
            {
                continue;
            }

            foreach (Run run in _runs[position])
            {
                FrameBytes -= run.Bytes;
                _commit.DeviceOf(position).Log?.Release(
                    new LogAddress(run.Extent.Segment, run.Extent.Offset, run.Bytes));
            }

            _runs[position].Clear();
        }
    }

    /// <summary>Frames of consecutive stripes that touch each other.</summary>
    /// <param name="Extent">Where.</param>
    /// <param name="Bytes">Their length, within one segment.</param>
    private readonly record struct Run(Extent Extent, uint Bytes);
}
