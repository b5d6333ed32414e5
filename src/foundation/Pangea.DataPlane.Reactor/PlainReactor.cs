using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// The executor without io_uring: poll(2) on the loop's thread for everything that can be waited
/// for, a few threads for files, which poll(2) calls ready always.
/// </summary>
/// <remarks>
/// Streams are moved on the loop's thread with calls that do not wait. Where the kernel has none
/// (pipes before Linux 6.4, terminals) a thread moves them after poll(2) said ready, in pieces that
/// a ready stream takes without waiting. The flags of the open file are never touched: the client
/// shares them.
/// </remarks>
internal sealed class PlainReactor : LoopReactor
{
    private readonly PollSet _polls;
    private readonly Operation?[] _polled;
    private readonly EventFd _wake;
    private readonly IoThreads _threads;
    private readonly Queue<Operation> _finished;
    private readonly bool _isOldKernel;

    private PlainReactor(EventFd wake, BufferPool? pool, ReactorOptions options, string reason)
        : base(pool, options)
    {
        _wake = wake;
        Reason = reason;
        _isOldKernel = options.IsOldKernel;
        _polls = new PollSet(options.OperationsMax + 1);
        _polled = new Operation?[options.OperationsMax + 1];
        _polls.Add(wake.Fd.Number, (short)PollEvents.Readable);
        _threads = new IoThreads(options.IoThreads, options.OperationsMax, Execute, wake.Signal);
        _finished = new Queue<Operation>(options.OperationsMax);
    }

    public override string Kind => "plain";

    public override string Reason { get; }

    public override string? Shortage => $"no io_uring: {Reason}";

    internal static Result<IReactor> Create(
        BufferPool? pool, ReactorOptions options, string reason)
    {
        Result<EventFd> wake = EventFd.Create();
        return wake.IsOk ? new PlainReactor(wake.Value, pool, options, reason) : wake.Fault;
    }

    private protected override void Begin(Operation operation)
    {
        if (operation.Kind == OperationKind.Poll)
        {
            AddPoll(operation, operation.Events);
        }
        else if (operation.IsStream)
        {
            BeginStream(operation);
        }
        else
        {
            _threads.Enqueue(operation);
        }
    }

    private protected override void RequestCancel(Operation operation)
    {
        if (operation.SetIndex >= 0)
        {
            RemovePoll(operation);
            Complete(operation, -Errno.ECANCELED.Value);
        }

        // Otherwise a thread has it: it looks at the request before it starts, and a call on a file
        // or on a stream that is ready ends by itself.
    }

    private protected override void Wait(long timeoutNs)
    {
        // Rounded up: waking a little late is better than turning idly until the time has come.
        const long nsPerMs = 1_000_000;
        int timeoutMs = timeoutNs < 0
            ? -1
            : (int)Math.Min(int.MaxValue, (timeoutNs + nsPerMs - 1) / nsPerMs);
        SysResult waited = _polls.Wait(timeoutMs);
        if (!waited.IsOk)
        {
            // EINTR: a signal. ENOMEM: the kernel's table for this call; it passes.
            Invariant.Check(
                waited.Errno == Errno.EINTR || waited.Errno == Errno.ENOMEM,
                waited.Errno.ToString());
            return;
        }

        if (waited.Value > 0)
        {
            OnReady();
        }
    }

    private protected override void Wake() => _wake.Signal();

    private protected override void Close()
    {
        _threads.Dispose();
        _polls.Dispose();
        _wake.Dispose();
    }

    private void OnReady()
    {
        if (_polls.ResultOf(0) != 0)
        {
            _wake.Drain();
            _threads.TakeFinished(_finished);
            while (_finished.TryDequeue(out Operation? operation))
            {
                Complete(operation, operation.Result.Raw);
            }
        }

        // Backwards, because removing moves the last entry, already looked at, into the gap.
        for (int i = _polls.Count - 1; i > 0; i--)
        {
            int events = _polls.ResultOf(i);
            if (events == 0)
            {
                continue;
            }

            Operation operation = _polled[i]!;
            RemovePoll(operation);
            if (operation.Kind == OperationKind.Poll || events < 0)
            {
                Complete(operation, events);
            }
            else if (operation.NeedsThread)
            {
                _threads.Enqueue(operation);
            }
            else
            {
                BeginStream(operation);
            }
        }
    }

    private unsafe void BeginStream(Operation operation)
    {
        FileKind kind = Files.KindOf(operation.File!);
        if (kind is FileKind.Regular or FileKind.BlockDevice or FileKind.Directory)
        {
            // Not a stream after all but a file used at its own position.
            _threads.Enqueue(operation);
            return;
        }

        // SAFETY: as in Execute.
        bool isSocket = kind == FileKind.Socket;
        bool isWrite = operation.Kind == OperationKind.Write;
        SysResult moved = _isOldKernel && !isSocket
            ? SysResult.Fail(Errno.EOPNOTSUPP)
            : VectorIo.TryMove(
                operation.FileNumber,
                isSocket,
                VectorsOf(operation),
                operation.VectorCount,
                isWrite);
        operation.NeedsThread = VectorIo.MustPoll(moved);
        if (operation.NeedsThread || VectorIo.MustWait(moved))
        {
            AddPoll(operation, isWrite ? PollEvents.Writable : PollEvents.Readable);
        }
        else
        {
            Complete(operation, moved.Raw);
        }
    }

    /// <summary>Runs on a helper thread: the calls that may wait for a disk.</summary>
    private unsafe void Execute(Operation operation)
    {
        if (operation.CancelRequested)
        {
            operation.Result = SysResult.Fail(Errno.ECANCELED);
            return;
        }

        // SAFETY: the operation's own vectors; the buffers behind them are in flight until
        // completion.
        int fd = operation.FileNumber;
        bool isWrite = operation.Kind == OperationKind.Write;
        if (operation.Kind == OperationKind.Sync)
        {
            operation.Result = VectorIo.Sync(fd, operation.DataOnly);
        }
        else if (operation.Kind == OperationKind.WriteAndSync)
        {
            operation.Result = WriteAndSync(operation, VectorsOf(operation));
        }
        else if (operation.NeedsThread)
        {
            operation.Result = VectorIo.MoveWhenReady(fd, VectorsOf(operation), isWrite);
        }
        else
        {
            operation.Result = isWrite
                ? VectorIo.Write(fd, VectorsOf(operation), operation.VectorCount, operation.Offset)
                : VectorIo.Read(fd, VectorsOf(operation), operation.VectorCount, operation.Offset);
        }
    }

    /// <summary>Writes everything, then syncs; a helper thread's call.</summary>
    private static unsafe SysResult WriteAndSync(Operation operation, IoVector* vectors)
    {
        long bytes = vectors->Bytes;
        for (long written = 0; written < bytes;)
        {
            // SAFETY: the rest of the operation's own range.
            var rest = new IoVector(vectors->Address + (nint)written, (nint)(bytes - written));
            SysResult moved = VectorIo.Write(
                operation.FileNumber, &rest, 1, operation.Offset + written);
            if (!moved.IsOk)
            {
                return moved;
            }

            if (moved.Value == 0)
            {
                return SysResult.Fail(Errno.EIO);
            }

            written += moved.Value;
        }

        SysResult synced = VectorIo.Sync(operation.FileNumber, dataOnly: true);
        return synced.IsOk ? new SysResult(bytes) : synced;
    }

    private void AddPoll(Operation operation, PollEvents events)
    {
        operation.SetIndex = _polls.Add(operation.FileNumber, (short)events);
        _polled[operation.SetIndex] = operation;
    }

    private void RemovePoll(Operation operation)
    {
        int index = operation.SetIndex;
        Invariant.Check(_polled[index] == operation);
        _polls.RemoveAt(index);
        Operation? last = _polled[_polls.Count];
        _polled[_polls.Count] = null;
        operation.SetIndex = -1;
        if (last != operation)
        {
            _polled[index] = last;
            last!.SetIndex = index;
        }
    }
}
