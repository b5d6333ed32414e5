// HOT PATH: what the compiler calls at the start, at each await and at the end of a method.

using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// Builds an asynchronous method of the loop, named in an <see cref="AsyncMethodBuilderAttribute"/>
/// on a method that returns a <see cref="ValueTask{TResult}"/>. Its state is used again however
/// many calls are under way at once, and whoever awaits it resumes at once, on the thread that
/// ended it: the loop's.
/// </summary>
/// <remarks>
/// The runtime's pooling builder keeps two per method and sends each awaiter through the loop's
/// context, which allocates 160 bytes. The ordinary builder allocates each call, and an awaiter
/// that asks for no context leaves the loop's thread. The execution context does not flow: a loop
/// has none.
/// </remarks>
public struct LoopMethodBuilder<TResult>
{
    private LoopTask<TResult>? _task;
    private TResult _result;

    /// <summary>What the caller awaits.</summary>
    public readonly ValueTask<TResult> Task => _task is null
        ? new ValueTask<TResult>(_result)
        : new ValueTask<TResult>(_task, _task.Version);

    internal readonly ValueTask Completion => _task is null
        ? ValueTask.CompletedTask
        : new ValueTask(_task, _task.Version);

    public static LoopMethodBuilder<TResult> Create() => default;

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
        // The compiler's interface from before builders made their own boxes.
    }

    public void SetResult(TResult result)
    {
        if (_task is null)
        {
            _result = result;
        }
        else
        {
            _task.SetResult(result);
        }
    }

    public void SetException(Exception exception)
    {
        if (_task is null)
        {
            _task = new FailedLoopTask<TResult>(exception);
        }
        else
        {
            _task.SetException(exception);
        }
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.OnCompleted(Hold(ref stateMachine).MoveNext);

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        awaiter.UnsafeOnCompleted(Hold(ref stateMachine).MoveNext);

    /// <summary>The method waits: its locals move from the stack to where they can stay.</summary>
    private LoopTask<TResult, TStateMachine> Hold<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_task is LoopTask<TResult, TStateMachine> held)
        {
            return held;
        }

        // This builder is a field of the state machine: it is set first and copied with it.
        LoopTask<TResult, TStateMachine> task = LoopTask<TResult, TStateMachine>.Rent();
        _task = task;
        task.Begin(ref stateMachine);
        return task;
    }
}

/// <summary>As <see cref="LoopMethodBuilder{TResult}"/>, for methods without a result.</summary>
public struct LoopMethodBuilder
{
    private LoopMethodBuilder<bool> _inner;

    /// <inheritdoc cref="LoopMethodBuilder{TResult}.Task"/>
    public readonly ValueTask Task => _inner.Completion;

    public static LoopMethodBuilder Create() => default;

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
        // See above.
    }

    public void SetResult() => _inner.SetResult(true);

    public void SetException(Exception exception) => _inner.SetException(exception);

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        _inner.AwaitOnCompleted(ref awaiter, ref stateMachine);

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(
        ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine =>
        _inner.AwaitUnsafeOnCompleted(ref awaiter, ref stateMachine);
}
