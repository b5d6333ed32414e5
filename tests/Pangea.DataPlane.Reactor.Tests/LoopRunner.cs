using System.Runtime.ExceptionServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>
/// Runs one scenario as a job on a reactor's loop, on a thread of its own, and brings back what it
/// threw. Afterwards nothing may be left: no operation, no lease in flight.
/// </summary>
internal static class LoopRunner
{
    private static readonly TimeSpan s_hangs = TimeSpan.FromSeconds(60);

    internal static void Run(
        Executor executor,
        Func<IReactor, BufferPool, Task> scenario,
        ReactorOptions? options = null,
        int slabBytes = 64 * 1024,
        int slabs = 64)
    {
        BufferPool pool = BufferPool.Create(
            slabBytes, slabs, new BufferPoolOptions(TryHugePages: false, Checked: true)).Value;
        Result<IReactor> made = Reactors.Create(pool, executor.Options(options));
        Skip.If(!made.IsOk && executor.IsUring(), made.Fault?.ToString());
        IReactor reactor = made.Value;
        Run(reactor, () => scenario(reactor, pool));
        Assert.Equal(0, ((LoopReactor)reactor).OperationsUnderWay);
        Assert.Equal(0, pool.FlightCount);
        // Not by a using: its complaint about leases would hide what the scenario threw.
        pool.Dispose();
    }

    /// <summary>Runs the job, stops and disposes the reactor.</summary>
    internal static void Run(IReactor reactor, Func<Task> job)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            reactor.Post(async () =>
            {
                try
                {
                    await job();
                }
                catch (Exception e)
                {
                    thrown = e;
                }
                finally
                {
                    reactor.Stop();
                }
            });
            reactor.Run();
        })
        {
            IsBackground = true,
        };
        thread.Start();
        Assert.True(thread.Join(s_hangs), "the scenario hangs");
        reactor.Dispose();
        if (thrown is not null)
        {
            ExceptionDispatchInfo.Throw(thrown);
        }
    }

    /// <summary>Rents, or fails the test.</summary>
    internal static BufferLease Rent(this BufferPool pool)
    {
        Assert.True(pool.TryRent(out BufferLease lease));
        return lease;
    }

    internal static (OwnedFd Read, OwnedFd Write) Pipe()
    {
        // A pipe by way of the runtime, which makes it close-on-exec and blocking.
        using var server = new System.IO.Pipes.AnonymousPipeServerStream(
            System.IO.Pipes.PipeDirection.Out);
        OwnedFd write = Files.Duplicate(
            OwnedFd.Borrow((int)server.SafePipeHandle.DangerousGetHandle())).Value;
        OwnedFd read = Files.Duplicate(
            OwnedFd.Borrow((int)server.ClientSafePipeHandle.DangerousGetHandle())).Value;
        server.DisposeLocalCopyOfClientHandle();
        return (read, write);
    }
}
