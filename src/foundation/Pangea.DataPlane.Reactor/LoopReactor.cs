// HOT PATH: per operation two queue moves, one free-list move and one continuation; no allocation
// once the operation objects exist.

using System.Diagnostics;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// What both executors share: the table of operations, the queue of those that are ready to resume,
/// delays, posted actions, cancellation and the end of the loop. An executor starts an operation,
/// wishes it cancelled, and waits.
/// </summary>
public abstract unsafe class LoopReactor : IReactor
{
    private readonly BufferPool? _pool;
    private readonly Operation?[] _operations;
    private readonly Stack<Operation> _free;
    private readonly Queue<Operation> _ready;
    private readonly TimerHeap _timers;
    private readonly IoVector* _vectors;
    private readonly Lock _postLock = new();
    private readonly TimeSpan _stopTimeMax;
    private readonly FlightGate _gate;
    private List<Action> _posted = [];
    private List<Action> _running = [];
    private int _made;
    private int _threadId;
    private bool _wakePending;
    private volatile bool _stopRequested;
    private bool _isStopping;
    private bool _disposed;

    internal LoopReactor(BufferPool? pool, ReactorOptions options)
    {
        Invariant.Check(options.OperationsMax > 0);
        _pool = pool;
        _stopTimeMax = options.StopTimeMax;
        _gate = new FlightGate(options, BeginHeld);
        _operations = new Operation?[options.OperationsMax];
        _free = new Stack<Operation>(options.OperationsMax);
        _ready = new Queue<Operation>(options.OperationsMax);
        _timers = new TimerHeap(options.OperationsMax);
        // SAFETY: two vectors for each index below OperationsMax; freed once the kernel reads none
        // of them.
        _vectors = (IoVector*)NativeMemory.AllocZeroed(
            (nuint)options.OperationsMax, (nuint)(2 * sizeof(IoVector)));
    }

    public abstract string Kind { get; }

    public abstract string Reason { get; }

    public abstract string? Shortage { get; }

    public bool IsLoopThread => _threadId == Environment.CurrentManagedThreadId;

    /// <summary>Operations that have begun and have no result yet.</summary>
    public int OperationsUnderWay { get; private set; }

    /// <summary>Operations that have had their result since the start.</summary>
    public long OperationsEnded { get; private set; }

    /// <summary>Most bytes of file transfers that the kernel ever had at once.</summary>
    public long FlightBytesHighest => _gate.BytesHighest;

    /// <summary>Awaiters that still have their turn before the loop waits.</summary>
    private protected bool HasReady => _ready.Count > 0;

    private protected int OperationsMax => _operations.Length;

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default) =>
        Transfer(OperationKind.Read, file, buffer, default, 1, offset, cancellation);

    public ValueTask<SysResult> WriteAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default) =>
        Transfer(OperationKind.Write, file, buffer, default, 1, offset, cancellation);

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default) =>
        Transfer(OperationKind.Read, file, first, second, 2, offset, cancellation);

    public ValueTask<SysResult> WriteAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default) =>
        Transfer(OperationKind.Write, file, first, second, 2, offset, cancellation);

    public ValueTask<SysResult> WriteAndSyncAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        Invariant.Check(offset >= 0, "a stream cannot be made durable");
        Invariant.Check(buffer.Bytes > 0, "an empty write makes nothing durable");
        return Transfer(
            OperationKind.WriteAndSync, file, buffer, default, 1, offset, cancellation);
    }

    public ValueTask<SysResult> SyncAsync(OwnedFd file, bool dataOnly)
    {
        if (!TryRent(OperationKind.Sync, file, default, out Operation? operation, out SysResult no))
        {
            return new ValueTask<SysResult>(no);
        }

        operation.Offset = 0;
        operation.DataOnly = dataOnly;
        return Launch(operation, default);
    }

    public ValueTask<SysResult> PollAsync(
        OwnedFd file, PollEvents events, CancellationToken cancellation = default)
    {
        if (!TryRent(
            OperationKind.Poll, file, cancellation, out Operation? operation, out SysResult no))
        {
            return new ValueTask<SysResult>(no);
        }

        operation.Offset = 0;
        operation.Events = events;
        return Launch(operation, cancellation);
    }

    public ValueTask<SysResult> DelayAsync(
        TimeSpan delay, CancellationToken cancellation = default)
    {
        if (!TryRent(
            OperationKind.Delay, null, cancellation, out Operation? operation, out SysResult no))
        {
            return new ValueTask<SysResult>(no);
        }

        double ticks = Math.Max(0, delay.TotalSeconds) * Stopwatch.Frequency;
        operation.Deadline = Stopwatch.GetTimestamp() + (long)Math.Min(ticks, long.MaxValue / 4);
        _timers.Add(operation);
        return Register(operation, cancellation);
    }

    public void Post(Action action)
    {
        lock (_postLock)
        {
            _posted.Add(action);
            if (_wakePending || IsLoopThread || _disposed)
            {
                return;
            }

            // Inside the lock, so that the executor cannot be disposed between check and signal.
            _wakePending = true;
            Wake();
        }
    }

    public void Run()
    {
        Invariant.Check(_threadId == 0, "the loop runs once");
        _threadId = Environment.CurrentManagedThreadId;
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new LoopSynchronizationContext(this));
        try
        {
            while (!_stopRequested)
            {
                Turn();
            }

            Drain();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
            _threadId = -1;
        }
    }

    public void Stop()
    {
        _stopRequested = true;
        Post(static () => { });
    }

    public void Dispose()
    {
        Invariant.Check(_threadId <= 0, "the loop is still running");
        lock (_postLock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        Close();
        // After a loop that could not end an operation in time the kernel may still read these.
        if (OperationsUnderWay == 0)
        {
            NativeMemory.Free(_vectors);
        }

        GC.SuppressFinalize(this);
    }

    internal void EnqueueReady(Operation operation) => _ready.Enqueue(operation);

    internal void Free(Operation operation)
    {
        Invariant.Check(_threadId <= 0 || IsLoopThread, "results are read on the loop's thread");
        operation.State = OperationState.Free;
        operation.File = null;
        _free.Push(operation);
    }

    /// <summary>
    /// Starts the operation; every start ends in exactly one <see cref="Complete"/>.
    /// </summary>
    private protected abstract void Begin(Operation operation);

    /// <summary>Asks the executor to end the operation soon; it may still succeed.</summary>
    private protected abstract void RequestCancel(Operation operation);

    /// <summary>
    /// Waits for completions and completes them. 0 does not wait, negative waits for ever.
    /// </summary>
    private protected abstract void Wait(long timeoutNs);

    /// <summary>Ends the present or next <see cref="Wait"/>. Any thread.</summary>
    private protected abstract void Wake();

    /// <summary>Gives the executor's descriptors, mappings and threads back.</summary>
    private protected abstract void Close();

    /// <summary>The ranges of a transfer, in memory that does not move.</summary>
    private protected IoVector* VectorsOf(Operation operation) => _vectors + (2 * operation.Index);

    private protected Operation OperationAt(int index)
    {
        Operation? operation = _operations[index];
        Invariant.Check(operation is not null);
        return operation;
    }

    /// <summary>The operation is over, with a result or -errno; it resumes in its turn.</summary>
    private protected void Complete(Operation operation, long raw)
    {
        Invariant.Check(operation.State == OperationState.Started);
        if (operation.CancelRequested && raw == -Errno.EINTR.Value)
        {
            // The kernel ends a blocked call of its worker thread by a signal.
            raw = -Errno.ECANCELED.Value;
        }

        operation.State = OperationState.Ready;
        operation.Result = new SysResult(raw);
        operation.Registration.Dispose();
        operation.Registration = default;
        if (operation.IsTransfer)
        {
            _pool!.EndFlight(operation.First.Lease);
            if (operation.Parts == 2)
            {
                _pool.EndFlight(operation.Second.Lease);
            }
        }

        operation.File?.DangerousRelease();
        OperationsUnderWay--;
        OperationsEnded++;
        _ready.Enqueue(operation);
        if (operation.IsFileTransfer)
        {
            _gate.Leave(operation);
        }
    }

    private ValueTask<SysResult> Transfer(
        OperationKind kind,
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        int parts,
        long offset,
        CancellationToken cancellation)
    {
        Invariant.Check(_pool is not null, "this reactor has no buffer pool");
        Invariant.Check(offset >= -1);
        if (!TryRent(kind, file, cancellation, out Operation? operation, out SysResult no))
        {
            return new ValueTask<SysResult>(no);
        }

        operation.Offset = offset;
        operation.First = first;
        operation.Parts = parts;
        operation.TransferBytes = first.Bytes + second.Bytes;
        operation.VectorCount = 1;
        // SAFETY: both vectors of this operation's index; nobody else uses them until it is over.
        IoVector* vectors = VectorsOf(operation);
        vectors[0] = new IoVector(_pool.AddressOf(first), first.Bytes);
        operation.Range = _pool.RangeOf(first.Lease);
        _pool.BeginFlight(first.Lease);
        if (parts == 2)
        {
            operation.Second = second;
            _pool.BeginFlight(second.Lease);
            AddVector(
                operation,
                new IoVector(_pool.AddressOf(second), second.Bytes),
                _pool.RangeOf(second.Lease));
        }

        return Launch(operation, cancellation);
    }

    /// <summary>
    /// Adds the second range, or prolongs the first where they touch: one range may be a registered
    /// buffer, two may not, and a header that lies right before its payload is the usual case.
    /// </summary>
    private void AddVector(Operation operation, IoVector added, int range)
    {
        // SAFETY: both vectors of this operation's index; nobody else uses them until it is over.
        IoVector* vectors = VectorsOf(operation);
        if (vectors[0].Bytes == 0)
        {
            // An empty read would look like the end of a stream.
            vectors[0] = added;
            operation.Range = range;
        }
        else if (operation.Range == range
            && vectors[0].Address + vectors[0].Bytes == added.Address)
        {
            vectors[0] = vectors[0] with { Bytes = vectors[0].Bytes + added.Bytes };
        }
        else
        {
            vectors[1] = added;
            operation.VectorCount = 2;
        }
    }

    private bool TryRent(
        OperationKind kind,
        OwnedFd? file,
        CancellationToken cancellation,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Operation? operation,
        out SysResult no)
    {
        operation = null;
        no = default;
        if (_isStopping || cancellation.IsCancellationRequested)
        {
            no = SysResult.Fail(Errno.ECANCELED);
            return false;
        }

        // An awaiter that left the loop's thread would share all that is here with it.
        Invariant.Check(_threadId <= 0 || IsLoopThread, "operations begin on the loop's thread");
        if (file is not null && file.IsClosed)
        {
            no = SysResult.Fail(Errno.EBADF);
            return false;
        }

        if (!_free.TryPop(out operation))
        {
            if (_made == _operations.Length)
            {
                no = SysResult.Fail(Errno.EBUSY);
                return false;
            }

            operation = new Operation(this, _made);
            _operations[_made++] = operation;
        }

        operation.Reset();
        operation.Kind = kind;
        operation.State = OperationState.Started;
        operation.File = file;
        if (file is not null)
        {
            bool added = false;
            file.DangerousAddRef(ref added);
            Invariant.Check(added);
            operation.FileNumber = file.Number;
        }

        OperationsUnderWay++;
        return true;
    }

    private ValueTask<SysResult> Launch(Operation operation, CancellationToken cancellation)
    {
        if (!operation.IsFileTransfer || _gate.TryEnter(operation))
        {
            Begin(operation);
        }

        return Register(operation, cancellation);
    }

    private void BeginHeld(Operation operation) => Begin(operation);

    private ValueTask<SysResult> Register(Operation operation, CancellationToken cancellation)
    {
        if (cancellation.CanBeCanceled && operation.State == OperationState.Started)
        {
            operation.Registration = cancellation.UnsafeRegister(
                static state => ((Operation)state!).OnCancellation(), operation);
        }

        return operation.Task;
    }

    /// <summary>
    /// A token was cancelled. From another thread the wish travels through the post queue with the
    /// operation's sequence: completing disposes the registration, which waits for this callback,
    /// so the sequence read here is that of the use the token was given for.
    /// </summary>
    internal void CancelFromAnywhere(Operation operation)
    {
        if (IsLoopThread || _threadId == 0)
        {
            Cancel(operation);
            return;
        }

        uint sequence = operation.Sequence;
        Post(() =>
        {
            if (operation.Sequence == sequence)
            {
                Cancel(operation);
            }
        });
    }

    private void Cancel(Operation operation)
    {
        if (operation.State != OperationState.Started || operation.CancelRequested)
        {
            return;
        }

        operation.CancelRequested = true;
        if (operation.IsHeld)
        {
            Complete(operation, -Errno.ECANCELED.Value);
        }
        else if (operation.Kind == OperationKind.Delay)
        {
            _timers.Remove(operation);
            Complete(operation, -Errno.ECANCELED.Value);
        }
        else
        {
            RequestCancel(operation);
        }
    }

    private void Turn()
    {
        RunPosted();
        RunTimers();
        RunReady();
        Wait(TimeoutNs());
    }

    private void RunPosted()
    {
        lock (_postLock)
        {
            _wakePending = false;
            (_posted, _running) = (_running, _posted);
        }

        foreach (Action action in _running)
        {
            action();
        }

        _running.Clear();
    }

    private void RunTimers()
    {
        if (_timers.Count == 0)
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        while (_timers.Count > 0 && _timers.First.Deadline <= now)
        {
            Operation operation = _timers.First;
            _timers.Remove(operation);
            Complete(operation, 0);
        }
    }

    private void RunReady()
    {
        // Only those that are ready now: what they make ready waits for the next turn, so that a
        // busy pair of tasks cannot keep the loop from looking at the kernel.
        for (int left = _ready.Count; left > 0; left--)
        {
            _ready.Dequeue().Resume();
        }
    }

    private long TimeoutNs()
    {
        if (_ready.Count > 0 || _stopRequested)
        {
            return 0;
        }

        lock (_postLock)
        {
            if (_posted.Count > 0)
            {
                return 0;
            }
        }

        if (_timers.Count == 0)
        {
            return -1;
        }

        long ticks = _timers.First.Deadline - Stopwatch.GetTimestamp();
        double ns = Math.Max(0, ticks) * (1e9 / Stopwatch.Frequency);
        return (long)Math.Min(ns, 1e18);
    }

    /// <summary>
    /// The end: cancels what is under way and lets its awaiters run, so that they give their
    /// buffers and descriptors back. Ends when all is quiet, or after the time allowed (a dead disk
    /// can hold an operation for ever; process exit then frees what we could not).
    /// </summary>
    private void Drain()
    {
        _isStopping = true;
        for (int i = 0; i < _made; i++)
        {
            Cancel(_operations[i]!);
        }

        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            RunPosted();
            RunReady();
            bool isQuiet = OperationsUnderWay == 0 && _ready.Count == 0 && !HasPosted();
            if (isQuiet || Stopwatch.GetElapsedTime(start) > _stopTimeMax)
            {
                return;
            }

            const long lookAgainNs = 50_000_000;
            Wait(_ready.Count > 0 || HasPosted() || OperationsUnderWay == 0 ? 0 : lookAgainNs);
        }
    }

    private bool HasPosted()
    {
        lock (_postLock)
        {
            return _posted.Count > 0;
        }
    }
}
