using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The stripes that healing and scrubbing may have under way. Their memory is theirs alone, so
/// background work never takes a buffer from a transfer; while transfers are under way, and for a
/// moment after, it keeps to few stripes at a time. Loop thread only.
/// </summary>
internal sealed class HealLanes
{
    /// <summary>
    /// Some being read, some computed, some written: enough to keep a disk busy. Each has a slab of
    /// the shards of a stripe, so these bound what is in flight.
    /// </summary>
    public const int StripesMax = 16;

    /// <summary>While others are served; the devices' queues are then theirs.</summary>
    private const int StripesYielding = 1;

    /// <summary>
    /// Objects close to loss do not wait for anybody, but leave half of the devices' time.
    /// </summary>
    private const int StripesCritical = 4;

    /// <summary>
    /// After a transfer: whoever made one often makes another, and would meet the queue that was
    /// filled in between.
    /// </summary>
    private const long YieldMs = 20;

    private static readonly TimeSpan s_yield = TimeSpan.FromMilliseconds(1);

    private readonly StorageService _service;
    private readonly LoopSemaphore _permits;
    private readonly LoopSemaphore _turn;
    private readonly Stack<HealLane> _idle = new();
    private int _underWay;

    public HealLanes(StorageService service)
    {
        _service = service;
        _permits = new LoopSemaphore(service.Reactor, StripesMax);
        _turn = new LoopSemaphore(service.Reactor, 1);
    }

    /// <summary>
    /// One object after another begins its stripes, so that its frames lie together; only those
    /// close to loss overtake.
    /// </summary>
    public async ValueTask BeginObjectAsync(bool isCritical)
    {
        if (!isCritical)
        {
            bool entered = await _turn.EnterAsync();
            Invariant.Check(entered);
        }
    }

    /// <summary>All stripes of the object were begun.</summary>
    public void EndObject(bool isCritical)
    {
        if (!isCritical)
        {
            _turn.Leave();
        }
    }

    /// <summary>Waits for room; null where the loop ends.</summary>
    public async ValueTask<HealLane?> EnterAsync(
        Manifest manifest, MasterKey? key, bool isCritical = false)
    {
        bool entered = await _permits.EnterAsync();
        Invariant.Check(entered);
        while (_underWay >= Allowed(isCritical))
        {
            if (!(await _service.Reactor.DelayAsync(s_yield)).IsOk)
            {
                _permits.Leave();
                return null;
            }
        }

        _underWay++;
        bool rented = _service.Pool.TryRent(_service.Slabs.HealSlabBytes, out BufferLease lease);
        Invariant.Check(rented, "the pool has one slab for each lane");
        if (!_idle.TryPop(out HealLane? lane))
        {
            lane = new HealLane(_service.Reactor);
        }

        lane.Begin(_service.Pool, lease, manifest, key);
        return lane;
    }

    /// <summary>Nothing may be under way on the lane.</summary>
    public void Leave(HealLane lane)
    {
        _underWay--;
        _service.Pool.Return(lane.Slot.Lease);
        _idle.Push(lane);
        _permits.Leave();
    }

    private int Allowed(bool isCritical)
    {
        if (!_service.IsServing && _service.ServedMsAgo >= YieldMs)
        {
            return StripesMax;
        }

        return isCritical ? StripesCritical : StripesYielding;
    }
}
