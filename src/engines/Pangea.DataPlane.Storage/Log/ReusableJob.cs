// HOT PATH: an operation of many at once (one per device and stripe) without a state machine each:
// the runtime keeps only as many pooled ones as there are cores.

namespace Pangea.DataPlane.Storage;

/// <summary>
/// A job that runs again and again. Its one asynchronous method waits for the next order between
/// two runs, so that its state machine is made once. Used on the loop's thread only.
/// </summary>
/// <typeparam name="TJob">The deriving class.</typeparam>
/// <typeparam name="TResult">What a run ends with.</typeparam>
internal abstract class ReusableJob<TJob, TResult>(Stack<TJob> pool)
    where TJob : ReusableJob<TJob, TResult>
{
    private readonly Stack<LogWaiter<bool>> _orders = new();
    private readonly Stack<LogWaiter<TResult>> _results = new();
    private LogWaiter<bool>? _order;
    private LogWaiter<TResult>? _result;
    private bool _isStarted;

    /// <summary>
    /// Begins a run with the fields as they are; goes on inside this call until it has to wait.
    /// </summary>
    internal ValueTask<TResult> Start()
    {
        _result = LogWaiter<TResult>.Rent(_results);
        ValueTask<TResult> task = _result.Task;
        if (_isStarted)
        {
            LogWaiter<bool> order = _order!;
            _order = null;
            order.SetResult(true);
        }
        else
        {
            _isStarted = true;
            _ = RunAsync();
        }

        return task;
    }

    /// <summary>
    /// Runs for ever: does one order, then awaits what <see cref="Finish"/> returns.
    /// </summary>
    protected abstract Task RunAsync();

    /// <summary>Ends a run: the job may be used again, whoever waits is resumed.</summary>
    /// <returns>To be awaited for the next order.</returns>
    protected ValueTask<bool> Finish(TResult result)
    {
        // First the place of the next order: whoever is resumed may start this very job again.
        _order = LogWaiter<bool>.Rent(_orders);
        ValueTask<bool> next = _order.Task;
        LogWaiter<TResult> waiter = _result!;
        _result = null;
        pool.Push((TJob)this);
        waiter.SetResult(result);
        return next;
    }
}
