// HOT PATH: per transfer one 64-byte entry written and one 16-byte completion read; per turn of the
// loop one io_uring_enter, however many operations it carries. Registered buffers save pinning
// pages each time.

using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>The io_uring executor.</summary>
internal sealed unsafe class UringReactor : LoopReactor, IFileTable
{
    /// <summary>
    /// Set in the tag of the cancellation of the operation with the rest of the tag.
    /// </summary>
    private const ulong CancelBit = 0x8000_0000;

    /// <summary>Set in the tag of the sync of a linked write and sync.</summary>
    private const ulong SyncBit = 0x4000_0000;

    private const ulong WakeTag = ulong.MaxValue;
    private const ulong TimeoutTag = ulong.MaxValue - 1;
    private const int FetchMax = 128;

    /// <summary>
    /// Uses of a file before it gets a slot; one that is used once or twice is not worth the call.
    /// </summary>
    private const int UsesBeforeSlot = 8;

    /// <summary>An early submission carries this part of what is under way.</summary>
    private const int SubmitShare = 32;

    /// <summary>
    /// A deadline nearer than this is left to the wait itself, a later one to a timeout of its own.
    /// </summary>
    private const long NearNs = 2_000_000;

    private const short PollIn = (short)PollEvents.Readable;
    private const short PollOut = (short)PollEvents.Writable;

    private readonly Uring _ring;
    private readonly EventFd _wake;
    private readonly int _rangesRegistered;
    private readonly int _submitBatch;
    private readonly bool _submitsEarly;
    private readonly Stack<int> _freeSlots;
    private readonly UringCompletion[] _fetched = new UringCompletion[FetchMax];

    /// <summary>What found the submission queue full, in order.</summary>
    private readonly Queue<(Operation Operation, uint Sequence, bool IsCancel)> _waiting;

    private bool _wakeArmed;
    private long _timeoutArmedFor = long.MaxValue;
    private volatile bool _isClosed;

    private UringReactor(
        Uring ring,
        EventFd wake,
        BufferPool? pool,
        ReactorOptions options,
        int rangesRegistered,
        int fileSlots,
        string reason)
        : base(pool, options)
    {
        _ring = ring;
        _wake = wake;
        _rangesRegistered = rangesRegistered;
        _submitBatch = options.SubmitBatch;
        _submitsEarly = options.SubmitBatch > 0;
        _freeSlots = new Stack<int>(Enumerable.Range(0, fileSlots).Reverse());
        _waiting = new Queue<(Operation, uint, bool)>(2 * options.OperationsMax);
        Reason = reason;
    }

    public override string Kind => "io_uring";

    public override string Reason { get; }

    internal static Result<IReactor> Create(BufferPool? pool, ReactorOptions options)
    {
        // Room for a completion of every operation and of its cancellation, within the kernel's
        // bound.
        const int completionsMax = 65536;
        int completions = options.CompletionDepth > 0
            ? options.CompletionDepth
            : (int)BitOperations.RoundUpToPowerOf2(
                (uint)Math.Min(completionsMax, 2 * options.OperationsMax));
        Result<Uring> ring = Uring.Create(
            options.QueueDepth,
            Math.Max(completions, options.QueueDepth),
            allowDeferred: options.DeferTaskWork && !options.IsOldKernel);
        if (!ring.IsOk)
        {
            return ring.Fault;
        }

        Result<EventFd> wake = EventFd.Create();
        if (!wake.IsOk)
        {
            ring.Value.Dispose();
            return wake.Fault;
        }

        string reason = ring.Value.IsDeferred
            ? "io_uring is available"
            : "io_uring is available without deferred task work (Linux 6.1 has it)";
        int ranges = 0;
        if (pool is not null && options.RegisterBuffers)
        {
            ranges = RegisterBuffers(ring.Value, pool, options.RegisterBytesMax, ref reason);
        }

        _ = ring.Value.SetFileWorkers(options.SyncsMax);
        int slots = RegisterFiles(ring.Value, pool is null ? 0 : options.FileSlots);
        return new UringReactor(ring.Value, wake.Value, pool, options, ranges, slots, reason);
    }

    /// <summary>
    /// Registers as many ranges as may be locked, shortest slabs first: a small read gains most.
    /// </summary>
    private static int RegisterBuffers(
        Uring ring, BufferPool pool, long bytesMax, ref string reason)
    {
        var vectors = new List<IoVector>();
        foreach (BufferRange range in pool.Ranges)
        {
            bytesMax -= range.Bytes;
            if (bytesMax >= 0)
            {
                vectors.Add(new IoVector(range.Address, (nint)range.Bytes));
            }
        }

        int count = vectors.Count;
        ReadOnlySpan<IoVector> all = CollectionsMarshal.AsSpan(vectors);
        while (count > 0 && !ring.RegisterBuffers(all[..count]).IsOk)
        {
            count--;
        }

        if (count < vectors.Count)
        {
            string what = count == 0
                ? "buffers are not registered"
                : $"only buffers up to {pool.Ranges[count - 1].SlabBytes / 1024} KiB are "
                    + "registered";
            reason += $"; {what}: memlock is {MemoryLock.Describe()}, the pool needs "
                + $"{pool.Bytes / 1024} KiB: set LimitMEMLOCK=";
        }

        pool.MarkRegistered(count);
        return count;
    }

    /// <summary>Fewer slots where fewer files may be open; 0 works too.</summary>
    private static int RegisterFiles(Uring ring, int slots)
    {
        while (slots > 0 && !ring.RegisterFiles(slots).IsOk)
        {
            slots /= 2;
        }

        return slots;
    }

    bool IFileTable.IsClosed => _isClosed;

    void IFileTable.OnClosed(int slot) => Post(() =>
    {
        if (!_isClosed)
        {
            Invariant.Check(_ring.SetFile(slot, -1).IsOk);
            _freeSlots.Push(slot);
        }
    });

    private protected override void Begin(Operation operation)
    {
        if (_waiting.Count > 0 || !TryQueue(operation))
        {
            _waiting.Enqueue((operation, operation.Sequence, false));
        }
        else if (_submitsEarly && HasReady && _ring.Queued >= SubmitNow())
        {
            // The loop has more to do in this turn, and the device could have begun. What an error
            // leaves behind goes with the turn's own submission.
            _ = _ring.Submit();
        }
    }

    private protected override void RequestCancel(Operation operation)
    {
        if (_waiting.Count > 0 || !TryQueueCancel(operation))
        {
            // Behind the operation's own entry, should that still be waiting too.
            _waiting.Enqueue((operation, operation.Sequence, true));
        }
    }

    private protected override void Wait(long timeoutNs)
    {
        FlushWaiting();
        if (!_wakeArmed)
        {
            _wakeArmed = _ring.TryPoll(WakeTag, _wake.Fd.Number, PollIn);
        }

        bool mayWait = timeoutNs != 0 && _wakeArmed && _waiting.Count == 0;
        if (mayWait && timeoutNs > NearNs && IsTimeoutArmedBefore(timeoutNs))
        {
            timeoutNs = -1;
        }

        SysResult entered = _ring.Enter(mayWait ? 1 : 0, timeoutNs);
        if (!entered.IsOk)
        {
            Errno errno = entered.Errno;
            // EINTR: a signal. EAGAIN: no memory for a request now. EBUSY: completions must be
            // fetched first. ETIME: the time is over. All are met by fetching and coming back.
            bool isNormal = errno == Errno.EINTR || errno == Errno.EAGAIN
                || errno == Errno.EBUSY || errno == Errno.ETIME;
            Invariant.Check(isNormal, errno.ToString());
        }

        int count;
        while ((count = _ring.Fetch(_fetched)) > 0)
        {
            for (int i = 0; i < count; i++)
            {
                OnCompletion(_fetched[i]);
            }
        }
    }

    private protected override void Wake() => _wake.Signal();

    private protected override void Close()
    {
        _isClosed = true;
        _ring.Dispose();
        _wake.Dispose();
    }

    /// <summary>
    /// How many entries are worth a call before the turn's end: few while the device has little to
    /// do, more when it has plenty (experiment 0004).
    /// </summary>
    private int SubmitNow() => Math.Clamp(OperationsUnderWay / SubmitShare, 1, _submitBatch);

    /// <summary>
    /// Sees to it that the ring wakes us at the deadline or earlier, without setting a timer with
    /// every wait. A timeout that comes too early costs one idle turn.
    /// </summary>
    private bool IsTimeoutArmedBefore(long timeoutNs)
    {
        long deadline = Stopwatch.GetTimestamp() + timeoutNs;
        if (_timeoutArmedFor == long.MaxValue && _ring.TryTimeout(TimeoutTag, deadline))
        {
            _timeoutArmedFor = deadline;
        }

        return _timeoutArmedFor <= deadline;
    }

    /// <summary>The slot of a file that is used often, else its descriptor.</summary>
    private UringFile FileOf(Operation operation)
    {
        OwnedFd file = operation.File!;
        int slot = file.SlotIn(this);
        if (slot >= 0)
        {
            return new UringFile(slot, true);
        }

        bool isDue = ++file.UsesOutsideTable > UsesBeforeSlot;
        return isDue && TryGiveSlot(operation, file, out slot)
            ? new UringFile(slot, true)
            : new UringFile(operation.FileNumber, false);
    }

    private bool TryGiveSlot(Operation operation, OwnedFd file, out int slot)
    {
        if (!_freeSlots.TryPop(out slot))
        {
            return false;
        }

        if (_ring.SetFile(slot, operation.FileNumber).IsOk)
        {
            if (file.TryJoin(this, slot))
            {
                return true;
            }

            Invariant.Check(_ring.SetFile(slot, -1).IsOk);
        }

        // Not to be had for this one: not asked again for a long time.
        _freeSlots.Push(slot);
        file.UsesOutsideTable = int.MinValue / 2;
        return false;
    }

    private static ulong TagOf(Operation operation) =>
        ((ulong)operation.Sequence << 32) | (uint)(operation.Index + 1);

    private void FlushWaiting()
    {
        while (_waiting.TryPeek(out (Operation Operation, uint Sequence, bool IsCancel) entry))
        {
            Operation operation = entry.Operation;
            bool isCurrent = operation.State == OperationState.Started
                && operation.Sequence == entry.Sequence;
            if (isCurrent)
            {
                bool isQueued = entry.IsCancel ? TryQueueCancel(operation) : TryQueue(operation);
                if (!isQueued)
                {
                    return;
                }
            }

            _waiting.Dequeue();
        }
    }

    private bool TryQueueCancel(Operation operation) =>
        _ring.TryCancel(TagOf(operation) | CancelBit, TagOf(operation));

    private bool TryQueue(Operation operation)
    {
        // SAFETY: the operation's own vectors; the buffers behind them are in flight until
        // completion.
        ulong tag = TagOf(operation);
        IoVector* vectors = VectorsOf(operation);
        if (operation.IsOnFile)
        {
            return TryQueueFile(operation, vectors, FileOf(operation));
        }

        bool isWrite = operation.Kind == OperationKind.Write;
        if (operation.Kind == OperationKind.Poll)
        {
            return _ring.TryPoll(tag, operation.FileNumber, (short)operation.Events);
        }

        if (operation.IsPolling)
        {
            return _ring.TryPoll(tag, operation.FileNumber, isWrite ? PollOut : PollIn);
        }

        // A stream: its pages are pinned per operation, as the peer may let it wait for long.
        var stream = new UringFile(operation.FileNumber, false);
        int count = operation.VectorCount;
        return isWrite
            ? _ring.TryWriteVectors(tag, stream, vectors, count, -1)
            : _ring.TryReadVectors(tag, stream, vectors, count, -1);
    }

    private bool TryQueueFile(Operation operation, IoVector* vectors, UringFile file)
    {
        ulong tag = TagOf(operation);
        nint address = vectors->Address;
        int bytes = (int)vectors->Bytes;
        long offset = operation.Offset;
        switch (operation.Kind)
        {
            case OperationKind.Read when operation.VectorCount == 2:
                return _ring.TryReadVectors(tag, file, vectors, 2, offset);
            case OperationKind.Write when operation.VectorCount == 2:
                return _ring.TryWriteVectors(tag, file, vectors, 2, offset);
            case OperationKind.Read:
                return _ring.TryRead(tag, file, address, bytes, offset, BufferOf(operation));
            case OperationKind.Write:
                return _ring.TryWrite(tag, file, address, bytes, offset, BufferOf(operation));
            case OperationKind.WriteAndSync:
                return TryQueuePair(operation, vectors, file);
            case OperationKind.Sync:
                return _ring.TrySync(tag, file, operation.DataOnly);
            default:
                Invariant.Check(false, $"{operation.Kind} is not the ring's");
                return false;
        }
    }

    /// <summary>The registered range of the operation's buffer; -1 for none.</summary>
    private int BufferOf(Operation operation) =>
        operation.Range < _rangesRegistered ? operation.Range : -1;

    /// <summary>Queues what is still to do of a write-and-sync.</summary>
    private bool TryQueuePair(Operation operation, IoVector* vectors, UringFile file)
    {
        ulong tag = TagOf(operation);
        long left = vectors->Bytes - operation.Written;
        bool isQueued;
        if (left > 0)
        {
            isQueued = _ring.TryWriteAndSync(
                tag,
                tag | SyncBit,
                file,
                vectors->Address + (nint)operation.Written,
                (int)left,
                operation.Offset + operation.Written,
                BufferOf(operation));
            operation.PairLeft = 2;
        }
        else
        {
            isQueued = _ring.TrySync(tag | SyncBit, file, dataOnly: true);
            operation.PairLeft = 1;
            operation.PairWrite = 0;
        }

        return isQueued;
    }

    private void OnPairCompletion(UringCompletion completion)
    {
        Operation operation = OperationAt((int)(uint)(completion.Tag & ~SyncBit) - 1);
        Invariant.Check(operation.Sequence == (uint)(completion.Tag >> 32));
        if ((completion.Tag & SyncBit) != 0)
        {
            operation.PairSync = completion.Result;
        }
        else
        {
            operation.PairWrite = completion.Result;
        }

        if (--operation.PairLeft > 0)
        {
            return;
        }

        // SAFETY: the operation's own vectors, written when it began.
        long bytes = VectorsOf(operation)->Bytes;
        long left = bytes - operation.Written;
        int write = operation.PairWrite;
        int sync = operation.PairSync;
        if (write < 0 && write != -Errno.EINTR.Value)
        {
            Complete(operation, write);
        }
        else if (write == 0 && left > 0)
        {
            Complete(operation, -Errno.EIO.Value);
        }
        else if (write == left && sync >= 0)
        {
            Complete(operation, bytes);
        }
        else if (left == 0)
        {
            Complete(operation, sync);
        }
        else
        {
            FinishPair(operation, write, sync, isWhole: write == left);
        }
    }

    /// <summary>
    /// The pair was interrupted, cut short, or its link was cut: the rest is tried again. A sync
    /// that really failed after a whole write is the end.
    /// </summary>
    private void FinishPair(Operation operation, int write, int sync, bool isWhole)
    {
        bool wasLinkCut = sync == -Errno.ECANCELED.Value || sync == -Errno.EBADF.Value;
        if (isWhole && !wasLinkCut)
        {
            Complete(operation, sync);
            return;
        }

        operation.Written += Math.Max(0, write);
        Again(operation);
    }

    private void OnCompletion(UringCompletion completion)
    {
        if (completion.Tag == WakeTag)
        {
            _wake.Drain();
            _wakeArmed = false;
            return;
        }

        if (completion.Tag == TimeoutTag)
        {
            // Delays are looked at in each turn anyway.
            _timeoutArmedFor = long.MaxValue;
            return;
        }

        if ((completion.Tag & CancelBit) != 0)
        {
            OnCancelCompletion(completion);
            return;
        }

        if ((completion.Tag & SyncBit) != 0)
        {
            OnPairCompletion(completion);
            return;
        }

        Operation operation = OperationAt((int)(uint)completion.Tag - 1);
        if (operation.Kind == OperationKind.WriteAndSync)
        {
            OnPairCompletion(completion);
            return;
        }

        Invariant.Check(operation.Sequence == (uint)(completion.Tag >> 32));
        int result = completion.Result;
        if (operation.IsPolling && result >= 0)
        {
            // The stream is ready: the transfer itself comes next.
            operation.IsPolling = false;
            Again(operation);
        }
        else if (operation.IsStream && result == -Errno.EAGAIN.Value)
        {
            // Somebody opened this stream non-blocking, so the ring does not wait for us; poll it.
            operation.IsPolling = true;
            Again(operation);
        }
        else if (result == -Errno.EINTR.Value && !operation.CancelRequested)
        {
            Again(operation);
        }
        else
        {
            Complete(operation, result);
        }
    }

    /// <summary>
    /// A cancellation that found nothing to cancel met the operation either at its end, or while it
    /// was being tried again after poll said ready. In the second case a stream goes back to
    /// waiting, so the wish is repeated. Files are left alone: they end by themselves.
    /// </summary>
    private void OnCancelCompletion(UringCompletion completion)
    {
        Operation operation = OperationAt((int)(uint)(completion.Tag & ~CancelBit) - 1);
        bool isUnderWay = operation.Sequence == (uint)(completion.Tag >> 32)
            && operation.State == OperationState.Started;
        bool canWait = operation.IsStream || operation.Kind == OperationKind.Poll;
        if (isUnderWay && canWait && completion.Result < 0)
        {
            RequestCancel(operation);
        }
    }

    private void Again(Operation operation)
    {
        if (operation.CancelRequested)
        {
            Complete(operation, -Errno.ECANCELED.Value);
        }
        else
        {
            Begin(operation);
        }
    }
}
