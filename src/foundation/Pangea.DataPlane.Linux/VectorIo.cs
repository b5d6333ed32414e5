using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Scatter and gather transfers by plain system calls, for the executor without io_uring.
/// Descriptors are numbers here: the caller holds a reference on the owner for as long as a call
/// may run.
/// </summary>
public static unsafe class VectorIo
{
    /// <summary>
    /// What a pipe takes without waiting once poll(2) called it writable (pipe(7): one free page).
    /// </summary>
    private const int PipeBytesSure = 4096;

    private const int EAGAIN = 11;
    private const int EOPNOTSUPP = 95;

    /// <summary>
    /// preadv(2), or readv(2) at the file's own position for offset -1. May wait.
    /// </summary>
    public static SysResult Read(int fd, IoVector* vectors, int count, long offset) =>
        Transfer(fd, vectors, count, offset, isWrite: false, flags: 0);

    /// <summary>pwritev(2), or writev(2) for offset -1. May wait.</summary>
    public static SysResult Write(int fd, IoVector* vectors, int count, long offset) =>
        Transfer(fd, vectors, count, offset, isWrite: true, flags: 0);

    /// <summary>
    /// Moves what a stream can move at once, without touching the flags of the open file, which its
    /// other users share. EAGAIN: not ready. EOPNOTSUPP: this kind of stream cannot be asked so
    /// (pipes before Linux 6.4, terminals); poll it, then use <see cref="MoveWhenReady"/>.
    /// </summary>
    /// <param name="fd">A pipe, socket or character device.</param>
    /// <param name="isSocket">Sockets have a flag of their own, on every kernel.</param>
    /// <param name="vectors">The ranges; sockets use the first only.</param>
    /// <param name="count">Number of ranges.</param>
    /// <param name="isWrite">Direction.</param>
    public static SysResult TryMove(
        int fd, bool isSocket, IoVector* vectors, int count, bool isWrite)
    {
        if (!isSocket)
        {
            return Transfer(fd, vectors, count, -1, isWrite, Fcntl.RWF_NOWAIT);
        }

        const int flags = Socket.MSG_DONTWAIT | Socket.MSG_NOSIGNAL;
        nint moved;
        do
        {
            // SAFETY: the caller keeps the range valid during the call.
            moved = isWrite
                ? LibC.sendto(
                    fd, (void*)vectors->Address, (nuint)vectors->Bytes, flags, null, 0)
                : LibC.recvfrom(
                    fd, (void*)vectors->Address, (nuint)vectors->Bytes, flags, null, null);
        }
        while (Call.Interrupted(moved));

        return Call.Of(moved);
    }

    /// <summary>
    /// One transfer on a stream that poll(2) has just called ready: a read returns what is there, a
    /// write is cut to what a ready pipe takes. Only a third party that races for the same pipe can
    /// make it wait.
    /// </summary>
    public static SysResult MoveWhenReady(int fd, IoVector* vectors, bool isWrite)
    {
        IoVector first = *vectors;
        if (isWrite)
        {
            first = first with { Bytes = Math.Min(first.Bytes, PipeBytesSure) };
        }

        return Transfer(fd, &first, 1, -1, isWrite, flags: 0);
    }

    /// <summary>
    /// True for the result of <see cref="TryMove"/> that asks to wait for readiness.
    /// </summary>
    public static bool MustWait(SysResult result) => result.Raw == -EAGAIN;

    /// <summary>True for the result of <see cref="TryMove"/> that asks for another way.</summary>
    public static bool MustPoll(SysResult result) => result.Raw == -EOPNOTSUPP;

    /// <summary>fsync(2) or fdatasync(2).</summary>
    public static SysResult Sync(int fd, bool dataOnly) =>
        Call.Of(dataOnly ? LibC.fdatasync(fd) : LibC.fsync(fd));

    private static SysResult Transfer(
        int fd, IoVector* vectors, int count, long offset, bool isWrite, int flags)
    {
        Invariant.Check(count is 1 or 2);
        nint moved;
        do
        {
            // SAFETY: IoVector is laid out as iovec (layout test); the caller keeps the ranges
            // valid.
            moved = isWrite
                ? LibC.pwritev2(fd, (iovec*)vectors, count, offset, flags)
                : LibC.preadv2(fd, (iovec*)vectors, count, offset, flags);
        }
        while (Call.Interrupted(moved));

        return Call.Of(moved);
    }
}
