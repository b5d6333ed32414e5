using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Appliance;

/// <summary>
/// The whole house, timed from outside: put and get of one real file through the running appliance,
/// beside <c>cp</c> and <c>sync</c> of the same file on the same file system. Both ends make their
/// bytes durable before they return, so both are timed to that point; what the appliance does
/// besides (compression, encryption, 8+4 shards) is what the ratio shows the price of.
/// </summary>
public sealed class ApplianceArea : IBenchArea
{
    private const string RivalName = "cp + sync";
    private const double WorkerMebibytesMax = 200;
    private const int LostDevices = 4;

    public string Name => "appliance";

    public string Summary => "put and get of a real file through the appliance, beside cp";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string executable = Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";
        string directory = Environment.GetEnvironmentVariable("PANGEA_BENCH_DIRECTORY")
            ?? Path.Combine(Path.GetTempPath(), $"pangea-bench-{Environment.ProcessId}");
        string file = Environment.GetEnvironmentVariable("PANGEA_BENCH_FILE")
            ?? throw new InvalidOperationException("PANGEA_BENCH_FILE names no file; use ./bench");
        Directory.CreateDirectory(directory);
        long bytes = new FileInfo(file).Length;
        int rounds = options.Quick ? 3 : 9;
        options.Progress($"{file}, {bytes / 1e6:F1} MB, {rounds} rounds, state in {directory}");

        using RunningAppliance appliance = RunningAppliance.Start(executable, directory);
        string copy = Path.Combine(directory, "copy");
        string restored = Path.Combine(directory, "restored");
        try
        {
            foreach (BenchRow row in Measure(options, appliance, file, copy, restored, rounds))
            {
                yield return row;
            }
        }
        finally
        {
            File.Delete(copy);
            File.Delete(restored);
        }
    }

    private static IEnumerable<BenchRow> Measure(
        BenchOptions options,
        RunningAppliance appliance,
        string file,
        string copy,
        string restored,
        int rounds)
    {
        TimeSpan Put() => appliance.MustRun("put", file, "--name", "bench", "--json");
        TimeSpan Get() => appliance.MustRun("get", "bench", "-o", restored, "--json");
        TimeSpan Copy() => CopyAndSync(file, copy);

        Put();
        Copy();
        (string Name, Func<TimeSpan> Ours, bool Cold, string Note)[] cases =
        [
            ("put, source in the page cache", Put, false, "warm source"),
            ("put, source on disk", Put, true, "source dropped from the cache"),
            ("get, cp from the page cache", Get, false, "devices read directly; cp warm"),
            ("get, cp from disk", Get, true, "devices read directly; cp cold"),
        ];
        foreach ((string name, Func<TimeSpan> ours, bool cold, string note) in cases)
        {
            if (options.Wants(name))
            {
                yield return Compare(name, file, ours, Copy, cold, rounds, note);
            }
        }

        yield return BenchRow.Alone(
            "start to the first answer",
            appliance.StartTime.TotalMilliseconds,
            "ms",
            null,
            higherIsBetter: false,
            "once, with an empty state");
        yield return BenchRow.Alone(
            "peak memory of the storage worker",
            RunningAppliance.PeakMebibytes(appliance.WorkerPid()),
            "MiB",
            WorkerMebibytesMax,
            higherIsBetter: false);
        yield return BenchRow.Alone(
            "peak memory of the supervisor",
            RunningAppliance.PeakMebibytes(appliance.SupervisorPid),
            "MiB",
            null,
            higherIsBetter: false);

        appliance.LoseDevices(LostDevices);
        const string LostCase = "get, 4 of 12 devices lost";
        if (options.Wants(LostCase))
        {
            yield return Compare(LostCase, file, Get, Copy, false, rounds, "cp warm");
        }
    }

    /// <summary>Rounds in turn; the figure is the median of each side.</summary>
    private static BenchRow Compare(
        string name,
        string file,
        Func<TimeSpan> ours,
        Func<TimeSpan> rival,
        bool cold,
        int rounds,
        string note)
    {
        double bytes = new FileInfo(file).Length;
        List<double> oursSeconds = [];
        List<double> rivalSeconds = [];
        for (int round = 0; round < rounds; round++)
        {
            if (cold)
            {
                DropFromCache(file);
            }

            oursSeconds.Add(ours().TotalSeconds);
            if (cold)
            {
                DropFromCache(file);
            }

            rivalSeconds.Add(rival().TotalSeconds);
        }

        string spread = $"+-{PairedRun.Spread(oursSeconds):P0}/{PairedRun.Spread(rivalSeconds):P0}";
        return new BenchRow(
            name,
            bytes / 1e6 / PairedRun.Median(oursSeconds),
            bytes / 1e6 / PairedRun.Median(rivalSeconds),
            "MB/s",
            null,
            RivalName,
            Note: $"{note}; {spread}, {rounds} rounds");
    }

    private static TimeSpan CopyAndSync(string file, string copy)
    {
        // One process for both, as one client process does both for us.
        (int code, string output, TimeSpan time) = RunningAppliance.Execute(
            "sh", ["-c", "cp \"$1\" \"$2\" && sync \"$2\"", "sh", file, copy]);
        return code == 0
            ? time
            : throw new InvalidOperationException($"cp ended with {code}: {output}");
    }

    /// <summary>dd asks the kernel to forget the file's clean pages; that needs no root.</summary>
    private static void DropFromCache(string file) =>
        RunningAppliance.Execute("dd", [$"if={file}", "iflag=nocache", "count=0", "status=none"]);
}
