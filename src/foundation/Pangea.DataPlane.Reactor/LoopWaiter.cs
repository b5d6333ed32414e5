// HOT PATH: one of these per job that waits, made once and used again.

using System.Threading.Tasks.Sources;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// The value task source of whoever waits for another job of the loop; pooled, so it must be
/// awaited exactly once. Used on the loop's thread only.
/// </summary>
/// <param name="pool">Where it goes when its result was taken.</param>
public sealed class LoopWaiter<T>(Stack<LoopWaiter<T>> pool) : IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _core;

    public ValueTask<T> Task => new(this, _core.Version);

    public static LoopWaiter<T> Rent(Stack<LoopWaiter<T>> pool) =>
        pool.TryPop(out LoopWaiter<T>? waiter) ? waiter : new LoopWaiter<T>(pool);

    /// <summary>Resumes the waiter, inside this call.</summary>
    public void SetResult(T result) => _core.SetResult(result);

    public T GetResult(short token)
    {
        T result = _core.GetResult(token);
        _core.Reset();
        pool.Push(this);
        return result;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompletedOnLoop(continuation, state, token, flags);
}
