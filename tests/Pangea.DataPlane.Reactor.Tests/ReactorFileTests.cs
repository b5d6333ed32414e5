using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>Files, on both executors.</summary>
public abstract class ReactorFileTests(Executor executor)
{
    private const int SlabBytes = 64 * 1024;

    [SkippableFact]
    public void Writes_and_reads_at_offsets() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
        BufferLease lease = pool.Rent();
        Random.Shared.NextBytes(pool.Span(lease));
        byte[] expected = pool.Span(lease).ToArray();
        SysResult written = await reactor.WriteAsync(file, lease.Slice(0, 5000), 100);
        Assert.Equal(5000, written.Value);
        pool.Span(lease).Clear();
        SysResult read = await reactor.ReadAsync(file, lease.Slice(8192, 5100), 100);
        Assert.Equal(5000, read.Value);
        Assert.True(pool.Span(lease.Slice(8192, 5000)).SequenceEqual(expected.AsSpan(0, 5000)));
        Assert.Equal(0, (await reactor.ReadAsync(file, lease.Slice(0, 10), 5100)).Value);
        Assert.Equal(0, (await reactor.SyncAsync(file, dataOnly: true)).Value);
        Assert.Equal(0, (await reactor.SyncAsync(file, dataOnly: false)).Value);
        pool.Return(lease);
    });

    [SkippableFact]
    public void Gathers_and_scatters_parts() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
        BufferLease header = pool.Rent();
        BufferLease payload = pool.Rent();
        pool.Span(header).Fill(1);
        pool.Span(payload).Fill(2);
        SysResult written = await reactor.WriteAsync(
            file, header.Slice(0, 4096), payload.Slice(4096, 8192), 0);
        Assert.Equal(12288, written.Value);
        pool.Span(header).Clear();
        SysResult read = await reactor.ReadAsync(
            file, header.Slice(0, 100), header.Slice(8192, 20000), 4000);
        Assert.Equal(8288, read.Value);
        Assert.Equal(-1, pool.Span(header.Slice(0, 96)).IndexOfAnyExcept((byte)1));
        Assert.Equal(-1, pool.Span(header.Slice(96, 4)).IndexOfAnyExcept((byte)2));
        Assert.Equal(-1, pool.Span(header.Slice(8192, 8188)).IndexOfAnyExcept((byte)2));
        Assert.Equal(0, pool.Span(header)[8192 + 8188]);
        pool.Return(header);
        pool.Return(payload);
    });

    [SkippableFact]
    public void Moves_past_the_page_cache() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        // Goal: pool memory satisfies O_DIRECT, in one part and in two, registered or not.
        string path = Path.Combine(AppContext.BaseDirectory, $"direct-{Guid.NewGuid():N}");
        try
        {
            using OwnedFd probe = Files.Open(
                path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create).Value;
            Skip.IfNot(Files.ProbeDirectIo(probe).Supported, "this file system has no O_DIRECT");
            using OwnedFd file = Files.Open(
                path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct).Value;
            BufferLease lease = pool.Rent();
            Random.Shared.NextBytes(pool.Span(lease));
            byte[] expected = pool.Span(lease).ToArray();
            Assert.Equal(
                SlabBytes,
                (await reactor.WriteAsync(
                    file, lease.Slice(0, 4096), lease.Slice(4096, SlabBytes - 4096), 4096)).Value);
            Assert.Equal(4096, (await reactor.WriteAsync(file, lease.Slice(0, 4096), 0)).Value);
            pool.Span(lease).Clear();
            Assert.Equal(
                SlabBytes, (await reactor.ReadAsync(file, lease.Slice(0, SlabBytes), 4096)).Value);
            Assert.True(pool.Span(lease).SequenceEqual(expected));
            SysResult odd = await reactor.ReadAsync(file, lease.Slice(1, 511), 3);
            Assert.Equal(Errno.EINVAL, odd.Errno);
            pool.Return(lease);
        }
        finally
        {
            File.Delete(path);
        }
    });

    [SkippableFact]
    public void Reports_errors_as_values() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        BufferLease lease = pool.Rent();
        using DirectoryFd directory = DirectoryFd.Open("/").Value;
        using OwnedFd readOnly = Files.Open("/etc/passwd", OpenFlags.Read).Value;
        OwnedFd closed = Files.CreateMemoryFile("closed").Value;
        closed.Dispose();
        using OwnedFd absent = OwnedFd.Borrow(100_000);
        BufferSlice slice = lease.Slice(0, 8);
        Assert.Equal(Errno.EISDIR, (await reactor.ReadAsync(directory.Fd, slice, 0)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.WriteAsync(readOnly, slice, 0)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.ReadAsync(closed, slice, 0)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.ReadAsync(absent, slice, 0)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.ReadAsync(absent, slice, -1)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.PollAsync(absent, PollEvents.Readable)).Errno);
        Assert.Equal(Errno.EBADF, (await reactor.SyncAsync(absent, false)).Errno);
        pool.Return(lease);
    });

    [SkippableFact]
    public void A_regular_file_as_a_stream_moves_its_position() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            BufferLease lease = pool.Rent();
            pool.Span(lease)[0] = 7;
            Assert.Equal(10, (await reactor.WriteAsync(file, lease.Slice(0, 10), -1)).Value);
            Assert.Equal(10, (await reactor.WriteAsync(file, lease.Slice(0, 10), -1)).Value);
            Assert.Equal(20, Files.Position(file).Value);
            Assert.Equal(0, (await reactor.ReadAsync(file, lease.Slice(0, 10), -1)).Value);
            pool.Return(lease);
        });

    [SkippableTheory]
    [InlineData(8)]
    [InlineData(256)]
    public void Writes_and_syncs_in_one(int queueDepth) => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: many linked pairs at once, also more than the queue holds, all land.
            const int count = 300;
            string path = Path.Combine(AppContext.BaseDirectory, $"pairs-{Guid.NewGuid():N}");
            using OwnedFd file = Files.Open(
                path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create).Value;
            File.Delete(path);
            BufferLease lease = pool.Rent();
            Random.Shared.NextBytes(pool.Span(lease));
            var writes = new ValueTask<SysResult>[count];
            for (int i = 0; i < count; i++)
            {
                writes[i] = reactor.WriteAndSyncAsync(
                    file, lease.Slice(i * 100, 100), 7 + (i * 100));
            }

            foreach (ValueTask<SysResult> write in writes)
            {
                Assert.Equal(100, (await write).Value);
            }

            byte[] content = new byte[count * 100];
            Assert.Equal(content.Length, Files.ReadAt(file, content, 7).Value);
            Assert.True(pool.Span(lease.Slice(0, content.Length)).SequenceEqual(content));
            pool.Return(lease);
        },
        new ReactorOptions { QueueDepth = queueDepth });

    [SkippableFact]
    public void A_failed_write_is_not_reported_durable() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            BufferLease lease = pool.Rent();
            using OwnedFd readOnly = Files.Open("/etc/passwd", OpenFlags.Read).Value;
            using OwnedFd absent = OwnedFd.Borrow(100_000);
            BufferSlice slice = lease.Slice(0, 4096);
            Assert.Equal(Errno.EBADF, (await reactor.WriteAndSyncAsync(readOnly, slice, 0)).Errno);
            Assert.Equal(Errno.EBADF, (await reactor.WriteAndSyncAsync(absent, slice, 0)).Errno);
            using var cancelled = new CancellationTokenSource();
            cancelled.Cancel();
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            Assert.Equal(
                Errno.ECANCELED,
                (await reactor.WriteAndSyncAsync(file, slice, 0, cancelled.Token)).Errno);
            pool.Return(lease);
        });

    [SkippableFact]
    public void A_short_write_is_finished_before_the_sync() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: a write that the kernel cuts short breaks the link. Method: a file that must
            // not grow takes the part within its length and refuses the rest when that is tried.
            // Without the second try the call would say "durable".
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            Assert.Equal(0, Files.Truncate(file, 8192).Value);
            Seals.ForbidGrowth(file);
            BufferLease lease = pool.Rent();
            pool.Span(lease).Fill(9);
            SysResult result = await reactor.WriteAndSyncAsync(file, lease.Slice(0, 8192), 4096);
            Assert.Equal(Errno.EPERM, result.Errno);
            byte[] content = new byte[10_000];
            Assert.Equal(8192, Files.ReadAt(file, content, 0).Value);
            Assert.Equal(-1, content.AsSpan(4096, 4096).IndexOfAnyExcept((byte)9));
            pool.Return(lease);
        });

    [SkippableFact]
    public void Holds_transfers_back_beyond_the_bounds() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: the kernel never has more bytes than allowed, all the same everything is
            // written, one transfer larger than the bound included, and one that waits can be
            // withdrawn.
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            using var withdrawn = new CancellationTokenSource();
            BufferLease lease = pool.Rent();
            Random.Shared.NextBytes(pool.Span(lease));
            byte[] expected = pool.Span(lease).ToArray();
            ValueTask<SysResult> large = reactor.WriteAsync(file, lease.Slice(0, SlabBytes), 0);
            var writes = new ValueTask<SysResult>[64];
            for (int i = 0; i < writes.Length; i++)
            {
                int at = i * 1024;
                writes[i] = reactor.WriteAsync(
                    file, lease.Slice(at, 500), lease.Slice(at + 500, 524), SlabBytes + at);
            }

            ValueTask<SysResult> late = reactor.WriteAsync(
                file, lease.Slice(0, 8), 3 * SlabBytes, withdrawn.Token);
            withdrawn.Cancel();
            Assert.Equal(Errno.ECANCELED, (await late).Errno);
            Assert.Equal(SlabBytes, (await large).Value);
            foreach (ValueTask<SysResult> write in writes)
            {
                Assert.Equal(1024, (await write).Value);
            }

            byte[] content = new byte[SlabBytes];
            Assert.Equal(SlabBytes, Files.ReadAt(file, content, SlabBytes).Value);
            Assert.Equal(expected, content);
            Assert.Equal(2 * SlabBytes, Files.Status(file).Value.Bytes);
            Assert.Equal(SlabBytes, ((LoopReactor)reactor).FlightBytesHighest);
            pool.Return(lease);
        },
        new ReactorOptions { FlightBytesMax = 4096, FlightsMax = 3 });

    [SkippableFact]
    public void Reads_into_registered_and_other_slabs_alike() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: slabs of a class that was left out of the registration, and two parts that
            // touch across the border of two classes, are read like others.
            using BufferPool mixed = BufferPool.Create(
                [new SlabClass(4096, 1), new SlabClass(8192, 1)],
                new BufferPoolOptions(false, false)).Value;
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            byte[] content = new byte[12288];
            Random.Shared.NextBytes(content);
            Files.WriteAt(file, content, 0);
            IReactor second = Reactors.Create(
                mixed, executor.Options(new ReactorOptions { RegisterBytesMax = 4096 })).Value;
            await Task.Run(() => LoopRunner.Run(second, async () =>
            {
                Assert.True(mixed.TryRent(4096, out BufferLease small));
                Assert.True(mixed.TryRent(8192, out BufferLease large));
                BufferSlice first = small.Slice(0, 4096);
                BufferSlice rest = large.Slice(0, 8192);
                Assert.Equal(12288, (await second.ReadAsync(file, first, rest, 0)).Value);
                Assert.True(mixed.Span(first).SequenceEqual(content.AsSpan(0, 4096)));
                Assert.True(mixed.Span(rest).SequenceEqual(content.AsSpan(4096)));
                Assert.Equal(4096, (await second.ReadAsync(file, first, 4096)).Value);
                Assert.Equal(8192, (await second.ReadAsync(file, rest, 0)).Value);
                Assert.True(mixed.Span(first).SequenceEqual(content.AsSpan(4096, 4096)));
                Assert.True(mixed.Span(rest).SequenceEqual(content.AsSpan(0, 8192)));
                mixed.Return(small);
                mixed.Return(large);
            }));
        });

    [SkippableFact]
    public void A_closed_file_is_let_go_by_the_ring_too() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: a file used often enough to get a slot in the ring's table does not outlive its
            // descriptor. Method: a pipe's reader sees the end only when nobody has the write end.
            // A thousand files more show that slots are used again.
            BufferLease lease = pool.Rent();
            for (int round = 0; round < 1500; round++)
            {
                OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
                for (int i = 0; i < 12; i++)
                {
                    Assert.Equal(
                        8, (await reactor.WriteAsync(file, lease.Slice(0, 8), i * 8)).Value);
                }

                file.Dispose();
            }

            (OwnedFd read, OwnedFd write) = LoopRunner.Pipe();
            for (int i = 0; i < 20; i++)
            {
                Assert.Equal(Errno.EINVAL, (await reactor.SyncAsync(write, true)).Errno);
            }

            write.Dispose();
            Assert.Equal(0, (await reactor.ReadAsync(read, lease.Slice(0, 8), -1)).Value);
            read.Dispose();
            pool.Return(lease);
        });

    [SkippableFact]
    public void Keeps_a_disposed_descriptor_open_until_the_end() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            BufferLease lease = pool.Rent();
            ValueTask<SysResult> write = reactor.WriteAsync(file, lease.Slice(0, 4096), 0);
            file.Dispose();
            Assert.Equal(4096, (await write).Value);
            pool.Return(lease);
        });

    [SkippableTheory]
    [InlineData(8)]
    [InlineData(256)]
    public void Carries_more_operations_than_the_queue_is_deep(int queueDepth) => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            // Goal: a full submission queue delays and never loses; every slab has its own pattern.
            const int count = 2000;
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            BufferLease lease = pool.Rent();
            for (int i = 0; i < lease.Bytes / 8; i++)
            {
                BitConverter.TryWriteBytes(pool.Span(lease.Slice(i * 8, 8)), (long)i);
            }

            var writes = new ValueTask<SysResult>[count];
            for (int i = 0; i < count; i++)
            {
                writes[i] = reactor.WriteAsync(file, lease.Slice(i * 8, 8), i * 8L);
            }

            foreach (ValueTask<SysResult> write in writes)
            {
                Assert.Equal(8, (await write).Value);
            }

            byte[] content = new byte[count * 8];
            Assert.Equal(content.Length, Files.ReadAt(file, content, 0).Value);
            Assert.True(pool.Span(lease.Slice(0, content.Length)).SequenceEqual(content));
            pool.Return(lease);
        },
        new ReactorOptions { QueueDepth = queueDepth });

    [SkippableFact]
    public void Refuses_more_operations_than_allowed() => LoopRunner.Run(
        executor,
        async (reactor, pool) =>
        {
            using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
            BufferLease lease = pool.Rent();
            var writes = new ValueTask<SysResult>[17];
            for (int i = 0; i < writes.Length; i++)
            {
                writes[i] = reactor.WriteAsync(file, lease.Slice(0, 8), 0);
            }

            for (int i = 0; i < 16; i++)
            {
                Assert.True((await writes[i]).IsOk);
            }

            Assert.Equal(Errno.EBUSY, (await writes[16]).Errno);
            pool.Return(lease);
        },
        new ReactorOptions { OperationsMax = 16 });

    [SkippableFact]
    public void Allocates_nothing_once_warm() => LoopRunner.Run(executor, async (reactor, pool) =>
    {
        // Goal: 10,000 transfers, syncs apart, move this thread's allocation counter by zero.
        using OwnedFd file = Files.CreateMemoryFile("reactor-test").Value;
        using var cancellation = new CancellationTokenSource();
        BufferLease lease = pool.Rent();
        long before = 0;
        for (int i = -200; i < 5000; i++)
        {
            if (i == 0)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            SysResult written = await reactor.WriteAsync(
                file, lease.Slice(0, 4096), lease.Slice(4096, 4096), 0, cancellation.Token);
            SysResult read = await reactor.ReadAsync(file, lease.Slice(0, 4096), 0);
            if (written.Raw != 8192 || read.Raw != 4096)
            {
                Assert.Fail($"{written} {read}");
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        pool.Return(lease);
    });
}

public sealed class UringFileTests() : ReactorFileTests(Executor.Uring);

public sealed class UringOldFileTests() : ReactorFileTests(Executor.UringOld);

public sealed class UringBareFileTests() : ReactorFileTests(Executor.UringBare);

public sealed class PlainFileTests() : ReactorFileTests(Executor.Plain);

public sealed class PlainOldFileTests() : ReactorFileTests(Executor.PlainOld);
