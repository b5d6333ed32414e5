// HOT PATH: one of these per append under way, made once and used again.

using System.Threading.Tasks.Sources;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The value task source of whoever waits for a log; pooled, so it must be awaited exactly once.
/// Used on the loop's thread only.
/// </summary>
/// <param name="pool">Where it goes when its result was taken.</param>
internal sealed class LogWaiter<T>(Stack<LogWaiter<T>> pool) : IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _core;

    internal ValueTask<T> Task => new(this, _core.Version);

    internal static LogWaiter<T> Rent(Stack<LogWaiter<T>> pool) =>
        pool.TryPop(out LogWaiter<T>? waiter) ? waiter : new LogWaiter<T>(pool);

    /// <summary>Resumes the waiter, inside this call.</summary>
    internal void SetResult(T result) => _core.SetResult(result);

    public T GetResult(short token)
    {
        T result = _core.GetResult(token);
        _core.Reset();
        pool.Push(this);
        return result;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    // The result is set on the loop's thread, so the awaiter needs no scheduling context.
    public void OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(
            continuation,
            state,
            token,
            flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
}
