using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The stripes of one object, worked on by several threads. Making a stripe is done side by side;
/// then each has its turn, in their order and one at a time (the content's hash, the place of a
/// record, the one output file); what follows is side by side again. No thread waits for a turn
/// while there is a stripe to make and a buffer to make it in: whoever is free takes the next
/// step, of whichever stripe. Memory is the buffers given, whatever the object's length.
/// </summary>
internal abstract class StripeLine
{
    private readonly object _gate = new();
    private readonly long _stripes;
    private readonly Stack<StripeBuffers> _free;
    private readonly StripeBuffers?[] _made;
    private long _next;
    private long _turn;
    private bool _isTurnTaken;

    protected StripeLine(long stripes, IReadOnlyCollection<StripeBuffers> buffers)
    {
        _stripes = stripes;
        _free = new Stack<StripeBuffers>(buffers);

        // Stripes under way are never more than the buffers, so stripe modulo count is unique.
        _made = new StripeBuffers?[buffers.Count];
    }

    /// <summary>The first fault of any thread, which ends the work of all; null while all is
    /// well.</summary>
    public Fault? Fault { get; private set; }

    /// <summary>A thread's work: returns when all stripes have had their turn, or on a
    /// fault.</summary>
    public void Work(StripeThread thread)
    {
        while (Take(out long stripe, out bool isMade) is { } buffers)
        {
            Result done = isMade
                ? Finish(thread, buffers)
                : Make(thread, buffers, stripe);
            if (!done.IsOk)
            {
                Fail(done.Fault);
            }
            else if (isMade)
            {
                Free(buffers);
            }
            else
            {
                Offer(stripe, buffers);
            }
        }
    }

    public void Fail(Fault fault)
    {
        lock (_gate)
        {
            Fault ??= fault;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Fills the buffers with that stripe; several at a time, in any order.</summary>
    protected abstract Result Make(StripeThread thread, StripeBuffers buffers, long stripe);

    /// <summary>What only one thread does at a time, in the order of the stripes.</summary>
    protected abstract Result InTurn(StripeThread thread, StripeBuffers buffers);

    /// <summary>What is left to do with a stripe after its turn; several at a time.</summary>
    protected abstract void AfterTurn(StripeThread thread, StripeBuffers buffers);

    private Result Finish(StripeThread thread, StripeBuffers buffers)
    {
        Result done = InTurn(thread, buffers);
        if (done.IsOk)
        {
            lock (_gate)
            {
                _turn++;
                _isTurnTaken = false;
                Monitor.PulseAll(_gate);
            }

            AfterTurn(thread, buffers);
        }

        return done;
    }

    /// <summary>The next thing to do; null when nothing will ever be.</summary>
    private StripeBuffers? Take(out long stripe, out bool isMade)
    {
        lock (_gate)
        {
            for (; Fault is null && _turn < _stripes; Monitor.Wait(_gate))
            {
                // Turns first: they free buffers, and everything else waits for them in the end.
                StripeBuffers? made = _made[_turn % _made.Length];
                if (!_isTurnTaken && made is not null)
                {
                    _isTurnTaken = true;
                    _made[_turn % _made.Length] = null;
                    stripe = _turn;
                    isMade = true;
                    return made;
                }

                if (_next < _stripes && _free.TryPop(out StripeBuffers? free))
                {
                    stripe = _next++;
                    isMade = false;
                    return free;
                }
            }
        }

        stripe = -1;
        isMade = false;
        return null;
    }

    private void Offer(long stripe, StripeBuffers buffers)
    {
        lock (_gate)
        {
            _made[stripe % _made.Length] = buffers;
            Monitor.PulseAll(_gate);
        }
    }

    private void Free(StripeBuffers buffers)
    {
        lock (_gate)
        {
            _free.Push(buffers);
            Monitor.PulseAll(_gate);
        }
    }
}
