using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// What each option of the ring brings: our ring as it is, beside our ring without the option, in
/// turn on the same file. The command of experiment 0004.
/// </summary>
public sealed class RingOptionsArea : IBenchArea
{
    private const int Core = 1;
    private const int BlockBytes = 4096;
    private const int PairDepth = 8;

    public string Name => "ring";

    public string Summary => "what each option of the ring brings, one by one";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string folder = Path.Combine(
            Environment.GetEnvironmentVariable("PANGEA_BENCH_DIRECTORY") ?? Path.GetTempPath(),
            "ring");
        Directory.CreateDirectory(folder);
        string file = Path.Combine(folder, "ring.dat");
        long bytes = options.Quick ? 256L << 20 : 1L << 30;
        RingCases.PrepareFile(file, bytes);
        var all = new ReactorOptions();
        (string Name, ReactorOptions Other)[] variants =
        [
            ("registered buffers", all with { RegisterBuffers = false }),
            ("registered files", all with { FileSlots = 0 }),
            ("deferred task work", all with { DeferTaskWork = false }),
            ("submitting once a turn", all with { SubmitBatch = 0 }),
            ("submitting one by one", all with { SubmitBatch = 1 }),
            ("submitting in twos", all with { SubmitBatch = 2 }),
            ("submitting in fours", all with { SubmitBatch = 4 }),
            ("submitting in sixteens", all with { SubmitBatch = 16 }),
            ("the ring", all with { Choice = ReactorChoice.Plain }),
        ];
        foreach ((string name, ReactorOptions other) in variants)
        {
            foreach (int depth in new[] { 1, 32, 128 })
            {
                string rowName = $"{name}, depth {depth}";
                if (options.Wants(rowName))
                {
                    foreach (BenchRow row in Reads(options, rowName, file, bytes, depth, other))
                    {
                        yield return row;
                    }
                }
            }
        }

        foreach (int workers in new[] { 4, 8, 16 })
        {
            string rowName = $"32 flush threads, other: {workers}";
            if (options.Wants(rowName))
            {
                yield return FlushThreads(options, rowName, folder, workers);
            }
        }

        const string LinkName = "linked write and sync";
        if (options.Wants(LinkName))
        {
            yield return Links(options, LinkName, file, bytes);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static IEnumerable<BenchRow> Reads(
        BenchOptions options,
        string name,
        string path,
        long bytes,
        int depth,
        ReactorOptions without)
    {
        TimeSpan time = TimeSpan.FromMilliseconds(options.Quick ? 200 : 700);
        using OwnedFd file = RingThread.Must(Files.Open(path, OpenFlags.Read | OpenFlags.Direct));
        using OwnedFd again = RingThread.Must(Files.Open(path, OpenFlags.Read | OpenFlags.Direct));
        using RingThread ours = new(new ReactorOptions(), Core, new SlabClass(BlockBytes, depth));
        using RingThread rival = new(without, Core, new SlabClass(BlockBytes, depth));
        Pairs pairs = Pairs.Alternate(
            options.Quick ? 3 : 9,
            () => ours.Run(time, () => ReadLoad.RunAsync(ours, file, bytes, depth), BlockBytes),
            () => rival.Run(time, () => ReadLoad.RunAsync(rival, again, bytes, depth), BlockBytes));
        yield return pairs.Row(
            name, f => f.OperationsPerSecond, "IO/s", null, true, null, "without or other");
        yield return pairs.Row(
            $"{name}, CPU", f => f.CpuUsPerOperation, "us", null, false, null, "without or other");
    }

    /// <summary>Twelve files, each with its own stream of durable blocks.</summary>
    private static BenchRow FlushThreads(
        BenchOptions options, string name, string folder, int workers)
    {
        const int devices = 12;
        const int shardBytes = 128 * 1024;
        const long bytes = 16L << 20;
        TimeSpan time = TimeSpan.FromMilliseconds(options.Quick ? 200 : 700);
        string[] paths =
            [.. Enumerable.Range(0, devices).Select(i => Path.Combine(folder, $"flush.{i}"))];
        foreach (string path in paths)
        {
            RingCases.PrepareFile(path, bytes);
        }

        OwnedFd[] Open() =>
        [
            .. paths.Select(path => RingThread.Must(
                Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct))),
        ];
        OwnedFd[] first = Open();
        OwnedFd[] second = Open();
        using RingThread ours = new(
            new ReactorOptions(), Core, new SlabClass(shardBytes, devices));
        using RingThread other = new(
            new ReactorOptions { SyncsMax = workers }, Core, new SlabClass(shardBytes, devices));
        Pairs pairs = Pairs.Alternate(
            options.Quick ? 3 : 9,
            () => ours.Run(
                time, () => StripeLoad.RunLinkedAsync(ours, first, bytes), shardBytes),
            () => other.Run(
                time, () => StripeLoad.RunLinkedAsync(other, second, bytes), shardBytes));
        foreach (OwnedFd file in first.Concat(second))
        {
            file.Dispose();
        }

        return pairs.Row(
            name, f => f.OperationsPerSecond, "op/s", null, true, null, "fewer threads");
    }

    private static BenchRow Links(BenchOptions options, string name, string path, long bytes)
    {
        TimeSpan time = TimeSpan.FromMilliseconds(options.Quick ? 200 : 700);
        using OwnedFd file = RingThread.Must(
            Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct));
        using RingThread ring = new(
            new ReactorOptions(), Core, new SlabClass(BlockBytes, PairDepth));
        Pairs pairs = Pairs.Alternate(
            options.Quick ? 3 : 9,
            () => ring.Run(
                time, () => SyncLoad.RunAsync(ring, file, bytes, PairDepth, true), BlockBytes),
            () => ring.Run(
                time, () => SyncLoad.RunAsync(ring, file, bytes, PairDepth, false), BlockBytes));
        return pairs.Row(
            name, f => f.OperationsPerSecond, "op/s", null, true, null, "write, then sync");
    }
}
