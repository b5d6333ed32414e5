using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The ring beside fio: the same file, direct, the same block size and depth, both on the same
/// core, registered buffers and files on both sides, rounds in turn.
/// </summary>
internal sealed class RingCases(BenchOptions options, string folder, ReactorOptions reactor)
    : IDisposable
{
    private const int Core = 1;
    private const int ReadBytes = 4096;
    private const int StreamBytes = 1024 * 1024;
    private const int StreamDepth = 4;
    private const int ShardBytes = 128 * 1024;
    private const int Shards = 12;
    private const double SpeedGoal = 0.97;
    private const double StreamGoal = 0.95;
    private const double StripeGoal = 0.90;
    private const double CpuGoal = 1.15;

    private readonly long _fileBytes = options.Quick ? 256L << 20 : 1L << 30;
    private readonly int _rounds = options.Quick ? 3 : 9;
    private readonly TimeSpan _time = TimeSpan.FromMilliseconds(options.Quick ? 300 : 1000);
    private readonly HugePages _huge = new();
    private readonly string _pinned = $"--cpus_allowed={Core}";

    internal IEnumerable<BenchRow> Run()
    {
        string file = Path.Combine(folder, "ring.dat");
        PrepareFile(file, _fileBytes);
        foreach (int depth in new[] { 1, 32, 128 })
        {
            string name = $"4 KiB random reads, depth {depth}";
            if (options.Wants(name))
            {
                foreach (BenchRow row in Reads(name, file, depth))
                {
                    yield return row;
                }
            }
        }

        foreach (bool isWrite in new[] { true, false })
        {
            string name = $"1 MiB sequential {(isWrite ? "writes" : "reads")}";
            if (options.Wants(name))
            {
                yield return Streams(name, file, isWrite);
            }
        }

        const string StripesName = "durable stripes, 12 x 128 KiB then flush";
        if (options.Wants(StripesName))
        {
            yield return Stripes(StripesName, file);
        }

        File.Delete(file);
        const string LinkedName = "12 devices, 128 KiB and flush each";
        if (options.Wants(LinkedName))
        {
            yield return Devices(LinkedName);
        }
    }

    public void Dispose() => _huge.Dispose();

    /// <summary>Written to its end, so that no case measures the first touch of blocks.</summary>
    internal static void PrepareFile(string path, long bytes)
    {
        using RingThread ring = new(new ReactorOptions(), Core, new SlabClass(StreamBytes, 1));
        using OwnedFd file = RingThread.Must(Files.Open(
            path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Direct));
        ring.Run(
            TimeSpan.Zero,
            async () =>
            {
                BufferLease lease = ring.Rent(StreamBytes);
                new Random(1).NextBytes(ring.Pool.Span(lease));
                for (long at = 0; at < bytes; at += StreamBytes)
                {
                    RingThread.MustMove(
                        await ring.Reactor.WriteAsync(file, lease.Slice(0, StreamBytes), at),
                        StreamBytes);
                }

                await ring.Reactor.SyncAsync(file, dataOnly: false);
                ring.Pool.Return(lease);
                return 1;
            },
            bytes);
    }

    private IEnumerable<BenchRow> Reads(string name, string path, int depth)
    {
        using RingThread ring = new(reactor, Core, new SlabClass(ReadBytes, depth));
        using OwnedFd file = RingThread.Must(
            Files.Open(path, OpenFlags.Read | OpenFlags.Direct));
        long allocated = 0;
        Pairs pairs = Alternate(
            () =>
            {
                IoFigures ours = ring.Run(
                    _time, () => ReadLoad.RunAsync(ring, file, _fileBytes, depth), ReadBytes);
                allocated = ring.AllocatedBytes;
                return ours;
            },
            () => Fio.Run(
                path,
                _fileBytes,
                _time,
                "--rw=randread",
                "--bs=4k",
                "--norandommap",
                "--randrepeat=0",
                _pinned,
                $"--iodepth={depth}"));
        yield return pairs.Row(
            name, f => f.OperationsPerSecond, "IO/s", SpeedGoal, true, $"{allocated} B allocated");
        yield return pairs.Row(
            $"{name}, CPU per read", f => f.CpuUsPerOperation, "us", CpuGoal, false, null);
    }

    private BenchRow Streams(string name, string path, bool isWrite)
    {
        using RingThread ring = new(reactor, Core, new SlabClass(StreamBytes, StreamDepth));
        using OwnedFd file = RingThread.Must(
            Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct));
        Pairs pairs = Alternate(
            () => ring.Run(
                _time,
                () => StreamLoad.RunAsync(ring, file, _fileBytes, StreamDepth, isWrite),
                StreamBytes),
            () => Fio.Run(
                path,
                _fileBytes,
                _time,
                isWrite ? "--rw=write" : "--rw=read",
                "--bs=1m",
                _huge.Argument,
                _pinned,
                $"--iodepth={StreamDepth}"));
        return pairs.Row(
            name, f => f.BytesPerSecond / 1e6, "MB/s", StreamGoal, true,
            $"depth {StreamDepth}; {_huge.Note}");
    }

    private BenchRow Stripes(string name, string path)
    {
        using RingThread ring = new(reactor, Core, new SlabClass(ShardBytes, Shards));
        using OwnedFd file = RingThread.Must(
            Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct));
        Pairs pairs = Alternate(
            () => ring.Run(
                _time, () => StripeLoad.RunAsync(ring, file, _fileBytes, Shards), ShardBytes),
            // All thirteen of a turn are waited for before the next twelve start, as on our side;
            // without the batch sizes fio would flush before the writes have ended.
            () => Fio.Run(
                path,
                _fileBytes,
                _time,
                "--rw=write",
                "--bs=128k",
                _huge.Argument,
                "--fdatasync=12",
                $"--iodepth={Shards + 1}",
                $"--iodepth_batch={Shards + 1}",
                $"--iodepth_batch_complete_min={Shards + 1}",
                _pinned));
        return pairs.Row(
            name,
            f => f.OperationsPerSecond / Shards,
            "stripes/s",
            StripeGoal,
            true,
            $"one file; writes run beside the flush of the stripe before; {_huge.Note}");
    }

    private BenchRow Devices(string name)
    {
        long bytes = _fileBytes / 16;
        string[] paths =
            [.. Enumerable.Range(0, Shards).Select(i => Path.Combine(folder, $"ring.{i}"))];
        foreach (string path in paths)
        {
            PrepareFile(path, bytes);
        }

        using RingThread ring = new(reactor, Core, new SlabClass(ShardBytes, Shards));
        OwnedFd[] files =
        [
            .. paths.Select(path => RingThread.Must(
                Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct))),
        ];
        Pairs pairs = Alternate(
            () => ring.Run(
                _time, () => StripeLoad.RunLinkedAsync(ring, files, bytes), ShardBytes),
            () => Fio.Run(
                Path.Combine(folder, "ring.$jobnum").Replace("$jobnum", "0"),
                bytes,
                _time,
                $"--filename_format={Path.Combine(folder, "ring.$jobnum")}",
                "--rw=write",
                "--bs=128k",
                "--fdatasync=1",
                "--iodepth=1",
                $"--numjobs={Shards}"));
        foreach (OwnedFd file in files)
        {
            file.Dispose();
        }

        foreach (string path in paths)
        {
            File.Delete(path);
        }

        return pairs.Row(
            name,
            f => f.OperationsPerSecond / Shards,
            "stripes/s",
            StripeGoal,
            true,
            "ours: one loop, write and flush linked; fio: 12 processes on all cores");
    }

    private Pairs Alternate(Func<IoFigures> ours, Func<IoFigures> rival) =>
        Pairs.Alternate(_rounds, ours, Fio.Version is null ? null : rival);
}
