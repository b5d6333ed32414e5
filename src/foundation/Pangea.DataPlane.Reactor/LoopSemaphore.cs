// HOT PATH: entering a free gate is one decrement; waiting uses pooled objects.

using System.Threading.Tasks.Sources;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// A counted gate for jobs of one loop: whoever asked first enters first. Used on the loop's thread
/// only; a waiter resumes from the loop, never inside <see cref="Leave"/>.
/// </summary>
public sealed class LoopSemaphore
{
    private readonly IReactor _reactor;
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly Stack<Waiter> _pool = new();

    /// <param name="reactor">The loop.</param>
    /// <param name="count">How many may be inside at once.</param>
    public LoopSemaphore(IReactor reactor, int count)
    {
        Invariant.Check(count > 0);
        _reactor = reactor;
        FreeCount = count;
    }

    /// <summary>Places that are free now.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Jobs that wait for a place.</summary>
    public int WaiterCount => _waiters.Count;

    /// <summary>Takes a place if one is free and nobody waits for it.</summary>
    public bool TryEnter()
    {
        if (FreeCount == 0)
        {
            return false;
        }

        Invariant.Check(_waiters.Count == 0);
        FreeCount--;
        return true;
    }

    /// <summary>
    /// Waits for a place. True: entered, and <see cref="Leave"/> is due. False: cancelled before
    /// that.
    /// </summary>
    /// <param name="cancellation">Cancelled on the loop's thread.</param>
    public ValueTask<bool> EnterAsync(CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return new ValueTask<bool>(false);
        }

        if (TryEnter())
        {
            return new ValueTask<bool>(true);
        }

        if (!_pool.TryPop(out Waiter? waiter))
        {
            waiter = new Waiter(this);
        }

        _waiters.AddLast(waiter.Node);
        return waiter.Begin(cancellation);
    }

    /// <summary>Gives the place to the first waiter, or back.</summary>
    public void Leave()
    {
        LinkedListNode<Waiter>? first = _waiters.First;
        if (first is null)
        {
            FreeCount++;
        }
        else
        {
            // The place goes over without ever being free, so that nobody can overtake.
            _waiters.RemoveFirst();
            first.Value.End(entered: true);
        }
    }

    private sealed class Waiter : IValueTaskSource<bool>
    {
        private readonly LoopSemaphore _owner;
        private readonly Action _resume;
        private ManualResetValueTaskSourceCore<bool> _core;
        private CancellationTokenRegistration _registration;
        private bool _entered;

        internal Waiter(LoopSemaphore owner)
        {
            _owner = owner;
            _resume = () => _core.SetResult(_entered);
            Node = new LinkedListNode<Waiter>(this);
        }

        internal LinkedListNode<Waiter> Node { get; }

        internal ValueTask<bool> Begin(CancellationToken cancellation)
        {
            if (cancellation.CanBeCanceled)
            {
                _registration = cancellation.UnsafeRegister(
                    static state => ((Waiter)state!).Withdraw(), this);
            }

            return new ValueTask<bool>(this, _core.Version);
        }

        internal void End(bool entered)
        {
            _entered = entered;
            _registration.Dispose();
            _registration = default;
            _owner._reactor.Post(_resume);
        }

        public bool GetResult(short token)
        {
            bool entered = _core.GetResult(token);
            _core.Reset();
            _owner._pool.Push(this);
            return entered;
        }

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(
            Action<object?> continuation,
            object? state,
            short token,
            ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompletedOnLoop(continuation, state, token, flags);

        private void Withdraw()
        {
            if (Node.List is not null)
            {
                _owner._waiters.Remove(Node);
                End(entered: false);
            }
        }
    }
}
