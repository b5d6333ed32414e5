using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Gives memory back that nobody uses: pages of buffers that were not rented for a while, and what
/// the collector keeps, once the worker has nothing to do. A busy worker keeps what it has.
/// </summary>
internal sealed class IdleTrim(IReactor reactor, BufferPool pool)
{
    // Long against the pauses of a client that works, short against an operator's look.
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(10);

    // Less garbage than this is not worth a collection.
    private const long GarbageBytesMin = 1024 * 1024;

    private readonly CancellationTokenSource _stopping = new();
    private long _allocatedBytes;

    /// <summary>
    /// Begins with what the start has left behind; call on the loop, when it is over.
    /// </summary>
    public async void Run()
    {
        pool.Trim(all: true);
        Collect();
        long rents = pool.RentCount;
        while (!_stopping.IsCancellationRequested)
        {
            await reactor.DelayAsync(s_every, _stopping.Token);
            pool.Trim(all: false);
            bool isIdle = pool.RentCount == rents;
            rents = pool.RentCount;
            if (isIdle && GC.GetTotalAllocatedBytes() - _allocatedBytes > GarbageBytesMin)
            {
                Collect();
            }
        }
    }

    public void Stop() => _stopping.Cancel();

    private void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _allocatedBytes = GC.GetTotalAllocatedBytes();
    }
}
