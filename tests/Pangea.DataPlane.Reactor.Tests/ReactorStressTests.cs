using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>
/// Goal: cancelling at any moment loses no byte and no operation. Method: pipes and sockets carry a
/// known sequence while reads, writes and polls are cancelled at random; what the writes counted is
/// exactly what the reads got.
/// </summary>
public abstract class ReactorStressTests(Executor executor)
{
    private const int Channels = 6;
    private const int BytesPerChannel = 400_000;

    [SkippableFact]
    public void Random_cancellation_loses_no_byte()
    {
        int seed = Random.Shared.Next();
        try
        {
            LoopRunner.Run(
                executor,
                (reactor, pool) => CarryAllAsync(reactor, pool, seed),
                new ReactorOptions { QueueDepth = 8 });
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"seed {seed}", e);
        }
    }

    private static async Task CarryAllAsync(IReactor reactor, BufferPool pool, int seed)
    {
        var jobs = new List<Task>();
        for (int i = 0; i < Channels; i++)
        {
            (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
            if (i % 2 == 1)
            {
                read.Dispose();
                write.Dispose();
                (UnixSocket left, UnixSocket right) = UnixSocket.Pair().Value;
                (read, write) = (left.Fd, right.Fd);
            }

            jobs.Add(WriteAsync(reactor, pool, write, new Random(seed + (2 * i))));
            jobs.Add(ReadAsync(reactor, pool, read, new Random(seed + (2 * i) + 1)));
        }

        foreach (Task job in jobs)
        {
            await job;
        }
    }

    private static byte At(int position) => (byte)(position * 31 / 7);

    private static async Task WriteAsync(
        IReactor reactor, BufferPool pool, OwnedFd to, Random random)
    {
        BufferLease lease = pool.Rent();
        int written = 0;
        while (written < BytesPerChannel)
        {
            int bytes = Math.Min(BytesPerChannel - written, random.Next(1, 40_000));
            for (int i = 0; i < bytes; i++)
            {
                pool.Span(lease)[i] = At(written + i);
            }

            int first = random.Next(0, bytes + 1);
            using CancellationTokenSource? source = Withdraw(reactor, random);
            CancellationToken token = source?.Token ?? default;
            SysResult result = random.Next(2) == 0
                ? await reactor.WriteAsync(to, lease.Slice(0, bytes), -1, token)
                : await reactor.WriteAsync(
                    to,
                    lease.Slice(0, first),
                    lease.Slice(first, bytes - first),
                    -1,
                    token);
            written += (int)Moved(result);
        }

        to.Dispose();
        pool.Return(lease);
    }

    private static async Task ReadAsync(
        IReactor reactor, BufferPool pool, OwnedFd from, Random random)
    {
        BufferLease lease = pool.Rent();
        int read = 0;
        while (true)
        {
            using CancellationTokenSource? source = Withdraw(reactor, random);
            CancellationToken token = source?.Token ?? default;
            if (random.Next(4) == 0)
            {
                Moved(await reactor.PollAsync(from, PollEvents.Readable, token));
                continue;
            }

            SysResult result = await reactor.ReadAsync(
                from, lease.Slice(0, random.Next(1, 40_000)), -1, token);
            if (result.Raw == 0)
            {
                break;
            }

            long moved = Moved(result);
            for (int i = 0; i < moved; i++, read++)
            {
                if (pool.Span(lease)[i] != At(read))
                {
                    Assert.Fail($"byte {read} differs");
                }
            }
        }

        Assert.Equal(BytesPerChannel, read);
        from.Dispose();
        pool.Return(lease);
    }

    private static long Moved(SysResult result)
    {
        Assert.True(result.IsOk || result.Errno == Errno.ECANCELED, result.ToString());
        return result.IsOk ? result.Value : 0;
    }

    /// <summary>
    /// A source that is cancelled at a random moment, from the loop or from another thread.
    /// </summary>
    private static CancellationTokenSource? Withdraw(IReactor reactor, Random random)
    {
        CancellationTokenSource source;
        switch (random.Next(6))
        {
            case 0:
                source = new CancellationTokenSource();
                reactor.Post(() => Cancel(source));
                return source;
            case 1:
                source = new CancellationTokenSource();
                reactor.Post(() => reactor.Post(() => Cancel(source)));
                return source;
            case 2:
                return new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(1, 3)));
            default:
                return null;
        }
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The operation was over first.
        }
    }
}

public sealed class UringStressTests() : ReactorStressTests(Executor.Uring);

public sealed class UringOldStressTests() : ReactorStressTests(Executor.UringOld);

public sealed class UringBareStressTests() : ReactorStressTests(Executor.UringBare);

public sealed class PlainStressTests() : ReactorStressTests(Executor.Plain);

public sealed class PlainOldStressTests() : ReactorStressTests(Executor.PlainOld);
