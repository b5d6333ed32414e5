// HOT PATH: one of these per call of an asynchronous method that waits, made once and used again.

using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// The value task source of an asynchronous method that is built by
/// <see cref="LoopMethodBuilder{TResult}"/>. Must be awaited exactly once.
/// </summary>
internal abstract class LoopTask<TResult> : IValueTaskSource<TResult>, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<TResult> _core;

    internal short Version => _core.Version;

    /// <summary>Resumes the waiter, inside this call.</summary>
    internal void SetResult(TResult result) => _core.SetResult(result);

    internal void SetException(Exception exception) => _core.SetException(exception);

    public TResult GetResult(short token)
    {
        bool isCurrent = token == _core.Version;
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            if (isCurrent)
            {
                _core.Reset();
                Free();
            }
        }
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    // The result is set on the loop's thread, so the awaiter needs no scheduling context: through
    // it, every step would cost a delegate, a closure and another turn of the loop.
    public void OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, ValueTaskSourceOnCompletedFlags.None);

    /// <summary>The result was taken: may be used again.</summary>
    private protected abstract void Free();
}

/// <summary>A method that threw before it ever waited; rare, so it is not used again.</summary>
internal sealed class FailedLoopTask<TResult> : LoopTask<TResult>
{
    internal FailedLoopTask(Exception exception) => SetException(exception);

    private protected override void Free()
    {
    }
}

/// <summary>One call's locals. As many are kept as were ever under way at once on a thread.
/// </summary>
internal sealed class LoopTask<TResult, TStateMachine> : LoopTask<TResult>
    where TStateMachine : IAsyncStateMachine
{
    // A loop stays on its thread, so its own list needs no lock.
    [ThreadStatic]
    private static Stack<LoopTask<TResult, TStateMachine>>? t_free;

    private TStateMachine? _stateMachine;

    private LoopTask() => MoveNext = () => _stateMachine!.MoveNext();

    internal Action MoveNext { get; }

    internal static LoopTask<TResult, TStateMachine> Rent() =>
        (t_free ??= new()).TryPop(out LoopTask<TResult, TStateMachine>? task) ? task : new();

    internal void Begin(ref TStateMachine stateMachine) => _stateMachine = stateMachine;

    private protected override void Free()
    {
        _stateMachine = default;
        (t_free ??= new()).Push(this);
    }
}
