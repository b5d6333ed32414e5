using System.Diagnostics;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>The loop itself: posting, delays, order, ending, leaving nothing behind.</summary>
[Collection(nameof(Alone))]
public abstract class ReactorLoopTests(Executor executor)
{
    [SkippableFact]
    public void Runs_what_other_threads_post() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        const int each = 2000;
        int sum = 0;
        var done = new TaskCompletionSource();
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.Length; t++)
        {
            threads[t] = new Thread(() =>
            {
                for (int i = 0; i < each; i++)
                {
                    reactor.Post(() =>
                    {
                        Assert.True(reactor.IsLoopThread);
                        if (++sum == threads.Length * each)
                        {
                            done.SetResult();
                        }
                    });
                }
            });
            threads[t].Start();
        }

        // Completing an ordinary task must bring the awaiter back to the loop too.
        await done.Task;
        Assert.True(reactor.IsLoopThread);
        Assert.Equal(threads.Length * each, sum);
    });

    [SkippableFact]
    public void Cancelled_delays_leave_the_others_alone() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: removing from the middle of the timer heap keeps its order.
            int seed = Random.Shared.Next();
            var random = new Random(seed);
            var survivors = new List<(int Ms, ValueTask<SysResult> Task)>();
            var withdrawn = new List<(CancellationTokenSource Source, ValueTask<SysResult> Task)>();
            for (int i = 0; i < 500; i++)
            {
                int ms = random.Next(30, 90);
                TimeSpan delay = TimeSpan.FromMilliseconds(ms);
                if (random.Next(2) == 0)
                {
                    survivors.Add((ms, reactor.DelayAsync(delay)));
                }
                else
                {
                    var source = new CancellationTokenSource();
                    withdrawn.Add((source, reactor.DelayAsync(delay, source.Token)));
                }
            }

            foreach ((CancellationTokenSource source, _) in withdrawn)
            {
                source.Cancel();
            }

            foreach ((CancellationTokenSource source, ValueTask<SysResult> task) in withdrawn)
            {
                Assert.True((await task).Errno == Errno.ECANCELED, $"seed {seed}");
                source.Dispose();
            }

            foreach ((_, ValueTask<SysResult> task) in survivors)
            {
                Assert.True((await task).IsOk, $"seed {seed}");
            }
        });

    [SkippableFact]
    public void Never_completes_inside_the_call_and_never_nests() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            using OwnedFd file = Files.CreateMemoryFile("loop-test").Value;
            BufferLease lease = pool.Rent();
            int depth = 0;
            int deepest = 0;
            var jobs = new List<Task>();
            for (int i = 0; i < 20; i++)
            {
                ValueTask<SysResult> write = reactor.WriteAsync(file, lease.Slice(0, 8), 0);
                Assert.False(write.IsCompleted);
                jobs.Add(NestAsync(write));
            }

            foreach (Task job in jobs)
            {
                await job;
            }

            Assert.Equal(1, deepest);
            pool.Return(lease);

            async Task NestAsync(ValueTask<SysResult> write)
            {
                await write;
                depth++;
                deepest = Math.Max(deepest, depth);
                ValueTask<SysResult> next = reactor.WriteAsync(file, lease.Slice(0, 8), 0);
                depth--;
                await next;
            }
        });

    [SkippableFact]
    public void Stopping_ends_what_is_under_way_and_leaves_nothing()
    {
        // Goal: jobs that wait for ever are resumed with ECANCELED and give back what they hold;
        // after disposal the process has the descriptors and threads that it had before.
        RunAndStop();
        // What earlier tests left to finalizers would otherwise vanish in between.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        int descriptors = Directory.GetFiles("/proc/self/fd").Length;
        for (int i = 0; i < 10; i++)
        {
            RunAndStop();
        }

        Assert.InRange(Directory.GetFiles("/proc/self/fd").Length, 0, descriptors);

        // A joined thread leaves the kernel's list a moment later.
        bool IsGone() => !Directory.GetDirectories("/proc/self/task").Any(
            task => ReadName(task).StartsWith("pangea-io", StringComparison.Ordinal));
        Assert.True(SpinWait.SpinUntil(IsGone, TimeSpan.FromSeconds(10)));
    }

    [SkippableFact]
    public void A_reactor_without_a_pool_polls_and_delays()
    {
        Result<IReactor> made = Reactors.Create(null, executor.Options());
        Skip.If(!made.IsOk && executor.IsUring(), made.Fault?.ToString());
        LoopRunner.Run(made.Value, async () =>
        {
            using EventFd signal = EventFd.Create().Value;
            signal.Signal();
            SysResult ready = await made.Value.PollAsync(signal.Fd, PollEvents.Readable);
            Assert.Equal(PollEvents.Readable, (PollEvents)ready.Value);
            Assert.True((await made.Value.DelayAsync(TimeSpan.FromMilliseconds(1))).IsOk);
        });
    }

    [SkippableFact]
    public void An_exception_of_a_posted_action_leaves_through_Run()
    {
        Result<IReactor> made = Reactors.Create(null, executor.Options());
        Skip.If(!made.IsOk && executor.IsUring(), made.Fault?.ToString());
        using IReactor reactor = made.Value;
        reactor.Post(() => throw new InvalidOperationException("from the loop"));
        Assert.Throws<InvalidOperationException>(reactor.Run);
    }

    [SkippableFact]
    public void The_gate_lets_in_by_order_of_asking() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            var gate = new LoopSemaphore(reactor, 2);
            var order = new List<int>();
            using var withdraw = new CancellationTokenSource();
            var jobs = new List<Task>();
            int inside = 0;
            for (int i = 0; i < 10; i++)
            {
                jobs.Add(OneAsync(i, i == 5 ? withdraw.Token : default));
            }

            Assert.Equal(8, gate.WaiterCount);
            Assert.False(gate.TryEnter());
            withdraw.Cancel();
            foreach (Task job in jobs)
            {
                await job;
            }

            Assert.Equal([0, 1, 2, 3, 4, 6, 7, 8, 9], order);
            Assert.Equal(2, gate.FreeCount);
            Assert.False(await gate.EnterAsync(withdraw.Token));

            async Task OneAsync(int i, CancellationToken token)
            {
                bool entered = await gate.EnterAsync(token);
                Assert.Equal(i != 5, entered);
                if (!entered)
                {
                    return;
                }

                inside++;
                Assert.InRange(inside, 1, 2);
                order.Add(i);
                await reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
                inside--;
                gate.Leave();
            }
        });

    private static string ReadName(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm"));
        }
        catch (IOException)
        {
            return ""; // ended meanwhile
        }
    }

    private void RunAndStop() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
        using OwnedFd file = Files.CreateMemoryFile("loop-test").Value;
        int left = 0;
        for (int i = 0; i < 10; i++)
        {
            _ = HangAsync();
        }

        BufferLease lease = pool.Rent();
        await reactor.WriteAsync(file, lease.Slice(0, 8), 0);
        pool.Return(lease);
        Assert.Equal(10, left);

        async Task HangAsync()
        {
            left++;
            BufferLease own = pool.Rent();
            SysResult result = await reactor.ReadAsync(read, own.Slice(0, 8), -1);
            Assert.Equal(Errno.ECANCELED, result.Errno);
            Assert.Equal(
                Errno.ECANCELED, (await reactor.DelayAsync(TimeSpan.FromDays(1))).Errno);
            pool.Return(own);
            if (--left == 0)
            {
                read.Dispose();
                write.Dispose();
            }
        }
    });
}

/// <summary>
/// Counts descriptors and threads of the process, so nothing else may run beside it.
/// </summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

public sealed class UringLoopTests() : ReactorLoopTests(Executor.Uring);

public sealed class UringOldLoopTests() : ReactorLoopTests(Executor.UringOld);

public sealed class UringBareLoopTests() : ReactorLoopTests(Executor.UringBare);

public sealed class PlainLoopTests() : ReactorLoopTests(Executor.Plain);

public sealed class PlainOldLoopTests() : ReactorLoopTests(Executor.PlainOld);
