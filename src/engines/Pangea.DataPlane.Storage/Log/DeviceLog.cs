using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The append-only log of one device: shard frames in segments of one kind, a journal of batches in
/// segments of the other. An object is here when a commit entry for it is durable; the journal
/// alone says which are, so only it is read at start. Used on the loop's thread only.
/// </summary>
/// <remarks>
/// Rents <see cref="SlabsPerDevice"/> slabs of <see cref="SlabBytes"/> for as long as it is open:
/// the batch that fills, the batch that is being written, and one for headers, zeros and copying.
/// A full batch makes appends wait: that is the backpressure.
/// </remarks>
public sealed partial class DeviceLog : IDisposable
{
    /// <summary>What a log rents of the pool; the pool's owner reckons with it.</summary>
    public const int SlabsPerDevice = 3;

    /// <summary>The longest batch of a group commit.</summary>
    public const int SlabBytes = 256 * 1024;

    // Parts of the third slab.
    private const int RemovalStart = LogFormat.BlockBytes;
    private const int ZeroStart = 2 * LogFormat.BlockBytes;
    private const int ZeroBytes = 64 * 1024;
    private const int CopyStart = ZeroStart + ZeroBytes;

    private readonly ISegmentStore _store;
    private readonly IReactor _reactor;
    private readonly BufferPool _pool;
    private readonly DeviceLogOptions _options;
    private readonly Action<Fault> _report;
    private readonly Dictionary<uint, LogSegment> _segments = [];
    private readonly LoopSemaphore _creating;
    private readonly LoopSemaphore _copying;
    private readonly BufferLease _scratch;
    private readonly int _deviceIndex;
    private LogSegment? _journal;
    private LogSegment? _nextJournal;
    private LogSegment? _shards;
    private LogSegment? _nextShards;
    private uint _lastSequence;
    private int _openSegments;
    private long _uses;
    private int _background;
    private bool _isPreparing;
    private bool _disposed;
    private bool _isClosed;

    private DeviceLog(
        int deviceIndex,
        ISegmentStore store,
        IReactor reactor,
        BufferPool pool,
        DeviceLogOptions options,
        Action<Fault> report,
        ReadOnlySpan<BufferLease> slabs)
    {
        _deviceIndex = deviceIndex;
        _store = store;
        _reactor = reactor;
        _pool = pool;
        _options = options;
        _report = report;
        _creating = new LoopSemaphore(reactor, 1);
        _journalTurn = new LoopSemaphore(reactor, 1);
        _copying = new LoopSemaphore(reactor, 1);
        _wakeFlusher = WakeFlusher;
        _filling = new JournalBatch(slabs[0]);
        _spare = new JournalBatch(slabs[1]);
        _scratch = slabs[2];
        _pool.Span(_scratch)[..CopyStart].Clear();
    }

    public DeviceId Device => _store.Device;

    public bool UsesDirectIo => _store.UsesDirectIo;

    /// <summary>
    /// Everything whose append has completed lies before this. Taken before a checkpoint, it is
    /// where the next replay begins.
    /// </summary>
    public LogPosition End => _journal is null
        ? new LogPosition(_lastSequence + 1, 0)
        : new LogPosition(_journal.Sequence, (uint)_durableEnd);

    /// <summary>All segments, oldest first.</summary>
    public IReadOnlyList<SegmentReport> Segments =>
        _segments.Values.OrderBy(segment => segment.Sequence).Select(s => s.Report()).ToArray();

    /// <summary>Room that all segments take.</summary>
    public long Bytes => _segments.Values.Sum(segment => segment.Bytes);

    /// <summary>Of these, what objects need.</summary>
    public long LiveBytes => _segments.Values.Sum(segment => segment.LiveBytes);

    /// <summary>Flushes of the journal so far.</summary>
    public long FlushCount { get; private set; }

    /// <summary>Entries made durable so far.</summary>
    public long EntryCount { get; private set; }

    /// <summary>
    /// Lists the segments. What the journal says is learned by <see cref="ReplayAsync"/>; without
    /// it appends go to new segments.
    /// </summary>
    /// <param name="deviceIndex">For messages.</param>
    /// <param name="store">Owned from now on, also on failure.</param>
    /// <param name="reactor">The loop.</param>
    /// <param name="pool">Must have the slabs of <see cref="SlabsPerDevice"/>.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="report">Told every fault that says something about the device.</param>
    public static Result<DeviceLog> Open(
        int deviceIndex,
        ISegmentStore store,
        IReactor reactor,
        BufferPool pool,
        DeviceLogOptions options,
        Action<Fault> report)
    {
        var slabs = new BufferLease[SlabsPerDevice];
        for (int i = 0; i < slabs.Length; i++)
        {
            if (!pool.TryRent(SlabBytes, out slabs[i]))
            {
                GiveBack(pool, slabs.AsSpan(0, i));
                store.Dispose();
                return new Fault(
                    FaultCode.Busy, $"no buffers are left for the log of device {deviceIndex}");
            }
        }

        Result<List<SegmentName>> names = store.List(pool.Span(slabs[0]));
        if (!names.IsOk)
        {
            GiveBack(pool, slabs);
            store.Dispose();
            return names.Fault;
        }

        var log = new DeviceLog(deviceIndex, store, reactor, pool, options, report, slabs);
        foreach (SegmentName name in names.Value)
        {
            log._segments[name.Sequence] = new LogSegment(name.Sequence, name.Kind, name.Bytes)
            {
                IsSealed = true,
                Cursor = name.Bytes,
            };
            log._lastSequence = Math.Max(log._lastSequence, name.Sequence);
        }

        return log;
    }

    /// <summary>True where the segment has not been given back.</summary>
    public bool Has(uint sequence) => _segments.ContainsKey(sequence);

    /// <summary>The bytes are not needed any more; they count as garbage from now on.</summary>
    public void Release(LogAddress address)
    {
        if (!address.IsNone && _segments.TryGetValue(address.Segment, out LogSegment? segment))
        {
            segment.LiveBytes = Math.Max(0, segment.LiveBytes - address.Bytes);
        }
    }

    /// <summary>
    /// The bytes are needed: for entries met by a replay. What is appended counts by itself.
    /// </summary>
    public void Claim(LogAddress address)
    {
        if (!address.IsNone && _segments.TryGetValue(address.Segment, out LogSegment? segment))
        {
            segment.LiveBytes = Math.Min(segment.Bytes, segment.LiveBytes + address.Bytes);
        }
    }

    /// <summary>Sets what a checkpoint noted; segments that are gone are ignored.</summary>
    public void RestoreLiveBytes(uint sequence, long liveBytes)
    {
        if (_segments.TryGetValue(sequence, out LogSegment? segment))
        {
            segment.LiveBytes = Math.Clamp(liveBytes, 0, segment.Bytes);
        }
    }

    /// <summary>
    /// Ends the log: waits for what is under way. Appends fail from now on.
    /// </summary>
    public async ValueTask CloseAsync()
    {
        _isClosed = true;
        while (_isFlushing || _background > 0 || _filling.Count > 0)
        {
            await _reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
        }

        Dispose();
    }

    /// <summary>Only with nothing under way: after <see cref="CloseAsync"/> or the loop's
    /// end.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _isClosed = true;
        foreach (LogSegment segment in _segments.Values)
        {
            CloseFile(segment);
        }

        GiveBack(_pool, [_filling.Lease, _spare.Lease, _scratch]);
        _store.Dispose();
    }

    private static void GiveBack(BufferPool pool, ReadOnlySpan<BufferLease> slabs)
    {
        foreach (BufferLease slab in slabs)
        {
            pool.Return(slab);
        }
    }

    private Fault Closed() =>
        new(FaultCode.Unavailable, $"the log of device {_deviceIndex} is closed");

    private Fault Describe(SysResult result, string what) =>
        result.Errno.ToFault($"{what} device {_deviceIndex}");
}
