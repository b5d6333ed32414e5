// HOT PATH: one queue entry is 64 bytes written, one completion 16 bytes read; one io_uring_enter
// per turn of the loop submits everything that was queued and fetches everything that is done.

using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>What one operation of the ring came to.</summary>
/// <param name="Tag">The number that was given with the operation.</param>
/// <param name="Result">Its result, or -errno.</param>
public readonly record struct UringCompletion(ulong Tag, int Result);

/// <summary>The file of an operation of the ring.</summary>
/// <param name="Number">A descriptor, or a slot of the ring's table of files.</param>
/// <param name="IsSlot">Which of the two.</param>
public readonly record struct UringFile(int Number, bool IsSlot)
{
    /// <summary>None, for operations without a file.</summary>
    public static readonly UringFile None = new(-1, false);
}

/// <summary>
/// An io_uring instance: queue entries in, completions out. Used by one thread, the one that enters
/// first (the kernel insists on it with IORING_SETUP_SINGLE_ISSUER). It knows nothing of buffers'
/// owners: addresses must stay valid until the completion, which is the reactor's business.
/// </summary>
public sealed unsafe class Uring : IDisposable
{
    private const uint FeaturesNeeded = IoUring.IORING_FEAT_SINGLE_MMAP
        | IoUring.IORING_FEAT_NODROP
        | IoUring.IORING_FEAT_RW_CUR_POS
        | IoUring.IORING_FEAT_EXT_ARG;

    private readonly OwnedFd _fd;
    private readonly timespec* _deadline;
    private readonly bool _needsEnabling;
    private readonly byte* _rings;
    private readonly nuint _ringsBytes;
    private readonly io_uring_sqe* _sqes;
    private readonly nuint _sqesBytes;
    private readonly uint* _sqHead;
    private readonly uint* _sqTail;
    private readonly uint _sqMask;
    private readonly uint* _cqHead;
    private readonly uint* _cqTail;
    private readonly uint* _cqOverflow;
    private readonly uint _cqMask;
    private readonly io_uring_cqe* _cqes;
    private uint _tail;
    private uint _submitted;
    private int _enterFd;
    private int _issuer;
    private uint _enterFlags;
    private bool _enabled;
    private bool _disposed;

    private Uring(
        OwnedFd fd, in io_uring_params p, byte* rings, nuint ringsBytes, io_uring_sqe* sqes)
    {
        _fd = fd;
        _enterFd = fd.Number;
        _enterFlags = IoUring.IORING_ENTER_GETEVENTS | IoUring.IORING_ENTER_EXT_ARG;
        _deadline = (timespec*)NativeMemory.AllocZeroed((nuint)sizeof(timespec));
        _rings = rings;
        _ringsBytes = ringsBytes;
        _sqes = sqes;
        _sqesBytes = p.sq_entries * (nuint)sizeof(io_uring_sqe);
        _sqHead = (uint*)(rings + p.sq_off.head);
        _sqTail = (uint*)(rings + p.sq_off.tail);
        _sqMask = *(uint*)(rings + p.sq_off.ring_mask);
        _cqHead = (uint*)(rings + p.cq_off.head);
        _cqTail = (uint*)(rings + p.cq_off.tail);
        _cqOverflow = (uint*)(rings + p.cq_off.overflow);
        _cqMask = *(uint*)(rings + p.cq_off.ring_mask);
        _cqes = (io_uring_cqe*)(rings + p.cq_off.cqes);
        QueueDepth = (int)p.sq_entries;
        CompletionDepth = (int)p.cq_entries;
        IsDeferred = (p.flags & IoUring.IORING_SETUP_DEFER_TASKRUN) != 0;
        _needsEnabling = (p.flags & IoUring.IORING_SETUP_R_DISABLED) != 0;

        // Entry i of the indirection array is always entry i: written once, never again.
        uint* array = (uint*)(rings + p.sq_off.array);
        for (uint i = 0; i < p.sq_entries; i++)
        {
            array[i] = i;
        }
    }

    /// <summary>Entries of the submission queue.</summary>
    public int QueueDepth { get; }

    /// <summary>
    /// Entries of the completion queue; the kernel keeps what does not fit (NODROP).
    /// </summary>
    public int CompletionDepth { get; }

    /// <summary>
    /// Completions are run only inside our own waits (IORING_SETUP_DEFER_TASKRUN).
    /// </summary>
    public bool IsDeferred { get; }

    /// <summary>Entries queued and not yet taken by the kernel.</summary>
    public int Queued => (int)(_tail - _submitted);

    /// <summary>Completions that did not fit into the queue at once, since the start.</summary>
    public uint Overflows => Volatile.Read(ref *_cqOverflow);

    /// <summary>
    /// Memory of such a ring, a page for heads and tails included; most kernels count it as locked.
    /// </summary>
    public static unsafe long LockedBytes(int queueDepth, int completionDepth) =>
        Environment.SystemPageSize
            + ((long)queueDepth * (sizeof(io_uring_sqe) + sizeof(uint)))
            + ((long)completionDepth * sizeof(io_uring_cqe));

    /// <summary>
    /// Makes a ring. Unsupported with a reason for people where the kernel, its settings or a
    /// seccomp filter forbid it.
    /// </summary>
    /// <param name="queueDepth">Submission entries, a power of two.</param>
    /// <param name="completionDepth">Completion entries, a power of two.</param>
    /// <param name="allowDeferred">
    /// False leaves out what Linux 6.1 brought, to test the way without.
    /// </param>
    /// <param name="lockedBytesLater">What will be registered, for the message.</param>
    public static Result<Uring> Create(
        int queueDepth,
        int completionDepth,
        bool allowDeferred = true,
        long lockedBytesLater = 0)
    {
        const uint usual = IoUring.IORING_SETUP_CQSIZE | IoUring.IORING_SETUP_CLAMP;

        // From the newest set of flags to the oldest: an unknown flag is EINVAL. The ring starts
        // disabled so that the thread that enables it, the loop's, becomes its one issuer.
        ReadOnlySpan<uint> sets =
        [
            IoUring.IORING_SETUP_SINGLE_ISSUER | IoUring.IORING_SETUP_DEFER_TASKRUN
                | IoUring.IORING_SETUP_R_DISABLED | IoUring.IORING_SETUP_SUBMIT_ALL,
            IoUring.IORING_SETUP_COOP_TASKRUN | IoUring.IORING_SETUP_SUBMIT_ALL,
            0,
        ];
        io_uring_params parameters = default;
        SysResult result = default;
        foreach (uint set in allowDeferred ? sets : sets[1..])
        {
            parameters = default;
            parameters.flags = usual | set;
            parameters.cq_entries = (uint)completionDepth;
            result = Call.Of(LibC.io_uring_setup(
                IoUring.SYS_io_uring_setup, (uint)queueDepth, &parameters));
            if (result.IsOk || result.Errno != Errno.EINVAL)
            {
                break;
            }
        }

        if (!result.IsOk)
        {
            return UringProbe.Explain(
                result.Errno, LockedBytes(queueDepth, completionDepth) + lockedBytesLater);
        }

        var fd = new OwnedFd((int)result.Value);
        if ((parameters.features & FeaturesNeeded) != FeaturesNeeded)
        {
            fd.Dispose();
            return new Fault(
                FaultCode.Unsupported,
                $"io_uring has features 0x{parameters.features:x}, needs 0x{FeaturesNeeded:x}",
                "Linux 5.11 or newer has them");
        }

        return Map(fd, parameters);
    }

    /// <summary>
    /// Registers ranges as fixed buffers 0, 1, ..., so that their pages are pinned once and not per
    /// operation. All or none; once. Must be called before the first entry. The kernel takes at
    /// most 1 GiB in one range.
    /// </summary>
    public SysResult RegisterBuffers(ReadOnlySpan<IoVector> ranges)
    {
        // SAFETY: IoVector is laid out as iovec (layout test); the kernel copies them in the call.
        fixed (IoVector* vectors = ranges)
        {
            return Register(IoUring.IORING_REGISTER_BUFFERS, vectors, ranges.Length);
        }
    }

    /// <summary>
    /// How many of the kernel's threads may wait on files for this ring, such as in fsync(2), which
    /// has no other way; the kernel's own choice is four per core. Linux 5.15; not having it is
    /// fine. Once, before the first entry.
    /// </summary>
    public SysResult SetFileWorkers(int count)
    {
        // SAFETY: the kernel reads two numbers, 0 for "as it is", and writes the old ones back.
        uint* workers = stackalloc uint[] { (uint)count, 0 };
        return Register(IoUring.IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
    }

    /// <summary>
    /// Makes an empty table of files. Once, before the first entry. EMFILE: more slots than
    /// RLIMIT_NOFILE has descriptors.
    /// </summary>
    public SysResult RegisterFiles(int slots)
    {
        Span<int> none = stackalloc int[slots];
        none.Fill(-1);

        // SAFETY: the kernel copies the numbers during the call.
        fixed (int* numbers = none)
        {
            return Register(IoUring.IORING_REGISTER_FILES, numbers, slots);
        }
    }

    /// <summary>
    /// Puts a descriptor into a slot, or -1 to empty it. The ring then keeps the file open by
    /// itself; operations under way keep what they began with.
    /// </summary>
    public SysResult SetFile(int slot, int fd)
    {
        // SAFETY: both live on this stack frame until the call returns.
        var update = new io_uring_rsrc_update { offset = (uint)slot, data = (ulong)&fd };
        return Register(IoUring.IORING_REGISTER_FILES_UPDATE, &update, 1);
    }

    /// <summary>Queues a read of one range. False: the queue is full, submit first.</summary>
    /// <param name="tag">Comes back with the completion.</param>
    /// <param name="file">Descriptor or slot.</param>
    /// <param name="address">Where to.</param>
    /// <param name="bytes">At most how much.</param>
    /// <param name="offset">File offset; -1 is the file's own position.</param>
    /// <param name="buffer">The registered range it lies in; -1 for none.</param>
    public bool TryRead(
        ulong tag, UringFile file, nint address, int bytes, long offset, int buffer) =>
        TryQueue(
            buffer >= 0 ? IoUring.IORING_OP_READ_FIXED : IoUring.IORING_OP_READ,
            tag,
            file,
            (ulong)address,
            (uint)bytes,
            (ulong)offset,
            0,
            buffer);

    /// <summary>Queues a write of one range. See <see cref="TryRead"/>.</summary>
    public bool TryWrite(
        ulong tag, UringFile file, nint address, int bytes, long offset, int buffer) =>
        TryQueue(
            buffer >= 0 ? IoUring.IORING_OP_WRITE_FIXED : IoUring.IORING_OP_WRITE,
            tag,
            file,
            (ulong)address,
            (uint)bytes,
            (ulong)offset,
            0,
            buffer);

    /// <summary>
    /// Queues a read into several ranges; the vectors stay valid until completion.
    /// </summary>
    public bool TryReadVectors(
        ulong tag, UringFile file, IoVector* vectors, int count, long offset) =>
        TryQueue(
            IoUring.IORING_OP_READV, tag, file, (ulong)vectors, (uint)count, (ulong)offset, 0);

    /// <summary>
    /// Queues a write of several ranges; the vectors stay valid until completion.
    /// </summary>
    public bool TryWriteVectors(
        ulong tag, UringFile file, IoVector* vectors, int count, long offset) =>
        TryQueue(
            IoUring.IORING_OP_WRITEV, tag, file, (ulong)vectors, (uint)count, (ulong)offset, 0);

    public bool TrySync(ulong tag, UringFile file, bool dataOnly) =>
        TryQueue(
            IoUring.IORING_OP_FSYNC,
            tag,
            file,
            0,
            0,
            0,
            dataOnly ? IoUring.IORING_FSYNC_DATASYNC : 0);

    /// <summary>
    /// Queues a write and an fdatasync(2) that starts when the write has moved all its bytes and is
    /// cancelled when it has not (IOSQE_IO_LINK). Two completions come, one for each tag. False:
    /// the queue has no two places, submit first.
    /// </summary>
    /// <param name="tag">Of the write's completion.</param>
    /// <param name="syncTag">Of the sync's completion.</param>
    /// <param name="file">See <see cref="TryRead"/>.</param>
    /// <param name="address">See <see cref="TryRead"/>.</param>
    /// <param name="bytes">See <see cref="TryRead"/>.</param>
    /// <param name="offset">See <see cref="TryRead"/>.</param>
    /// <param name="buffer">See <see cref="TryRead"/>.</param>
    public bool TryWriteAndSync(
        ulong tag,
        ulong syncTag,
        UringFile file,
        nint address,
        int bytes,
        long offset,
        int buffer)
    {
        if (Queued + 1 > (int)_sqMask
            || !TryWrite(tag, file, address, bytes, offset, buffer))
        {
            return false;
        }

        // SAFETY: the entry that was queued just now; the kernel has not seen the new tail yet.
        _sqes[(_tail - 1) & _sqMask].flags |= IoUring.IOSQE_IO_LINK;
        return TrySync(syncTag, file, dataOnly: true);
    }

    /// <summary>Queues a one-shot poll; the result is the poll(2) mask.</summary>
    public bool TryPoll(ulong tag, int fd, short events) =>
        TryQueue(
            IoUring.IORING_OP_POLL_ADD, tag, new UringFile(fd, false), 0, 0, 0, (ushort)events);

    /// <summary>
    /// Queues a completion (-ETIME) for a moment of CLOCK_MONOTONIC. Unlike the timeout of a wait
    /// it is set once and not anew with each entry, which on a virtual machine costs an exit to the
    /// host. One may be queued and not submitted at a time.
    /// </summary>
    public bool TryTimeout(ulong tag, long monotonicNs)
    {
        // SAFETY: one timespec of this ring's own; the kernel copies it when it takes the entry.
        _deadline->tv_sec = monotonicNs / 1_000_000_000;
        _deadline->tv_nsec = monotonicNs % 1_000_000_000;
        return TryQueue(
            IoUring.IORING_OP_TIMEOUT,
            tag,
            UringFile.None,
            (ulong)_deadline,
            1,
            0,
            IoUring.IORING_TIMEOUT_ABS);
    }

    /// <summary>
    /// Queues the cancellation of the operation with the tag <paramref name="target"/>.
    /// </summary>
    public bool TryCancel(ulong tag, ulong target) =>
        TryQueue(IoUring.IORING_OP_ASYNC_CANCEL, tag, UringFile.None, target, 0, 0, 0);

    /// <summary>
    /// Submits what is queued and waits for completions. EINTR, EAGAIN, EBUSY (too many completions
    /// not fetched) and ETIME are normal: fetch and come back.
    /// </summary>
    /// <param name="completions">How many to wait for; 0 does not wait.</param>
    /// <param name="timeoutNs">Longest wait; negative for ever.</param>
    public SysResult Enter(int completions, long timeoutNs)
    {
        if (!_enabled)
        {
            SysResult enabled = Enable();
            if (!enabled.IsOk)
            {
                return enabled;
            }
        }

        var time = new timespec
        {
            tv_sec = timeoutNs / 1_000_000_000,
            tv_nsec = timeoutNs % 1_000_000_000,
        };
        var argument = new io_uring_getevents_arg
        {
            ts = timeoutNs >= 0 && completions > 0 ? (ulong)&time : 0,
        };
        Volatile.Write(ref *_sqTail, _tail);
        SysResult result = Call.Of(LibC.io_uring_enter(
            IoUring.SYS_io_uring_enter,
            _enterFd,
            (uint)Queued,
            (uint)completions,
            _enterFlags,
            &argument,
            (nuint)sizeof(io_uring_getevents_arg)));

        // The head, not the return value, says what was taken: after an error some may have been.
        _submitted = Volatile.Read(ref *_sqHead);
        if (Queued > 0)
        {
            MendCutLink();
        }

        return result;
    }

    /// <summary>
    /// Submits what is queued without fetching anything, so that the device can begin while the
    /// loop goes on. What could not be submitted stays queued.
    /// </summary>
    public SysResult Submit()
    {
        if (!_enabled)
        {
            SysResult enabled = Enable();
            if (!enabled.IsOk)
            {
                return enabled;
            }
        }

        Volatile.Write(ref *_sqTail, _tail);
        SysResult result = Call.Of(LibC.io_uring_enter(
            IoUring.SYS_io_uring_enter,
            _enterFd,
            (uint)Queued,
            0,
            _enterFlags & IoUring.IORING_ENTER_REGISTERED_RING,
            null,
            0));
        _submitted = Volatile.Read(ref *_sqHead);
        if (Queued > 0)
        {
            MendCutLink();
        }

        return result;
    }

    /// <summary>
    /// On the first entry: the calling thread becomes the ring's one issuer, and the ring's own
    /// descriptor is registered for it, which saves looking it up with every entry (Linux 5.18; not
    /// having it is fine).
    /// </summary>
    private SysResult Enable()
    {
        if (_needsEnabling)
        {
            SysResult enabled = Register(IoUring.IORING_REGISTER_ENABLE_RINGS, null, 0);
            if (!enabled.IsOk)
            {
                return enabled;
            }
        }

        _enabled = true;

        // SAFETY: lives on this stack frame until the call returns; the kernel writes the slot it
        // chose into offset.
        var update = new io_uring_rsrc_update
        {
            offset = uint.MaxValue,
            data = (ulong)_fd.Number,
        };
        if (Register(IoUring.IORING_REGISTER_RING_FDS, &update, 1).IsOk)
        {
            _enterFd = (int)update.offset;
            _issuer = Environment.CurrentManagedThreadId;
            _enterFlags |= IoUring.IORING_ENTER_REGISTERED_RING;
        }

        return new SysResult(0);
    }

    /// <summary>
    /// The registration belongs to the thread that made it and would keep the ring alive for as
    /// long as that lives. From another thread it cannot be undone, and need not: by then the
    /// loop's thread has ended.
    /// </summary>
    private void ForgetRing()
    {
        if (_issuer == Environment.CurrentManagedThreadId)
        {
            // SAFETY: lives on this stack frame until the call returns.
            var update = new io_uring_rsrc_update { offset = (uint)_enterFd };
            _ = Register(IoUring.IORING_UNREGISTER_RING_FDS, &update, 1);
        }
    }

    private SysResult Register(uint opcode, void* argument, int count) =>
        Call.Of(LibC.io_uring_register(
            IoUring.SYS_io_uring_register, _fd.Number, opcode, argument, (uint)count));

    /// <summary>
    /// A kernel short of memory may take a write and leave the sync linked to it behind, which
    /// would then run by itself, before the write. Such a sync is made to fail: its descriptor
    /// becomes none.
    /// </summary>
    private void MendCutLink()
    {
        // SAFETY: both entries lie in the mapping; the kernel has taken the first and writes
        // neither.
        if ((_sqes[(_submitted - 1) & _sqMask].flags & IoUring.IOSQE_IO_LINK) != 0)
        {
            io_uring_sqe* cut = _sqes + (_submitted & _sqMask);
            cut->flags = 0;
            cut->fd = -1;
        }
    }

    /// <summary>Copies finished completions and frees their places. Returns how many.</summary>
    public int Fetch(Span<UringCompletion> completions)
    {
        uint head = *_cqHead;
        uint tail = Volatile.Read(ref *_cqTail);
        int count = 0;
        while (head != tail && count < completions.Length)
        {
            io_uring_cqe* cqe = _cqes + (head & _cqMask);
            completions[count++] = new UringCompletion(cqe->user_data, cqe->res);
            head++;
        }

        Volatile.Write(ref *_cqHead, head);
        return count;
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            ForgetRing();
            _fd.Dispose();
            // SAFETY: both were mapped by Map with these lengths; no member is used after disposal.
            Invariant.Check(LibC.munmap(_sqes, _sqesBytes) == 0);
            Invariant.Check(LibC.munmap(_rings, _ringsBytes) == 0);
            NativeMemory.Free(_deadline);
        }
    }

    private static Result<Uring> Map(OwnedFd fd, in io_uring_params p)
    {
        nuint sqBytes = p.sq_off.array + (p.sq_entries * sizeof(uint));
        nuint cqBytes = p.cq_off.cqes + (p.cq_entries * (nuint)sizeof(io_uring_cqe));
        nuint ringsBytes = Math.Max(sqBytes, cqBytes);
        nuint sqesBytes = p.sq_entries * (nuint)sizeof(io_uring_sqe);
        void* failed = (void*)-1;
        const int protection = Mman.PROT_READ | Mman.PROT_WRITE;
        const int flags = Mman.MAP_SHARED | Mman.MAP_POPULATE;
        void* rings = LibC.mmap(
            null, ringsBytes, protection, flags, fd.Number, IoUring.IORING_OFF_SQ_RING);
        if (rings == failed)
        {
            Errno errno = Call.Of(-1).Errno;
            fd.Dispose();
            return errno.ToFault("map the rings of io_uring");
        }

        void* sqes = LibC.mmap(
            null, sqesBytes, protection, flags, fd.Number, IoUring.IORING_OFF_SQES);
        if (sqes == failed)
        {
            Errno errno = Call.Of(-1).Errno;
            _ = LibC.munmap(rings, ringsBytes);
            fd.Dispose();
            return errno.ToFault("map the submission entries of io_uring");
        }

        return new Uring(fd, p, (byte*)rings, ringsBytes, (io_uring_sqe*)sqes);
    }

    private bool TryQueue(
        byte opcode,
        ulong tag,
        UringFile file,
        ulong address,
        uint length,
        ulong offset,
        uint opFlags,
        int buffer = -1)
    {
        if (Queued > (int)_sqMask)
        {
            return false;
        }

        // SAFETY: the mask keeps the index inside the mapped entries, and the kernel does not look
        // at an entry between its head and our published tail.
        io_uring_sqe* sqe = _sqes + (_tail & _sqMask);
        *sqe = default;
        sqe->opcode = opcode;
        sqe->flags = file.IsSlot ? IoUring.IOSQE_FIXED_FILE : (byte)0;
        sqe->fd = file.Number;
        sqe->off = offset;
        sqe->addr = address;
        sqe->len = length;
        sqe->rw_flags = opFlags;
        sqe->user_data = tag;
        sqe->buf_index = (ushort)Math.Max(0, buffer);
        _tail++;
        return true;
    }
}
