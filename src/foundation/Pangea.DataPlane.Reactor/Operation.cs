// HOT PATH: one of these objects per operation under way, made once and used again.

using System.Threading.Tasks.Sources;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>What an <see cref="Operation"/> does.</summary>
internal enum OperationKind
{
    Read,
    Write,
    WriteAndSync,
    Sync,
    Poll,
    Delay,
}

/// <summary>Where an <see cref="Operation"/> is.</summary>
internal enum OperationState
{
    /// <summary>In the free list.</summary>
    Free,

    /// <summary>Under way in the executor or the timer heap.</summary>
    Started,

    /// <summary>Has a result and waits in the ready queue for its turn.</summary>
    Ready,

    /// <summary>Has had its turn; whoever awaits now gets the result at once.</summary>
    Done,
}

/// <summary>
/// One operation under way and the value task source for whoever awaits it. Reading the result puts
/// the object back into the free list, hence "await exactly once".
/// </summary>
internal sealed class Operation : IValueTaskSource<SysResult>
{
    private readonly LoopReactor _owner;
    private Action<object?>? _continuation;
    private object? _continuationState;
    private short _version;

    internal Operation(LoopReactor owner, int index)
    {
        _owner = owner;
        Index = index;
    }

    /// <summary>Place in the reactor's table.</summary>
    internal int Index { get; }

    /// <summary>
    /// Counts the uses, so that a late message about an earlier use is recognised.
    /// </summary>
    internal uint Sequence { get; private set; }

    internal OperationState State { get; set; }

    internal OperationKind Kind { get; set; }

    internal OwnedFd? File { get; set; }

    /// <summary>
    /// The descriptor's number; valid because a reference on <see cref="File"/> is held.
    /// </summary>
    internal int FileNumber { get; set; }

    internal BufferSlice First { get; set; }

    internal BufferSlice Second { get; set; }

    /// <summary>Slices: 1 or 2.</summary>
    internal int Parts { get; set; }

    /// <summary>Ranges for the kernel: 1 also for two slices that touch.</summary>
    internal int VectorCount { get; set; }

    /// <summary>
    /// The pool's range with the only vector's bytes; <see cref="int.MaxValue"/> where they lie in
    /// two.
    /// </summary>
    internal int Range { get; set; }

    internal long Offset { get; set; }

    internal PollEvents Events { get; set; }

    internal bool DataOnly { get; set; }

    /// <summary>Waits in the reactor until the kernel has fewer transfers.</summary>
    internal bool IsHeld { get; set; }

    /// <summary>Length of the whole transfer.</summary>
    internal int TransferBytes { get; set; }

    /// <summary>Bytes that earlier tries of a write-and-sync have written.</summary>
    internal long Written { get; set; }

    /// <summary>Executor's note: completions of a linked pair that are still to come.</summary>
    internal int PairLeft { get; set; }

    /// <summary>Executor's note: what the write of a linked pair came to.</summary>
    internal int PairWrite { get; set; }

    /// <summary>Executor's note: what the sync of a linked pair came to.</summary>
    internal int PairSync { get; set; }

    /// <summary>
    /// Timestamp of <see cref="System.Diagnostics.Stopwatch"/> when a delay is over.
    /// </summary>
    internal long Deadline { get; set; }

    /// <summary>Place in the timer heap or the poll set; -1 for none.</summary>
    internal int SetIndex { get; set; } = -1;

    /// <summary>
    /// Executor's note: waits for readiness between two tries of a stream transfer.
    /// </summary>
    internal bool IsPolling { get; set; }

    /// <summary>Executor's note: the stream has to be moved by a thread after polling.</summary>
    internal bool NeedsThread { get; set; }

    /// <summary>Read by helper threads too.</summary>
    internal volatile bool CancelRequested;

    internal CancellationTokenRegistration Registration { get; set; }

    internal SysResult Result { get; set; }

    /// <summary>Has slices, which belong to the kernel until completion.</summary>
    internal bool IsTransfer =>
        Kind is OperationKind.Read or OperationKind.Write or OperationKind.WriteAndSync;

    /// <summary>Concerns a file at an offset, not a stream, a poll or a delay.</summary>
    internal bool IsOnFile => Kind == OperationKind.Sync || (IsTransfer && Offset >= 0);

    /// <summary>A transfer that the kernel ends by itself, so that it can be waited for.</summary>
    internal bool IsFileTransfer => IsTransfer && Offset >= 0;

    internal bool IsStream => Offset < 0 && (Kind is OperationKind.Read or OperationKind.Write);

    internal ValueTask<SysResult> Task => new(this, _version);

    internal void Reset()
    {
        Sequence++;
        Parts = 1;
        Second = default;
        SetIndex = -1;
        Written = 0;
        IsHeld = false;
        IsPolling = false;
        NeedsThread = false;
        CancelRequested = false;
    }

    internal void OnCancellation() => _owner.CancelFromAnywhere(this);

    /// <summary>
    /// The operation's turn in the loop: runs the awaiter, if there is one already.
    /// </summary>
    internal void Resume()
    {
        State = OperationState.Done;
        Action<object?>? continuation = _continuation;
        if (continuation is not null)
        {
            object? state = _continuationState;
            _continuation = null;
            _continuationState = null;
            continuation(state);
        }
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        Invariant.Check(token == _version, "a reactor's value task was used twice");
        return State == OperationState.Done && _continuation is null
            ? ValueTaskSourceStatus.Succeeded
            : ValueTaskSourceStatus.Pending;
    }

    // The flags ask for a scheduling context; ours is the loop, always.
    public void OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags)
    {
        Invariant.Check(token == _version, "a reactor's value task was used twice");
        Invariant.Check(_continuation is null, "a reactor's value task was awaited twice");
        _continuation = continuation;
        _continuationState = state;
        if (State == OperationState.Done)
        {
            State = OperationState.Ready;
            _owner.EnqueueReady(this);
        }
    }

    public SysResult GetResult(short token)
    {
        Invariant.Check(token == _version, "a reactor's value task was used twice");
        Invariant.Check(State == OperationState.Done, "a result was read before completion");
        _version++;
        SysResult result = Result;
        _owner.Free(this);
        return result;
    }
}
