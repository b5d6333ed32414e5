namespace Pangea.DataPlane.Reactor;

/// <summary>Brings whoever awaits an ordinary task on the loop's thread back to it.</summary>
internal sealed class LoopSynchronizationContext(IReactor reactor) : SynchronizationContext
{
    public override void Post(SendOrPostCallback d, object? state) => reactor.Post(() => d(state));

    public override void Send(SendOrPostCallback d, object? state)
    {
        if (!reactor.IsLoopThread)
        {
            throw new NotSupportedException("nothing waits for the loop; use Post");
        }

        d(state);
    }

    public override SynchronizationContext CreateCopy() => this;
}
