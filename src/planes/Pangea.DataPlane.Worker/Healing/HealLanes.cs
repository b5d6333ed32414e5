using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The stripes that healing and scrubbing may have under way. Their memory is theirs alone, so
/// background work never takes a buffer from a transfer; while transfers are under way or wait, it
/// keeps to one stripe at a time. Loop thread only.
/// </summary>
internal sealed class HealLanes
{
    /// <summary>One being read, one computed, two written: enough to keep a disk busy.</summary>
    public const int StripesMax = 4;

    private static readonly TimeSpan s_yield = TimeSpan.FromMilliseconds(1);

    private readonly StorageService _service;
    private readonly LoopSemaphore _permits;
    private readonly Stack<HealLane> _idle = new();
    private int _underWay;

    public HealLanes(StorageService service)
    {
        _service = service;
        _permits = new LoopSemaphore(service.Reactor, StripesMax);
    }

    /// <summary>Waits for room; null where the loop ends.</summary>
    public async ValueTask<HealLane?> EnterAsync(Manifest manifest, MasterKey? key)
    {
        bool entered = await _permits.EnterAsync();
        Invariant.Check(entered);
        while (_underWay > 0 && _service.IsServing)
        {
            if (!(await _service.Reactor.DelayAsync(s_yield)).IsOk)
            {
                _permits.Leave();
                return null;
            }
        }

        _underWay++;
        bool rented = _service.Pool.TryRent(_service.Slabs.StripeSlabBytes, out BufferLease lease);
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
}
