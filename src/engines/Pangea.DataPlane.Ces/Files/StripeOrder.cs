namespace Pangea.DataPlane.Ces;

/// <summary>
/// Lets threads that work on stripes side by side do one thing in the order of the stripes:
/// entering with stripe n waits until n - 1 has left. The first fault ends the waiting of all.
/// </summary>
internal sealed class StripeOrder
{
    private readonly Lock _entry = new();
    private readonly object _gate = new();
    private long _turn;
    private long _next;

    /// <summary>The first fault of any thread; null while all is well.</summary>
    public Core.Fault? Fault { get; private set; }

    /// <summary>Hands out stripe indices in order; -1 when all are taken or something
    /// failed.</summary>
    public long Take(long count)
    {
        lock (_entry)
        {
            return _next < count && Fault is null ? _next++ : -1;
        }
    }

    /// <summary>Waits for the turn of that stripe; false where another one failed.</summary>
    public bool Enter(long stripe)
    {
        lock (_gate)
        {
            while (_turn != stripe && Fault is null)
            {
                Monitor.Wait(_gate);
            }

            return Fault is null;
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            _turn++;
            Monitor.PulseAll(_gate);
        }
    }

    public void Fail(Core.Fault fault)
    {
        lock (_gate)
        {
            Fault ??= fault;
            Monitor.PulseAll(_gate);
        }
    }
}
