// HOT PATH: an operation of which many are under way at once, without a state machine each: the
// runtime keeps only as many pooled ones as there are cores.

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// A job that runs again and again. Its one asynchronous method waits for the next order between
/// two runs, so that its state machine is made once. Used on the loop's thread only.
/// </summary>
/// <typeparam name="TJob">The deriving class.</typeparam>
/// <typeparam name="TResult">What a run ends with.</typeparam>
public abstract class ReusableJob<TJob, TResult>(Stack<TJob> pool)
    where TJob : ReusableJob<TJob, TResult>
{
    private readonly Stack<LoopWaiter<bool>> _orders = new();
    private readonly Stack<LoopWaiter<TResult>> _results = new();
    private LoopWaiter<bool>? _order;
    private LoopWaiter<TResult>? _result;
    private bool _isStarted;

    /// <summary>
    /// Begins a run with the fields as they are; goes on inside this call until it has to wait.
    /// </summary>
    public ValueTask<TResult> Start()
    {
        _result = LoopWaiter<TResult>.Rent(_results);
        ValueTask<TResult> task = _result.Task;
        StartAlone();
        return task;
    }

    /// <summary>As <see cref="Start"/>, for a job that nobody waits for.</summary>
    public void StartAlone()
    {
        if (_isStarted)
        {
            LoopWaiter<bool> order = _order!;
            _order = null;
            order.SetResult(true);
        }
        else
        {
            _isStarted = true;
            RunGuarded();
        }
    }

    /// <summary>
    /// Runs for ever: does one order, then awaits what <see cref="Finish"/> returns.
    /// </summary>
    protected abstract Task RunAsync();

    // async void on purpose: a defect in a job ends the process instead of leaving its caller to
    // wait for ever.
    private async void RunGuarded() => await RunAsync();

    /// <summary>Ends a run: the job may be used again, whoever waits is resumed.</summary>
    /// <returns>To be awaited for the next order.</returns>
    protected ValueTask<bool> Finish(TResult result)
    {
        // First the place of the next order: whoever is resumed may start this very job again.
        _order = LoopWaiter<bool>.Rent(_orders);
        ValueTask<bool> next = _order.Task;
        LoopWaiter<TResult>? waiter = _result;
        _result = null;
        pool.Push((TJob)this);
        waiter?.SetResult(result);
        return next;
    }
}
