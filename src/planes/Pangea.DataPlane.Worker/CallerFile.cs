using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The open file that came with a call, checked before use: what it is, whether it was opened for
/// what the call does, and where it stands. Owns the descriptor.
/// </summary>
/// <remarks>
/// A caller who opened its file with O_DIRECT has whole blocks moved past the page cache; what is
/// not aligned, the end of most files, goes through it, and O_DIRECT is off from then on.
/// </remarks>
internal sealed class CallerFile : IDisposable
{
    /// <summary>What every file system takes direct transfers of.</summary>
    private const int BlockBytes = BufferPool.Alignment;

    /// <summary>Less is not worth waiting for the disk.</summary>
    private const long DirectBytesMin = 1024 * 1024;

    /// <summary>Room that is reserved at once: a call of its own, during which the loop waits.
    /// </summary>
    private const long ReserveBytes = 1024 * 1024 * 1024;

    private readonly OwnedFd _fd;
    private readonly IReactor _reactor;
    private readonly bool _seekable;
    private readonly long _first;
    private bool _isDirect;
    private long _offset;
    private long _taken;
    private long _reservedEnd;

    private CallerFile(
        OwnedFd fd, IReactor reactor, bool seekable, bool isDirect, long offset, long? bytesLeft)
    {
        _fd = fd;
        _reactor = reactor;
        _seekable = seekable;
        _isDirect = isDirect;
        _first = offset;
        _offset = offset;
        _reservedEnd = offset;
        BytesLeft = bytesLeft;
    }

    /// <summary>
    /// What a regular file holds from its position on; null where the end is not known.
    /// </summary>
    public long? BytesLeft { get; }

    /// <summary>True where parts may be written side by side; a stream takes one at a time.
    /// </summary>
    public bool TakesOverlappingWrites => _seekable;

    /// <summary>
    /// Checks a descriptor that will be read from its present position to its end.
    /// </summary>
    public static Result<CallerFile> ForReading(OwnedFd fd, IReactor reactor) =>
        Open(fd, reactor, writing: false);

    /// <summary>Checks a descriptor that will be written from its present position on.</summary>
    public static Result<CallerFile> ForWriting(OwnedFd fd, IReactor reactor) =>
        Open(fd, reactor, writing: true);

    /// <summary>
    /// One read of a small object from where the file stands; see <see cref="Took"/>.
    /// </summary>
    public ValueTask<SysResult> ReadAsync(BufferSlice slice, CancellationToken cancellation)
    {
        LeaveDirect();
        return _reactor.ReadAsync(_fd, slice, _seekable ? _offset : -1, cancellation);
    }

    /// <summary>Waits until a stream that had nothing has something, or room.</summary>
    public ValueTask<SysResult> WaitAsync(PollEvents events, CancellationToken cancellation) =>
        _reactor.PollAsync(_fd, events, cancellation);

    /// <summary>
    /// Notes what a read gave; true where it was the last. What a file of known length held when it
    /// was passed is its content: asking once more whether it has grown would cost a read per call.
    /// Files without a length (of /proc) say 0 and are read until they end.
    /// </summary>
    public bool Took(long bytes, TransferWatch watch)
    {
        if (bytes == 0)
        {
            return true;
        }

        _offset += bytes;
        _taken += bytes;
        watch.Moved(_offset, BytesLeft);
        return _taken == BytesLeft;
    }

    /// <summary>
    /// Reads until the slice is full or the file ends; the result is the bytes read.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SysResult> ReadFullyAsync(BufferSlice slice, TransferWatch watch)
    {
        int done = 0;
        while (done < slice.Bytes)
        {
            if (watch.Token.IsCancellationRequested)
            {
                return SysResult.Fail(Errno.ECANCELED);
            }

            long at = _seekable ? _offset : -1;
            BufferSlice part = Part(slice.Skip(done), _offset);
            SysResult result = await _reactor.ReadAsync(_fd, part, at, watch.Token);
            if (!result.IsOk)
            {
                if (result.Errno == Errno.EINVAL && _isDirect)
                {
                    LeaveDirect();
                    continue;
                }

                if (result.Errno == Errno.EAGAIN)
                {
                    await _reactor.PollAsync(_fd, PollEvents.Readable, watch.Token);
                    continue;
                }

                return result;
            }

            if (result.Value == 0)
            {
                break;
            }

            done += (int)result.Value;
            _offset += result.Value;
            watch.Moved(_offset, BytesLeft);
        }

        return new SysResult(done);
    }

    /// <summary>
    /// One write of a small object to where the file stands; see <see cref="Wrote"/>.
    /// </summary>
    public ValueTask<SysResult> WriteAsync(BufferSlice slice, CancellationToken cancellation)
    {
        LeaveDirect();
        return _reactor.WriteAsync(_fd, slice, _seekable ? _offset : -1, cancellation);
    }

    /// <summary>Notes what a write took.</summary>
    public void Wrote(long bytes, long total, TransferWatch watch)
    {
        _offset += bytes;
        watch.Moved(_offset, total);
    }

    /// <summary>
    /// Writes the whole slice, behind what earlier calls were given: the place is taken when the
    /// call is made.
    /// </summary>
    /// <param name="slice">What.</param>
    /// <param name="watch">Who ends it.</param>
    /// <param name="total">Bytes that all calls together will write.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SysResult> WriteFullyAsync(
        BufferSlice slice, TransferWatch watch, long total)
    {
        long start = _offset;
        _offset += slice.Bytes;
        PrepareDirect(_offset, total);
        int done = 0;
        while (done < slice.Bytes)
        {
            if (watch.Token.IsCancellationRequested)
            {
                return SysResult.Fail(Errno.ECANCELED);
            }

            BufferSlice part = Part(slice.Skip(done), start + done);
            SysResult result = await _reactor.WriteAsync(
                _fd, part, _seekable ? start + done : -1, watch.Token);
            if (!result.IsOk)
            {
                if (result.Errno == Errno.EINVAL && _isDirect)
                {
                    LeaveDirect();
                    continue;
                }

                if (result.Errno == Errno.EAGAIN)
                {
                    await _reactor.PollAsync(_fd, PollEvents.Writable, watch.Token);
                    continue;
                }

                return result;
            }

            if (result.Value == 0)
            {
                return SysResult.Fail(Errno.EIO);
            }

            done += (int)result.Value;
            watch.Moved(start + done, total);
        }

        return new SysResult(done);
    }

    /// <summary>What a failed read says to the caller.</summary>
    public static Fault ReadFault(Errno errno) =>
        errno.ToFault("read the caller's descriptor") with { Code = FaultCode.BadDescriptor };

    /// <summary>What a failed write says to the caller.</summary>
    public static Fault WriteFault(Errno errno) => errno == Errno.ENOSPC || errno == Errno.EDQUOT
        ? errno.ToFault("write to the caller's file", "give its file system more room")
        : errno.ToFault("write to the caller's descriptor") with { Code = FaultCode.BadDescriptor };

    /// <summary>
    /// Moves the file's own position past what was transferred, as read(2) and write(2) would have,
    /// so that two calls in a row on one open file continue where the first ended.
    /// </summary>
    public void AdvancePosition()
    {
        if (_seekable)
        {
            Files.SetPosition(_fd, _offset);
        }
    }

    public void Dispose() => _fd.Dispose();

    /// <summary>
    /// Direct writes into reserved room go side by side; those that make a file longer wait for
    /// each other. Where it cannot be reserved, the writes say what there is to say.
    /// </summary>
    private void PrepareDirect(long end, long total)
    {
        if (_isDirect && total < DirectBytesMin)
        {
            LeaveDirect();
        }
        else if (_isDirect && end > _reservedEnd)
        {
            long reserved = Math.Clamp(_reservedEnd + ReserveBytes, end, _first + total);
            _ = Files.Reserve(_fd, _reservedEnd, reserved - _reservedEnd, keepLength: false);
            _reservedEnd = reserved;
        }
    }

    /// <summary>So much of the rest as may move in one go.</summary>
    private BufferSlice Part(BufferSlice rest, long offset)
    {
        if (!_isDirect)
        {
            return rest;
        }

        int whole = rest.Bytes & ~(BlockBytes - 1);
        if (whole > 0 && rest.Start % BlockBytes == 0 && offset % BlockBytes == 0)
        {
            return rest with { Bytes = whole };
        }

        LeaveDirect();
        return rest;
    }

    private void LeaveDirect()
    {
        if (_isDirect)
        {
            _isDirect = false;

            // Where that is refused, the transfer's own error says so.
            _ = Files.SetDirect(_fd, isDirect: false);
        }
    }

    private static Result<CallerFile> Open(OwnedFd fd, IReactor reactor, bool writing)
    {
        Result<FileStatus> status = Files.Status(fd);
        if (!status.IsOk)
        {
            return status.Fault with { Code = FaultCode.BadDescriptor };
        }

        string purpose = writing ? "writing" : "reading";
        FileKind kind = status.Value.Kind;
        if (kind == FileKind.Directory)
        {
            return new Fault(
                FaultCode.BadDescriptor,
                "the descriptor is a directory",
                $"pass a file, a pipe or a socket that is open for {purpose}");
        }

        Result<FileAccessMode> access = Files.AccessMode(fd);
        if (!access.IsOk)
        {
            return access.Fault with { Code = FaultCode.BadDescriptor };
        }

        if (writing ? !access.Value.Writable : !access.Value.Readable)
        {
            return new Fault(
                FaultCode.BadDescriptor,
                $"the descriptor is not open for {purpose}",
                writing ? "open it with O_WRONLY or O_RDWR" : "open it with O_RDONLY or O_RDWR");
        }

        if (kind is not (FileKind.Regular or FileKind.BlockDevice))
        {
            return new CallerFile(fd, reactor, seekable: false, isDirect: false, 0, null);
        }

        SysResult position = Files.Position(fd);
        long offset = position.IsOk ? position.Value : 0;
        long? left = kind == FileKind.Regular ? Math.Max(0, status.Value.Bytes - offset) : null;
        bool append = writing && access.Value.Append;
        return new CallerFile(
            fd, reactor, seekable: !append, isDirect: access.Value.Direct, offset, left);
    }
}
