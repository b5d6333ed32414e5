using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor;

/// <summary>Which call of a reactor is about to be made.</summary>
public enum ReactorCallKind
{
    Read,
    Write,
    Sync,
    Poll,
}

/// <summary>A call that a <see cref="FaultInjectingReactor"/> is about to make.</summary>
/// <param name="Number">Counts all calls of the reactor from 1.</param>
/// <param name="Kind">What it does.</param>
/// <param name="File">On which descriptor.</param>
/// <param name="Offset">File offset; -1 for streams and for calls without one.</param>
/// <param name="Bytes">Length of the transfer, both parts; 0 for others.</param>
public readonly record struct ReactorCall(
    long Number, ReactorCallKind Kind, OwnedFd File, long Offset, int Bytes);

/// <summary>What happens to a call instead of, or on top of, the real thing.</summary>
public readonly record struct InjectedFault
{
    /// <summary>The call fails with this errno and, but for torn writes, is not made.</summary>
    public Errno? Errno { get; private init; }

    /// <summary>
    /// The transfer is cut to this many bytes, at least 1, and then made. Together with an errno a
    /// write moves so many bytes before it fails (of two parts, the first only).
    /// </summary>
    public int? BytesMax { get; private init; }

    public static InjectedFault None => default;

    public static InjectedFault Fail(Errno errno) => new() { Errno = errno };

    public static InjectedFault Short(int bytesMax) => new() { BytesMax = bytesMax };

    /// <summary>A write moves this many bytes, and is then reported as failed.</summary>
    public static InjectedFault Torn(int bytesMax, Errno errno) =>
        new() { BytesMax = bytesMax, Errno = errno };
}

/// <summary>
/// For tests: passes every call on to a real reactor, unless the plan says that it fails or is cut
/// short. A scenario that passes for "fail call n" with n = 1, 2, ... until none failed has met
/// every fault.
/// </summary>
/// <param name="inner">The reactor that does the work; disposed with this one.</param>
/// <param name="plan">Asked before each call, on the loop's thread.</param>
public sealed class FaultInjectingReactor(IReactor inner, Func<ReactorCall, InjectedFault> plan)
    : IReactor
{
    public string Kind => inner.Kind;

    public string Reason => $"{inner.Reason}; with injected faults";

    public string? Shortage => inner.Shortage;

    public bool IsLoopThread => inner.IsLoopThread;

    /// <summary>Calls made or failed so far.</summary>
    public long CallCount { get; private set; }

    /// <summary>Calls that the plan changed.</summary>
    public long FaultCount { get; private set; }

    /// <summary>The plan that fails exactly the n-th call (from 1) with an errno.</summary>
    public static Func<ReactorCall, InjectedFault> FailNth(long number, Errno errno) =>
        call => call.Number == number ? InjectedFault.Fail(errno) : InjectedFault.None;

    /// <summary>The plan that cuts every transfer to at most so many bytes.</summary>
    public static Func<ReactorCall, InjectedFault> AlwaysShort(int bytesMax) =>
        _ => InjectedFault.Short(bytesMax);

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        InjectedFault fault = Ask(ReactorCallKind.Read, file, offset, buffer.Bytes);
        return fault.Errno is Errno errno
            ? FailAsync(errno)
            : inner.ReadAsync(file, Cut(buffer, fault), offset, cancellation);
    }

    public ValueTask<SysResult> WriteAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        InjectedFault fault = Ask(ReactorCallKind.Write, file, offset, buffer.Bytes);
        return fault.Errno is Errno errno
            ? FailAsync(errno, file, buffer, offset, fault)
            : inner.WriteAsync(file, Cut(buffer, fault), offset, cancellation);
    }

    /// <summary>
    /// Counts as two calls, a write and a sync, each of which may fail. A short write is finished,
    /// as the contract says; a failing sync comes after the whole write.
    /// </summary>
    public ValueTask<SysResult> WriteAndSyncAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        InjectedFault write = Ask(ReactorCallKind.Write, file, offset, buffer.Bytes);
        if (write.Errno is Errno errno)
        {
            return FailAsync(errno, file, buffer, offset, write);
        }

        InjectedFault sync = Ask(ReactorCallKind.Sync, file, -1, 0);
        if (sync.Errno is Errno syncErrno)
        {
            return FailAsync(
                syncErrno, file, buffer, offset, InjectedFault.Torn(buffer.Bytes, syncErrno));
        }

        return write.BytesMax is int bytes && bytes < buffer.Bytes
            ? WriteInTwoAsync(file, buffer, Math.Max(1, bytes), offset, cancellation)
            : inner.WriteAndSyncAsync(file, buffer, offset, cancellation);
    }

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default)
    {
        InjectedFault fault = Ask(
            ReactorCallKind.Read, file, offset, first.Bytes + second.Bytes);
        if (fault.Errno is Errno errno)
        {
            return FailAsync(errno);
        }

        return fault.BytesMax is int bytes && bytes <= first.Bytes
            ? inner.ReadAsync(file, Cut(first, fault), offset, cancellation)
            : inner.ReadAsync(
                file, first, CutSecond(first, second, fault), offset, cancellation);
    }

    public ValueTask<SysResult> WriteAsync(
        OwnedFd file,
        BufferSlice first,
        BufferSlice second,
        long offset,
        CancellationToken cancellation = default)
    {
        InjectedFault fault = Ask(
            ReactorCallKind.Write, file, offset, first.Bytes + second.Bytes);
        if (fault.Errno is Errno errno)
        {
            return FailAsync(errno, file, first, offset, fault);
        }

        return fault.BytesMax is int bytes && bytes <= first.Bytes
            ? inner.WriteAsync(file, Cut(first, fault), offset, cancellation)
            : inner.WriteAsync(
                file, first, CutSecond(first, second, fault), offset, cancellation);
    }

    public ValueTask<SysResult> SyncAsync(OwnedFd file, bool dataOnly)
    {
        InjectedFault fault = Ask(ReactorCallKind.Sync, file, -1, 0);
        return fault.Errno is Errno errno ? FailAsync(errno) : inner.SyncAsync(file, dataOnly);
    }

    public ValueTask<SysResult> PollAsync(
        OwnedFd file, PollEvents events, CancellationToken cancellation = default)
    {
        InjectedFault fault = Ask(ReactorCallKind.Poll, file, -1, 0);
        return fault.Errno is Errno errno
            ? FailAsync(errno)
            : inner.PollAsync(file, events, cancellation);
    }

    public ValueTask<SysResult> DelayAsync(
        TimeSpan delay, CancellationToken cancellation = default) =>
        inner.DelayAsync(delay, cancellation);

    public void Post(Action action) => inner.Post(action);

    public void Run() => inner.Run();

    public void Stop() => inner.Stop();

    public void Dispose() => inner.Dispose();

    private static BufferSlice Cut(BufferSlice slice, InjectedFault fault) =>
        fault.BytesMax is int bytes
            ? slice with { Bytes = Math.Min(slice.Bytes, Math.Max(1, bytes)) }
            : slice;

    private static BufferSlice CutSecond(
        BufferSlice first, BufferSlice second, InjectedFault fault) =>
        fault.BytesMax is int bytes
            ? second with { Bytes = Math.Min(second.Bytes, bytes - first.Bytes) }
            : second;

    private InjectedFault Ask(ReactorCallKind kind, OwnedFd file, long offset, int bytes)
    {
        CallCount++;
        InjectedFault fault = plan(new ReactorCall(CallCount, kind, file, offset, bytes));
        if (fault != InjectedFault.None)
        {
            FaultCount++;
        }

        return fault;
    }

    private async ValueTask<SysResult> WriteInTwoAsync(
        OwnedFd file,
        BufferSlice buffer,
        int firstBytes,
        long offset,
        CancellationToken cancellation)
    {
        SysResult first = await inner.WriteAsync(
            file, buffer with { Bytes = firstBytes }, offset, cancellation);
        if (!first.IsOk)
        {
            return first;
        }

        int moved = (int)first.Value;
        SysResult rest = await inner.WriteAndSyncAsync(
            file, buffer.Skip(moved), offset + moved, cancellation);
        return rest.IsOk ? new SysResult(buffer.Bytes) : rest;
    }

    /// <summary>Fails a write, after it has moved what a torn one moves.</summary>
    private async ValueTask<SysResult> FailAsync(
        Errno errno, OwnedFd file, BufferSlice buffer, long offset, InjectedFault fault)
    {
        if (fault.BytesMax is null)
        {
            return await FailAsync(errno);
        }

        await inner.WriteAsync(file, Cut(buffer, fault), offset);
        return SysResult.Fail(errno);
    }

    // Through the loop, because a real failure does not complete inside the call either.
    private async ValueTask<SysResult> FailAsync(Errno errno)
    {
        await inner.DelayAsync(TimeSpan.Zero);
        return SysResult.Fail(errno);
    }
}
