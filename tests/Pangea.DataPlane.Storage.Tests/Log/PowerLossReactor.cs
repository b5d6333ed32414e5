using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>
/// A disk with a volatile cache: after the power went, every operation fails, and of what was
/// written and not flushed each sector is there or not, by chance. Remembers what lay under every
/// write until a flush of the same file has completed that began after it.
/// </summary>
internal sealed class PowerLossReactor(IReactor inner, Random random, long operationsLeft)
    : IReactor
{
    private const int SectorBytes = 512;

    private readonly List<Unflushed> _unflushed = [];
    private readonly Dictionary<OwnedFd, OwnedFd> _plainFiles = [];
    private long _clock;

    public string Kind => inner.Kind;

    public string Reason => inner.Reason;

    public bool IsLoopThread => inner.IsLoopThread;

    /// <summary>The power is gone.</summary>
    internal bool IsOff => operationsLeft <= 0;

    internal int LostSectors { get; private set; }

    /// <summary>After the loop's end: makes the files what they are after the loss.</summary>
    internal void LoseUnflushed()
    {
        // Backwards, so that what lay under two writes of one place comes back.
        for (int i = _unflushed.Count - 1; i >= 0; i--)
        {
            Unflushed write = _unflushed[i];
            // A whole write is often lost or kept together; the rest is torn.
            int fate = random.Next(4);
            for (int at = 0; at < write.Before.Length; at += SectorBytes)
            {
                if (fate == 0 || (fate > 1 && random.Next(2) == 0))
                {
                    int bytes = Math.Min(SectorBytes, write.Before.Length - at);
                    Assert.True(Files.WriteAt(
                        write.File, write.Before.AsSpan(at, bytes), write.Offset + at).IsOk);
                    LostSectors++;
                }
            }
        }

        foreach (OwnedFd file in _plainFiles.Values)
        {
            file.Dispose();
        }
    }

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default) =>
        Begin() ? inner.ReadAsync(file, buffer, offset, cancellation) : FailAsync();

    public ValueTask<SysResult> ReadAsync(
        OwnedFd file, BufferSlice first, BufferSlice second, long offset,
        CancellationToken cancellation = default) =>
        Begin() ? inner.ReadAsync(file, first, second, offset, cancellation) : FailAsync();

    public async ValueTask<SysResult> WriteAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        if (!Begin())
        {
            return await FailAsync();
        }

        Unflushed write = Remember(file, offset, buffer.Bytes);
        SysResult result = await inner.WriteAsync(file, buffer, offset, cancellation);
        write.DoneAt = ++_clock;
        return IsOff ? SysResult.Fail(Errno.EIO) : result;
    }

    public async ValueTask<SysResult> WriteAsync(
        OwnedFd file, BufferSlice first, BufferSlice second, long offset,
        CancellationToken cancellation = default)
    {
        if (!Begin())
        {
            return await FailAsync();
        }

        Unflushed write = Remember(file, offset, first.Bytes + second.Bytes);
        SysResult result = await inner.WriteAsync(file, first, second, offset, cancellation);
        write.DoneAt = ++_clock;
        return IsOff ? SysResult.Fail(Errno.EIO) : result;
    }

    public async ValueTask<SysResult> WriteAndSyncAsync(
        OwnedFd file, BufferSlice buffer, long offset, CancellationToken cancellation = default)
    {
        SysResult written = await WriteAsync(file, buffer, offset, cancellation);
        if (!written.IsOk)
        {
            return written;
        }

        SysResult synced = await SyncAsync(file, dataOnly: true);
        return synced.IsOk ? written : synced;
    }

    public async ValueTask<SysResult> SyncAsync(OwnedFd file, bool dataOnly)
    {
        if (!Begin())
        {
            return await FailAsync();
        }

        long started = _clock;
        // The real disk keeps everything anyway; this one only counts.
        await inner.DelayAsync(TimeSpan.Zero);
        if (IsOff)
        {
            return SysResult.Fail(Errno.EIO);
        }

        OwnedFd? plain = _plainFiles.GetValueOrDefault(file);
        _unflushed.RemoveAll(write => write.File == plain && write.DoneAt <= started);
        return default;
    }

    public ValueTask<SysResult> PollAsync(
        OwnedFd file, PollEvents events, CancellationToken cancellation = default) =>
        inner.PollAsync(file, events, cancellation);

    public ValueTask<SysResult> DelayAsync(
        TimeSpan delay, CancellationToken cancellation = default) =>
        inner.DelayAsync(delay, cancellation);

    public void Post(Action action) => inner.Post(action);

    public void Run() => inner.Run();

    public void Stop() => inner.Stop();

    public void Dispose() => inner.Dispose();

    private bool Begin() => --operationsLeft > 0;

    private Unflushed Remember(OwnedFd file, long offset, int bytes)
    {
        if (!_plainFiles.TryGetValue(file, out OwnedFd? plain))
        {
            plain = Files.Open(
                $"/proc/self/fd/{file.Number}", OpenFlags.Read | OpenFlags.Write).Value;
            _plainFiles.Add(file, plain);
        }

        var before = new byte[bytes];
        Assert.True(Files.ReadAt(plain, before, offset).IsOk);
        var write = new Unflushed(plain, offset, before);
        _unflushed.Add(write);
        return write;
    }

    private async ValueTask<SysResult> FailAsync()
    {
        await inner.DelayAsync(TimeSpan.Zero);
        return SysResult.Fail(Errno.EIO);
    }

    private sealed class Unflushed(OwnedFd file, long offset, byte[] before)
    {
        internal OwnedFd File { get; } = file;

        internal long Offset { get; } = offset;

        internal byte[] Before { get; } = before;

        internal long DoneAt { get; set; } = long.MaxValue;
    }
}
