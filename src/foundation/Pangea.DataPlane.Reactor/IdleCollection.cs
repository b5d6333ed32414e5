using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// Gives back what the collector and the C library keep, while a process has nothing to do: the
/// collector of a process that allocates little would wait for tens of megabytes of garbage. A busy
/// process keeps what it has and is not interrupted.
/// </summary>
/// <param name="reactor">The loop on which it looks and collects.</param>
/// <param name="onLook">Called at every look, for pools that give back by themselves; or
/// null.</param>
public sealed class IdleCollection(IReactor reactor, Action? onLook = null)
{
    // Long against the pauses of a client that works, short against an operator's look.
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(10);

    // What heartbeats and their like allocate between two looks stays well below this.
    private const long BusyBytesMin = 512 * 1024;

    // A busy loop need not allocate. Heartbeats and their like are some two hundred operations
    // between two looks.
    private const long BusyOperationsMin = 2000;

    // Less garbage than this is not worth a collection.
    private const long GarbageBytesMin = 1024 * 1024;

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Begins at once with what a start has left behind; call on the loop.</summary>
    public async void Run()
    {
        long collectedAt = Collect();
        long before = collectedAt;
        long endedBefore = OperationsEnded;

        // A loop that ends fails its delays.
        while ((await reactor.DelayAsync(s_every, _stopping.Token)).IsOk)
        {
            onLook?.Invoke();
            long now = GC.GetTotalAllocatedBytes();
            long ended = OperationsEnded;
            bool isIdle = now - before < BusyBytesMin
                && ended - endedBefore < BusyOperationsMin;
            (before, endedBefore) = (now, ended);
            if (isIdle && now - collectedAt > GarbageBytesMin)
            {
                collectedAt = Collect();
            }
        }
    }

    private long OperationsEnded => reactor is LoopReactor loop ? loop.OperationsEnded : 0;

    public void Stop() => _stopping.Cancel();

    /// <summary>Returns what had been allocated by then.</summary>
    private static long Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        NativeHeap.Trim();
        return GC.GetTotalAllocatedBytes();
    }
}
