using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The log alone: durable commit entries per second, as a 4 KiB object at 8+4 makes them (about
/// 1.4 KiB each), with and without zeros written ahead of the journal's end (experiment 0003).
/// </summary>
internal sealed class LogCases(BenchOptions options, string folder)
{
    private const int ManifestBytes = 600;
    private const int InlineBytes = 640;
    private static readonly (int Devices, int Appenders)[] s_cases = [(1, 1), (1, 64), (12, 64)];

    public IEnumerable<BenchRow> Run()
    {
        foreach ((int devices, int appenders) in s_cases)
        {
            string name = $"journal, {appenders} appenders, {devices} devices";
            if (!options.Wants(name))
            {
                continue;
            }

            options.Progress(name);
            var ours = new List<LogFigures>();
            var bare = new List<LogFigures>();
            for (int round = 0; round < (options.Quick ? 1 : 5); round++)
            {
                ours.Add(RunOnce(devices, appenders, DeviceLogOptions.Default));
                bare.Add(RunOnce(
                    devices, appenders, DeviceLogOptions.Default with { ZeroAheadBytes = 0 }));
            }

            LogFigures median = Median(ours);
            yield return new BenchRow(
                name,
                median.PerSecond,
                Median(bare).PerSecond,
                "commits/s",
                null,
                "no zeros ahead",
                Note: $"p50 {median.P50Us:F0} us, p99 {median.P99Us:F0} us, "
                    + $"{median.PerFlush:F0} per flush, {median.AllocatedBytes:F1} B each");
        }
    }

    private static LogFigures Median(List<LogFigures> figures)
    {
        figures.Sort((left, right) => left.PerSecond.CompareTo(right.PerSecond));
        return figures[figures.Count / 2];
    }

    private LogFigures RunOnce(int devices, int appenders, DeviceLogOptions log)
    {
        string directory = Path.Combine(folder, "log");
        BufferPool pool = BufferPool.Create(
            DeviceLog.SlabBytes, devices * DeviceLog.SlabsPerDevice).Value;
        IReactor reactor = Reactors.Create(pool).Value;
        StorageDevice[] opened =
        [
            .. Enumerable.Range(0, devices).Select(i =>
            {
                string path = Directory.CreateDirectory(Path.Combine(directory, $"{i}")).FullName;
                OwnedFd root = Files.Open(path, OpenFlags.Read | OpenFlags.Directory).Value;
                return StorageDevice.Open(i, path, root, "bench", reactor, pool, options: log);
            }),
        ];
        var load = new JournalLoad(opened, ManifestBytes, InlineBytes);
        LogFigures figures = default;
        reactor.Post(async () =>
        {
            Task[] running =
                [.. Enumerable.Range(0, appenders).Select(_ => load.AppendAsync())];
            await reactor.DelayAsync(options.CaseTime / 3);
            load.Begin();
            await reactor.DelayAsync(options.CaseTime);
            figures = load.End();
            await Task.WhenAll(running);
            foreach (StorageDevice device in opened)
            {
                await device.CloseAsync();
            }

            reactor.Stop();
        });
        reactor.Run();
        reactor.Dispose();
        pool.Dispose();
        Directory.Delete(directory, recursive: true);
        return figures;
    }
}

/// <summary>What one round of appends measured.</summary>
internal readonly record struct LogFigures(
    double PerSecond, double P50Us, double P99Us, double PerFlush, double AllocatedBytes);

/// <summary>Appends one commit to every device and waits for all, over and over.</summary>
internal sealed class JournalLoad(StorageDevice[] devices, int manifestBytes, int inlineBytes)
{
    private readonly byte[] _manifest = new byte[manifestBytes];
    private readonly byte[] _inline = new byte[inlineBytes];
    private readonly long[] _ticks = new long[1 << 21];
    private int _count;
    private bool _isMeasuring;
    private bool _isOver;
    private long _start;
    private long _allocated;
    private long _flushes;

    internal async Task AppendAsync()
    {
        var appends = new ValueTask<Result<LogAddress>>[devices.Length];
        while (!_isOver)
        {
            long start = Stopwatch.GetTimestamp();
            var entry = new CommitEntry(ObjectId.New(), 0, 8, 4, 1, 0, 0, default);
            for (int i = 0; i < devices.Length; i++)
            {
                appends[i] = devices[i].Log!.AppendCommitAsync(entry, _manifest, _inline);
            }

            for (int i = 0; i < devices.Length; i++)
            {
                Result<LogAddress> done = await appends[i];
                Invariant.Check(done.IsOk, done.Fault?.ToString());
            }

            if (_isMeasuring && _count < _ticks.Length)
            {
                _ticks[_count++] = Stopwatch.GetTimestamp() - start;
            }
        }
    }

    internal void Begin()
    {
        _flushes = devices.Sum(device => device.Log!.FlushCount);
        _allocated = GC.GetAllocatedBytesForCurrentThread();
        _start = Stopwatch.GetTimestamp();
        _isMeasuring = true;
    }

    internal LogFigures End()
    {
        _isMeasuring = false;
        _isOver = true;
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        long allocated = GC.GetAllocatedBytesForCurrentThread() - _allocated;
        double flushes = devices.Sum(device => device.Log!.FlushCount) - _flushes;
        Array.Sort(_ticks, 0, _count);
        const double us = 1e6;
        return new LogFigures(
            _count / seconds,
            _ticks[_count / 2] * us / Stopwatch.Frequency,
            _ticks[_count * 99L / 100] * us / Stopwatch.Frequency,
            _count * (double)devices.Length / Math.Max(1, flushes),
            allocated / (double)Math.Max(1, _count));
    }
}
