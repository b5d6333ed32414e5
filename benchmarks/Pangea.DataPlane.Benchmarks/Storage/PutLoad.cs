using System.Diagnostics;
using System.Globalization;

using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Worker;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>What a load of puts came to.</summary>
/// <param name="Objects">Acknowledged, hence durable, puts.</param>
/// <param name="Seconds">In so long.</param>
/// <param name="AllocatedPerPut">Managed bytes per put, those of the clients taken off.</param>
/// <param name="CpuPerPut">Microseconds of all threads, those of the kernel included.</param>
internal readonly record struct PutFigures(
    long Objects, double Seconds, double AllocatedPerPut, double CpuPerPut)
{
    internal double PerSecond => Objects / Seconds;
}

/// <summary>Clients that put small objects, each its next one when the last is durable.</summary>
internal sealed class PutLoad(EngineRig rig, int objectBytes)
{
    private readonly OwnedFd _source = Content(objectBytes);
    private long _next;
    private bool _isOver;

    /// <summary>Names that are used in turn; a name comes again as a replacement.</summary>
    internal long NamesMax { get; init; } = long.MaxValue;

    /// <summary>Until so many objects are stored, or the time is over.</summary>
    internal PutFigures RunCount(int clients, long objects, TimeSpan timeMax)
    {
        long last = _next + objects;
        long started = Stopwatch.GetTimestamp();
        return Run(
            clients,
            () => _next >= last || Stopwatch.GetElapsedTime(started) > timeMax,
            isReal: true);
    }

    /// <summary>For so long.</summary>
    internal PutFigures RunFor(int clients, TimeSpan time)
    {
        PutFigures real = RunTimed(clients, time, isReal: true);
        PutFigures empty = RunTimed(clients, TimeSpan.FromMilliseconds(100), isReal: false);
        return real with
        {
            AllocatedPerPut = Math.Max(0, real.AllocatedPerPut - empty.AllocatedPerPut),
            CpuPerPut = Math.Max(0, real.CpuPerPut - empty.CpuPerPut),
        };
    }

    private PutFigures RunTimed(int clients, TimeSpan time, bool isReal)
    {
        _isOver = false;
        using Timer end = new(_ => Volatile.Write(ref _isOver, true), null, time, time);
        return Run(clients, () => Volatile.Read(ref _isOver), isReal);
    }

    private PutFigures Run(int clients, Func<bool> isOver, bool isReal) => rig.OnLoop(async () =>
    {
        long allocated = GC.GetTotalAllocatedBytes();
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long started = Stopwatch.GetTimestamp();
        Task<long>[] tasks = new Task<long>[clients];
        for (int i = 0; i < clients; i++)
        {
            tasks[i] = PutAsync(isOver, isReal);
        }

        long objects = 0;
        foreach (Task<long> task in tasks)
        {
            objects += await task;
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new PutFigures(
            objects, seconds, (GC.GetTotalAllocatedBytes() - allocated) / (double)objects,
            (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / objects);
    });

    private async Task<long> PutAsync(Func<bool> isOver, bool isReal)
    {
        long objects = 0;
        using TransferWatch watch = new(null);
        while (!isOver())
        {
            long number = _next++ % NamesMax;
            OwnedFd descriptor = RingThread.Must(Files.Duplicate(_source));
            Files.SetPosition(descriptor, 0);
            using CallerFile file = RingThread.Must(
                CallerFile.ForReading(descriptor, rig.Reactor));
            Invariant.Check(watch.TryReset(null));
            ObjectPutParameters call = new()
            {
                Name = number.ToString("'o/'00000000", CultureInfo.InvariantCulture),
            };
            if (isReal)
            {
                Result<PutOutcome> stored =
                    await ObjectPut.StartAsync(rig.Service, call, file, watch);
                RingThread.Must(stored);
            }
            else
            {
                await rig.Reactor.DelayAsync(TimeSpan.Zero);
            }

            objects++;
        }

        return objects;
    }

    private static OwnedFd Content(int bytes)
    {
        OwnedFd file = RingThread.Must(Files.CreateMemoryFile("object"));
        byte[] content = new byte[bytes];
        new Random(7).NextBytes(content);
        Files.WriteAt(file, content, 0);
        return file;
    }
}
