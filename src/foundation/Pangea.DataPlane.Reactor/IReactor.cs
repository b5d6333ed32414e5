using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// One thread, one loop: starts operations of the kernel and resumes whoever awaits them, always on
/// the loop's own thread. Two executors stand behind this contract (decision A7): io_uring, and
/// plain system calls on helper threads where io_uring is forbidden.
/// </summary>
/// <remarks>
/// All members but <see cref="Post"/> and <see cref="Stop"/> may be used on the loop's thread only.
/// An operation never completes inside the call that starts it, and continuations never nest: they
/// run one after another from the loop. A buffer slice belongs to the kernel from the call until
/// its completion; the pool marks it in flight. Steady state allocates nothing: the value tasks are
/// pooled and must be awaited exactly once. A descriptor that is disposed during an operation is
/// really closed at its end, so whoever wants to end a poll or a stream operation cancels it. Too
/// many operations at once (<see cref="ReactorOptions.OperationsMax"/>) end with EBUSY.
/// </remarks>
public interface IReactor : IDisposable
{
    /// <summary>"io_uring" or "plain".</summary>
    string Kind { get; }

    /// <summary>Why this executor was chosen, for people.</summary>
    string Reason { get; }

    /// <summary>
    /// What the machine did not let it have, and what would; null where nothing is missing.
    /// </summary>
    string? Shortage => null;

    /// <summary>
    /// Reads into the slice. May read less than asked; 0 is end of file.
    /// </summary>
    /// <param name="file">Stays open until completion.</param>
    /// <param name="buffer">Where to; multiples of 512/4096 when the file is O_DIRECT.</param>
    /// <param name="offset">Byte offset, or -1 for a stream (pipe, socket, terminal).</param>
    /// <param name="cancellation">
    /// Cancelled on the loop's thread; ends the operation with ECANCELED.
    /// </param>
    ValueTask<SysResult> ReadAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default);

    /// <summary>
    /// Writes from the slice. May write less than asked. See <see cref="ReadAsync"/>.
    /// </summary>
    ValueTask<SysResult> WriteAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default);

    /// <summary>
    /// Reads into two parts with one call, the first filled before the second (readv). For streams
    /// only the first part may be used. Both parts may lie in one slab or in two.
    /// </summary>
    ValueTask<SysResult> ReadAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default);

    /// <summary>
    /// Writes two parts with one call (writev). See the two-part <c>ReadAsync</c>.
    /// </summary>
    ValueTask<SysResult> WriteAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default);

    /// <summary>
    /// Writes the whole slice and makes it durable: a write and an fdatasync(2), linked, so that
    /// one turn of the loop carries both. What a short write left over is written too before the
    /// sync. The result is the slice's length; with any failure nothing is known to be durable.
    /// </summary>
    /// <param name="file">A file or block device; stays open until completion.</param>
    /// <param name="buffer">What to write; not empty.</param>
    /// <param name="offset">Byte offset; streams have none and no durability either.</param>
    /// <param name="cancellation">See <see cref="ReadAsync"/>.</param>
    ValueTask<SysResult> WriteAndSyncAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default);

    /// <summary>fsync(2), or fdatasync(2) with <paramref name="dataOnly"/>.</summary>
    ValueTask<SysResult> SyncAsync(OwnedFd file, bool dataOnly);

    /// <summary>
    /// Waits until the descriptor is ready; the result is the poll(2) event mask. ECANCELED when
    /// cancelled.
    /// </summary>
    ValueTask<SysResult> PollAsync(
        OwnedFd file, PollEvents events, CancellationToken cancellation = default);

    /// <summary>Resumes after the given time; result 0, or ECANCELED.</summary>
    ValueTask<SysResult> DelayAsync(TimeSpan delay, CancellationToken cancellation = default);

    /// <summary>
    /// Runs the action on the loop's thread, soon. The one door for other threads.
    /// </summary>
    void Post(Action action);

    /// <summary>True on the thread that is inside <see cref="Run"/>.</summary>
    bool IsLoopThread { get; }

    /// <summary>
    /// Runs the loop on the calling thread, which becomes the loop's thread, until stopped.
    /// Awaiting an ordinary task on the loop's thread comes back to it. An exception that escapes a
    /// posted action leaves through here.
    /// </summary>
    void Run();

    /// <summary>
    /// Makes <see cref="Run"/> return: operations under way are cancelled and their awaiters
    /// resumed first, and what they start from then on ends with ECANCELED at once. Any thread,
    /// once.
    /// </summary>
    void Stop();
}
