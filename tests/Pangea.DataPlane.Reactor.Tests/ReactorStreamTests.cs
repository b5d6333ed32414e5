using System.Diagnostics;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>Pipes, sockets and other things that can keep one waiting, on both executors.</summary>
public abstract class ReactorStreamTests(Executor executor)
{
    [SkippableFact]
    public void Reads_a_pipe_until_its_end() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
        using OwnedFd _ = read;
        BufferLease lease = pool.Rent();
        ValueTask<SysResult> pending = reactor.ReadAsync(read, lease.Slice(0, 100), -1);
        await reactor.DelayAsync(TimeSpan.FromMilliseconds(20));
        Files.Write(write, "hello"u8);
        Assert.Equal(5, (await pending).Value);
        Assert.True(pool.Span(lease.Slice(0, 5)).SequenceEqual("hello"u8));
        write.Dispose();
        Assert.Equal(0, (await reactor.ReadAsync(read, lease.Slice(0, 100), -1)).Value);
        pool.Return(lease);
    });

    [SkippableFact]
    public void Moves_a_megabyte_through_a_pipe_from_loop_to_loop() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: a writer that fills the pipe waits for the reader on the same loop without a
            // deadlock.
            (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
            BufferLease lease = pool.Rent();
            await CarryAsync(reactor, pool, lease, read, write, 1 << 20);
            pool.Return(lease);
        });

    [SkippableFact]
    public void Moves_a_megabyte_through_a_socket_pair() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            (OwnedFd left, OwnedFd right) = SocketPair();
            BufferLease lease = pool.Rent();
            await CarryAsync(reactor, pool, lease, left, right, 1 << 20);
            pool.Return(lease);
        });

    [SkippableFact]
    public void Waits_on_streams_that_somebody_made_non_blocking() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: O_NONBLOCK on the caller's pipe must not turn waiting into EAGAIN.
            string path = Path.Combine(Path.GetTempPath(), $"pangea-fifo-{Guid.NewGuid():N}");
            using (Process made = Process.Start("mkfifo", path))
            {
                made.WaitForExit();
            }

            using OwnedFd read = Files.Open(path, OpenFlags.Read | OpenFlags.NonBlocking).Value;
            OwnedFd write = Files.Open(path, OpenFlags.Write | OpenFlags.NonBlocking).Value;
            File.Delete(path);
            Assert.True(Files.AccessMode(write).Value.NonBlocking);
            BufferLease lease = pool.Rent();
            await CarryAsync(reactor, pool, lease, read, write, 1 << 20);
            pool.Return(lease);
        });

    [SkippableFact]
    public void A_readerless_pipe_is_EPIPE() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
        read.Dispose();
        using OwnedFd _ = write;
        BufferLease lease = pool.Rent();
        Assert.Equal(Errno.EPIPE, (await reactor.WriteAsync(write, lease.Slice(0, 9), -1)).Errno);
        pool.Return(lease);
    });

    [SkippableFact]
    public void Cancels_reads_writes_and_polls_that_wait() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
            using OwnedFd readOwner = read;
            using OwnedFd writeOwner = write;
            BufferLease lease = pool.Rent();
            BufferSlice slice = lease.Slice(0, 4096);
            using var cancellation = new CancellationTokenSource();
            CancellationToken token = cancellation.Token;
            ValueTask<SysResult> pendingRead = reactor.ReadAsync(read, slice, -1, token);
            ValueTask<SysResult> pendingPoll = reactor.PollAsync(read, PollEvents.Readable, token);
            ValueTask<SysResult> pendingDelay = reactor.DelayAsync(TimeSpan.FromDays(1), token);
            await reactor.DelayAsync(TimeSpan.FromMilliseconds(10));
            cancellation.Cancel();
            Assert.Equal(Errno.ECANCELED, (await pendingRead).Errno);
            Assert.Equal(Errno.ECANCELED, (await pendingPoll).Errno);
            Assert.Equal(Errno.ECANCELED, (await pendingDelay).Errno);
            Assert.Equal(
                Errno.ECANCELED, (await reactor.ReadAsync(read, slice, -1, token)).Errno);
            await FillAndCancelAsync(reactor, write, slice);
            pool.Return(lease);
        });

    [SkippableFact]
    public void Cancels_from_another_thread() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
        using OwnedFd readOwner = read;
        using OwnedFd writeOwner = write;
        BufferLease lease = pool.Rent();
        for (int i = 0; i < 50; i++)
        {
            using var cancellation = new CancellationTokenSource();
            ValueTask<SysResult> pending = reactor.ReadAsync(
                read, lease.Slice(0, 8), -1, cancellation.Token);
            CancellationTokenSource source = cancellation;
            Task other = Task.Run(source.Cancel);
            Assert.Equal(Errno.ECANCELED, (await pending).Errno);
            await other;
            Assert.True(reactor.IsLoopThread);
        }

        pool.Return(lease);
    });

    [SkippableFact]
    public void Polls_for_writable_and_for_the_peers_end() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            (OwnedFd left, OwnedFd right) = SocketPair();
            using OwnedFd _ = left;
            SysResult ready = await reactor.PollAsync(left, PollEvents.Writable);
            Assert.Equal(PollEvents.Writable, (PollEvents)ready.Value);
            right.Dispose();
            var gone = (PollEvents)(await reactor.PollAsync(
                left, PollEvents.Readable | PollEvents.PeerClosed)).Value;
            Assert.True(gone.HasFlag(PollEvents.PeerClosed), gone.ToString());
            Assert.True(gone.HasFlag(PollEvents.HungUp), gone.ToString());
        });

    [SkippableFact]
    public void Watches_many_descriptors() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        const int count = 300;
        var pairs = new (OwnedFd Left, OwnedFd Right)[count];
        var polls = new ValueTask<SysResult>[count];
        for (int i = 0; i < count; i++)
        {
            pairs[i] = SocketPair();
            polls[i] = reactor.PollAsync(pairs[i].Left, PollEvents.Readable);
        }

        // From the middle outwards, so that removals hit first, last and inner entries.
        for (int step = 0; step < count; step++)
        {
            int i = step % 2 == 0 ? (count / 2) + (step / 2) : (count / 2) - 1 - (step / 2);
            Assert.Equal(1, Files.Write(pairs[i].Right, "x"u8).Value);
            Assert.Equal(PollEvents.Readable, (PollEvents)(await polls[i]).Value);
        }

        foreach ((OwnedFd left, OwnedFd right) in pairs)
        {
            left.Dispose();
            right.Dispose();
        }
    });

    [SkippableFact]
    public void Loses_no_completion_when_their_queue_overflows() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: 500 polls that come true at one moment, with room for 16 completions.
            const int count = 500;
            var signals = new EventFd[count];
            var polls = new ValueTask<SysResult>[count];
            for (int i = 0; i < count; i++)
            {
                signals[i] = EventFd.Create().Value;
                polls[i] = reactor.PollAsync(signals[i].Fd, PollEvents.Readable);
            }

            await reactor.DelayAsync(TimeSpan.FromMilliseconds(5));
            foreach (EventFd signal in signals)
            {
                signal.Signal();
            }

            foreach (ValueTask<SysResult> poll in polls)
            {
                Assert.Equal(PollEvents.Readable, (PollEvents)(await poll).Value);
            }

            foreach (EventFd signal in signals)
            {
                signal.Dispose();
            }
        },
        new ReactorOptions { QueueDepth = 16, CompletionDepth = 16 });

    private static (OwnedFd Left, OwnedFd Right) SocketPair()
    {
        (UnixSocket left, UnixSocket right) = UnixSocket.Pair().Value;
        return (left.Fd, right.Fd);
    }

    private static async Task FillAndCancelAsync(
        IReactor reactor, OwnedFd write, BufferSlice slice)
    {
        using var cancellation = new CancellationTokenSource();
        long written = 0;
        Task stop = StopLaterAsync(reactor, cancellation);
        SysResult last;
        do
        {
            last = await reactor.WriteAsync(write, slice, -1, cancellation.Token);
            written += last.IsOk ? last.Value : 0;
        }
        while (last.IsOk);

        Assert.Equal(Errno.ECANCELED, last.Errno);
        Assert.True(written > 0);
        await stop;
    }

    private static async Task StopLaterAsync(IReactor reactor, CancellationTokenSource source)
    {
        await reactor.DelayAsync(TimeSpan.FromMilliseconds(50));
        source.Cancel();
    }

    /// <summary>
    /// Writes a pattern into one end and checks it at the other, both on this loop.
    /// </summary>
    private static async Task CarryAsync(
        IReactor reactor, BufferPool pool, BufferLease lease, OwnedFd from, OwnedFd to, int bytes)
    {
        BufferLease source = pool.Rent();
        for (int i = 0; i < source.Bytes; i++)
        {
            pool.Span(source)[i] = (byte)(i % 251);
        }

        Task writer = WriteAllAsync(reactor, source, to, bytes);
        int read = 0;
        while (true)
        {
            SysResult result = await reactor.ReadAsync(from, lease.Slice(0, 30_000), -1);
            Assert.True(result.IsOk, result.ToString());
            if (result.Value == 0)
            {
                break;
            }

            for (int i = 0; i < result.Value; i++, read++)
            {
                Assert.Equal((byte)(read % source.Bytes % 251), pool.Span(lease)[i]);
            }
        }

        await writer;
        from.Dispose();
        Assert.Equal(bytes, read);
        pool.Return(source);
    }

    private static async Task WriteAllAsync(
        IReactor reactor, BufferLease source, OwnedFd to, int bytes)
    {
        int written = 0;
        while (written < bytes)
        {
            int start = written % source.Bytes;
            int part = Math.Min(bytes - written, source.Bytes - start);
            SysResult result = await reactor.WriteAsync(to, source.Slice(start, part), -1);
            Assert.True(result.Value > 0);
            written += (int)result.Value;
        }

        to.Dispose();
    }
}

public sealed class UringStreamTests() : ReactorStreamTests(Executor.Uring);

public sealed class UringOldStreamTests() : ReactorStreamTests(Executor.UringOld);

public sealed class UringBareStreamTests() : ReactorStreamTests(Executor.UringBare);

public sealed class PlainStreamTests() : ReactorStreamTests(Executor.Plain);

public sealed class PlainOldStreamTests() : ReactorStreamTests(Executor.PlainOld);
