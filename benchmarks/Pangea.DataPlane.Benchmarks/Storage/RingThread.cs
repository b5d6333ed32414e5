using System.Diagnostics;
using System.Runtime.InteropServices;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Our side: a reactor's loop on a pinned thread that runs one load at a time.</summary>
internal sealed partial class RingThread : IDisposable
{
    private const int ProcessCpuClock = 2;

    private readonly Thread _thread;

    internal RingThread(ReactorOptions options, int core, params SlabClass[] slabs)
    {
        Pool = Must(BufferPool.Create(slabs, new BufferPoolOptions(true, false)));
        Reactor = Must(Reactors.Create(Pool, options));
        _thread = new Thread(() =>
        {
            CoreAffinity.Set(core);
            Reactor.Run();
        })
        {
            IsBackground = true,
        };
        _thread.Start();
    }

    internal BufferPool Pool { get; }

    internal IReactor Reactor { get; }

    /// <summary>The load of the round under way goes on as long as this is false.</summary>
    internal bool IsOver { get; private set; }

    /// <summary>Bytes allocated on the loop's thread during the last round.</summary>
    internal long AllocatedBytes { get; private set; }

    /// <summary>
    /// Runs the load on the loop for about so long.
    /// </summary>
    /// <param name="time">After this <see cref="IsOver"/> becomes true.</param>
    /// <param name="load">Returns how many operations it finished; ends soon after the
    /// time.</param>
    /// <param name="operationBytes">Bytes per operation.</param>
    internal IoFigures Run(TimeSpan time, Func<Task<long>> load, long operationBytes)
    {
        using ManualResetEventSlim done = new();
        long operations = 0;
        double seconds = 0;
        double cpuUs = 0;
        Exception? thrown = null;
        IsOver = false;
        Reactor.Post(async () =>
        {
            try
            {
                long allocated = GC.GetAllocatedBytesForCurrentThread();
                double cpuStart = ProcessCpuUs();
                long start = Stopwatch.GetTimestamp();
                Task end = EndAfterAsync(time);
                operations = await load();
                seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                cpuUs = ProcessCpuUs() - cpuStart;
                AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
                await end;
            }
            catch (Exception e)
            {
                thrown = e;
            }

            done.Set();
        });
        done.Wait();
        return thrown is null
            ? new IoFigures(
                operations / seconds, operations * operationBytes / seconds, cpuUs / operations)
            : throw new InvalidOperationException("the load failed", thrown);
    }

    internal BufferLease Rent(int bytes) =>
        Pool.TryRent(bytes, out BufferLease lease)
            ? lease
            : throw new InvalidOperationException("the pool is empty");

    public void Dispose()
    {
        Reactor.Stop();
        _thread.Join();
        Reactor.Dispose();
        Pool.Dispose();
    }

    internal static T Must<T>(Result<T> result) =>
        result.IsOk ? result.Value : throw new InvalidOperationException(result.Fault.ToString());

    internal static void MustMove(SysResult result, int bytes)
    {
        if (result.Raw != bytes)
        {
            throw new InvalidOperationException($"a transfer of {bytes} bytes came to {result}");
        }
    }

    private async Task EndAfterAsync(TimeSpan time)
    {
        await Reactor.DelayAsync(time);
        IsOver = true;
    }

    private static double ProcessCpuUs()
    {
        _ = clock_gettime(ProcessCpuClock, out Timespec time);
        return (time.Seconds * 1e6) + (time.Nanoseconds / 1e3);
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
