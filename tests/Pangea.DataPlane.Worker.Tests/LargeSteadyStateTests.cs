using System.IO.Pipes;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: no stripe of a large object allocates a byte, in a put and in a get, from and to files and
/// pipes; an object costs a bounded number of them. Method: the managed bytes of all threads around
/// objects of N and of 2N stripes, of several tries the least: what is of the object cancels out,
/// and so does what the test's host does now and then.
/// </summary>
[Collection(nameof(NothingElseRuns))]
public sealed class LargeSteadyStateTests
{
    private const int StripeBytes = 64 * 1024;
    private const int Stripes = 384;
    private const int Tries = 8;

    /// <summary>
    /// Not even the smallest object for every eighth stripe; what runs once a second in the
    /// background meets the longer try more often.
    /// </summary>
    private const long BytesOfStripesMax = Stripes * 24 / 8;

    /// <summary>
    /// Slots, their jobs, ciphers with their handles, devices of the version, tables of positions.
    /// </summary>
    private const long BytesOfObjectMax = 32 * 1024;

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    public void A_stripe_allocates_nothing_and_an_object_little(
        int computeThreads, bool throughPipes)
    {
        using var options = new StorageRigOptions
        {
            ComputeThreads = computeThreads,
            StripeBytes = StripeBytes,
            Log = new DeviceLogOptions { SegmentBytesFirst = 256 * 1024 * 1024 },
        };
        using var rig = new StorageRig(options);
        foreach (bool isPut in (bool[])[true, false])
        {
            // Both lengths in turn: what a try leaves to be done later meets either of them.
            long least = long.MaxValue;
            long leastOfTwice = long.MaxValue;
            for (int i = 0; i < Tries; i++)
            {
                least = Math.Min(least, Move(rig, isPut, Stripes, throughPipes));
                leastOfTwice = Math.Min(
                    leastOfTwice, Move(rig, isPut, 2 * Stripes, throughPipes));
            }

            string what = isPut ? "put" : "get";
            Assert.True(
                leastOfTwice - least <= BytesOfStripesMax,
                $"a stripe of a {what}: {(leastOfTwice - least) / (double)Stripes} bytes, "
                    + $"an object {least}");
            Assert.True(least <= BytesOfObjectMax, $"an object of a {what}: {least} bytes");
        }
    }

    /// <summary>Bytes that one transfer of so many stripes allocates.</summary>
    private static long Move(StorageRig rig, bool isPut, int stripes, bool throughPipe)
    {
        long bytes = (long)stripes * StripeBytes;
        OwnedFd ours;
        OwnedFd theirs;
        Thread? pump = null;
        if (throughPipe)
        {
            (ours, theirs) = Pipe(isPut);
            OwnedFd end = ours;
            pump = new Thread(() => Pump(end, isPut, bytes));
        }
        else
        {
            ours = Files.CreateMemoryFile("content").Value;
            Assert.True(Files.Truncate(ours, bytes).IsOk);
            theirs = Files.Duplicate(ours).Value;
        }

        using (ours)
        {
            long allocated = rig.OnLoop(async () =>
            {
                CallerFile file = isPut
                    ? CallerFile.ForReading(theirs, rig.Service.Reactor).Value
                    : CallerFile.ForWriting(theirs, rig.Service.Reactor).Value;
                using var watch = new TransferWatch(null);
                pump?.Start();
                string name = $"object of {stripes}";
                long before = GC.GetTotalAllocatedBytes(precise: true);
                Fault? fault = isPut
                    ? (await ObjectPut.StartAsync(
                        rig.Service, new ObjectPutParameters { Name = name }, file, watch)).Fault
                    : (await ObjectGet.StartAsync(
                        rig.Service, new ObjectGetParameters { Name = name }, file, watch)).Fault;
                Assert.True(rig.Service.Reactor.IsLoopThread, "it ended beside the loop");
                long after = GC.GetTotalAllocatedBytes(precise: true);
                Assert.Null(fault);
                file.Dispose();
                return after - before;
            });
            pump?.Join();
            _ = rig.LiveBytes; // Until what the put replaced is counted as garbage.
            return allocated;
        }
    }

    private static (OwnedFd Ours, OwnedFd Theirs) Pipe(bool isPut)
    {
        using var server = new AnonymousPipeServerStream(PipeDirection.Out);
        OwnedFd write = Files.Duplicate(
            OwnedFd.Borrow((int)server.SafePipeHandle.DangerousGetHandle())).Value;
        OwnedFd read = Files.Duplicate(
            OwnedFd.Borrow((int)server.ClientSafePipeHandle.DangerousGetHandle())).Value;
        server.DisposeLocalCopyOfClientHandle();
        return isPut ? (write, read) : (read, write);
    }

    private static void Pump(OwnedFd pipe, bool isPut, long bytes)
    {
        Span<byte> chunk = stackalloc byte[16 * 1024];
        chunk.Clear();
        SysResult moved = default;
        for (; bytes > 0 && moved.IsOk; bytes -= moved.Value)
        {
            Span<byte> next = chunk[..(int)Math.Min(bytes, chunk.Length)];
            moved = isPut ? Files.Write(pipe, next) : Files.Read(pipe, next);
        }

        pipe.Dispose();
    }
}

/// <summary>Tests that count what the whole process allocates.</summary>
[CollectionDefinition(nameof(NothingElseRuns), DisableParallelization = true)]
public sealed class NothingElseRuns;
