using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>
/// Choosing an executor, and the fault injection that other rooms' tests build on.
/// </summary>
public sealed class ReactorsTests
{
    [SkippableTheory]
    [InlineData("plain", "plain")]
    [InlineData("io_uring", "io_uring")]
    public void The_environment_forces_an_executor(string value, string kind)
    {
        Skip.If(kind == "io_uring" && UringProbe.Try() is not null, "no io_uring");
        Environment.SetEnvironmentVariable(ReactorOptions.Variable, value);
        try
        {
            using IReactor reactor = Reactors.Create(null).Value;
            Assert.Equal(kind, reactor.Kind);
        }
        finally
        {
            Environment.SetEnvironmentVariable(ReactorOptions.Variable, null);
        }
    }

    [Fact]
    public void An_unknown_executor_is_a_fault_that_names_the_known_ones()
    {
        Environment.SetEnvironmentVariable(ReactorOptions.Variable, "fast");
        try
        {
            Result<IReactor> made = Reactors.Create(null);
            Assert.Equal(FaultCode.InvalidParameters, made.Fault!.Code);
            Assert.Contains("plain or io_uring", made.Fault.Hint, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable(ReactorOptions.Variable, null);
        }
    }

    [Fact]
    public void Injected_faults_fail_the_nth_call_and_cut_transfers()
    {
        using BufferPool pool = BufferPool.Create(8192, 2).Value;
        IReactor plain = Reactors.Create(
            pool, new ReactorOptions { Choice = ReactorChoice.Plain }).Value;
        var reactor = new FaultInjectingReactor(plain, call => call.Number switch
        {
            2 => InjectedFault.Fail(Errno.ENOSPC),
            3 => InjectedFault.Short(100),
            4 => InjectedFault.Short(4100),
            6 => InjectedFault.Fail(Errno.EIO),
            _ => InjectedFault.None,
        });
        LoopRunner.Run(reactor, async () =>
        {
            using OwnedFd file = Files.CreateMemoryFile("faults").Value;
            BufferLease lease = pool.Rent();
            BufferSlice first = lease.Slice(0, 4096);
            BufferSlice second = lease.Slice(4096, 4096);
            Assert.Equal(8192, (await reactor.WriteAsync(file, first, second, 0)).Value);
            Assert.Equal(
                Errno.ENOSPC, (await reactor.WriteAsync(file, first, second, 0)).Errno);
            Assert.Equal(100, (await reactor.WriteAsync(file, first, second, 0)).Value);
            Assert.Equal(4100, (await reactor.ReadAsync(file, first, second, 0)).Value);
            Assert.Equal(4096, (await reactor.ReadAsync(file, first, 0)).Value);
            Assert.Equal(Errno.EIO, (await reactor.SyncAsync(file, false)).Errno);
            pool.Return(lease);
        });
        Assert.Equal(6, reactor.CallCount);
        Assert.Equal(4, reactor.FaultCount);
    }

    [Fact]
    public void Injected_faults_meet_both_halves_of_a_write_and_sync()
    {
        using BufferPool pool = BufferPool.Create(8192, 2).Value;
        IReactor plain = Reactors.Create(
            pool, new ReactorOptions { Choice = ReactorChoice.Plain }).Value;
        var reactor = new FaultInjectingReactor(plain, call => call.Number switch
        {
            1 => InjectedFault.Fail(Errno.ENOSPC),
            3 => InjectedFault.Fail(Errno.EIO),
            4 => InjectedFault.Short(100),
            6 => InjectedFault.Torn(512, Errno.EIO),
            _ => InjectedFault.None,
        });
        LoopRunner.Run(reactor, async () =>
        {
            using OwnedFd file = Files.CreateMemoryFile("faults").Value;
            BufferLease lease = pool.Rent();
            BufferSlice slice = lease.Slice(0, 4096);
            byte[] content = new byte[8192];
            Assert.Equal(Errno.ENOSPC, (await reactor.WriteAndSyncAsync(file, slice, 0)).Errno);
            Assert.Equal(0, Files.ReadAt(file, content, 0).Value);
            Assert.Equal(Errno.EIO, (await reactor.WriteAndSyncAsync(file, slice, 0)).Errno);
            Assert.Equal(4096, Files.ReadAt(file, content, 0).Value);
            Assert.Equal(4096, (await reactor.WriteAndSyncAsync(file, slice, 0)).Value);
            Files.Truncate(file, 0);
            Assert.Equal(Errno.EIO, (await reactor.WriteAndSyncAsync(file, slice, 0)).Errno);
            Assert.Equal(512, Files.ReadAt(file, content, 0).Value);
            pool.Return(lease);
        });
        Assert.Equal(6, reactor.CallCount);
        Assert.Equal(4, reactor.FaultCount);
    }
}
