using System.Diagnostics;

using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Ces;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The whole appliance, timed from outside through the command line: a mixed file beside the usual
/// tools, and the rebuild of a lost device under load.
/// </summary>
internal sealed class ApplianceCases(BenchOptions options, string folder)
{
    private static readonly RivalPipeline s_rival =
        RivalPipeline.All.Single(pipeline => pipeline.Short == "script");

    private const double PutGoal = 0.4;
    private const double GetGoal = 0.25;
    private const double RebuildGoalMegabytes = 500;
    private const double ForegroundGoal = 1.5;
    private const int LostDevices = 4;
    private const int RebuildObjects = 8;

    private readonly string _executable =
        Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";

    private readonly int _rounds = options.Quick ? 3 : 7;

    internal IEnumerable<BenchRow> Run()
    {
        int mixedMebibytes = options.Quick ? 64 : 256;
        string wholeName = $"mixed file of {mixedMebibytes} MiB";
        if (options.Wants(wholeName))
        {
            foreach (BenchRow row in Whole(wholeName, mixedMebibytes))
            {
                yield return row;
            }
        }

        const string RebuildName = "rebuild of a lost device";
        if (options.Wants(RebuildName))
        {
            foreach (BenchRow row in Rebuild(RebuildName))
            {
                yield return row;
            }
        }
    }

    private IEnumerable<BenchRow> Whole(string name, int mebibytes)
    {
        string mixed = Path.Combine(folder, "mixed");
        Corpus.WriteMixed(mixed, mebibytes << 20);
        bool hasRival = RivalPipeline.Prepare(folder);
        string restored = Path.Combine(folder, "restored");
        using (RunningAppliance appliance = RunningAppliance.Start(_executable, folder))
        {
            yield return Compare(
                $"{name}, put", PutGoal, hasRival,
                () => appliance.MustRun("put", mixed, "--name", "mixed", "--json").TotalSeconds,
                $"{s_rival.Put}; sync rival.*");
            appliance.LoseDevices(LostDevices);
            yield return Compare(
                $"{name}, get, 4 devices lost", GetGoal, hasRival,
                () =>
                {
                    File.Delete(restored);
                    return appliance.MustRun("get", "mixed", "-o", restored, "--json")
                        .TotalSeconds;
                },
                $"{s_rival.Get}; sync rival-restored");
            Shell($"cmp mixed {restored}");
        }

        foreach (string file in Directory.GetFiles(folder))
        {
            File.Delete(file);
        }
    }

    /// <summary>Seconds of both, in turn, after one round of each to warm up.</summary>
    private BenchRow Compare(
        string name, double goal, bool hasRival, Func<double> ours, string rival)
    {
        List<double> mine = [];
        List<double> other = [];
        for (int round = -1; round < _rounds; round++)
        {
            double ourSeconds = ours();
            double rivalSeconds =
                hasRival ? Shell($"set -e -o pipefail; rm -f sealed; {rival}") : double.NaN;
            if (round >= 0)
            {
                mine.Add(ourSeconds);
                other.Add(rivalSeconds);
            }
        }

        string note = $"whole commands, durable at the end; {_rounds} rounds, "
            + $"+-{PairedRun.Spread(mine):P0}";
        return hasRival
            ? new BenchRow(
                name, PairedRun.Median(mine), PairedRun.Median(other), "s", goal,
                $"{s_rival.Name}, fsync", HigherIsBetter: false, note)
            {
                Ratio = PairedRun.Median([.. mine.Zip(other, (a, b) => a / b)]),
            }
            : BenchRow.Alone(
                name, PairedRun.Median(mine), "s", null, false, $"{note}; rivals missing");
    }

    private IEnumerable<BenchRow> Rebuild(string name)
    {
        int objectBytes = options.Quick ? 64 << 20 : 256 << 20;
        string random = Path.Combine(folder, "random");
        byte[] block = new byte[1 << 20];
        using (FileStream file = File.Create(random))
        {
            for (int written = 0; written < objectBytes; written += block.Length)
            {
                Random.Shared.NextBytes(block);
                file.Write(block);
            }
        }

        string small = Path.Combine(folder, "small");
        File.WriteAllBytes(small, block);
        string replacement = Directory.CreateDirectory(
            Path.Combine(folder, "replacement")).FullName;
        double seconds;
        List<double> before = [];
        List<double> during = [];
        using (RunningAppliance appliance = RunningAppliance.Start(_executable, folder))
        {
            for (int i = 0; i < RebuildObjects; i++)
            {
                appliance.MustRun("put", random, "--name", $"random/{i}", "--json");
            }

            appliance.MustRun("put", small, "--name", "small", "--json");
            double Get() => appliance.MustRun(
                "get", "small", "-o", Path.Combine(folder, "out")).TotalSeconds;
            for (int i = 0; i < 20; i++)
            {
                before.Add(Get());
            }

            long started = Stopwatch.GetTimestamp();
            Task<double> rebuild = Task.Run(() =>
            {
                appliance.MustRun("device", "replace", "3", replacement, "--wait");
                return Stopwatch.GetElapsedTime(started).TotalSeconds;
            });
            while (!rebuild.IsCompleted)
            {
                during.Add(Get());
            }

            seconds = rebuild.Result;
        }

        Directory.Delete(replacement, recursive: true);
        double shardBytes = (double)RebuildObjects * objectBytes / 8;
        yield return BenchRow.Alone(
            name, shardBytes / 1e6 / seconds, "MB/s", RebuildGoalMegabytes,
            note: $"{shardBytes / 1e6:F0} MB of shards, command included, gets beside it");
        yield return new BenchRow(
            $"{name}, gets beside it, p99", PairedRun.Quantile(during, 0.99) * 1000,
            PairedRun.Quantile(before, 0.99) * 1000, "ms", ForegroundGoal, "gets before it",
            HigherIsBetter: false, $"whole commands, 1 MiB; {during.Count} of them");
    }

    /// <summary>Seconds of a script in the folder.</summary>
    private double Shell(string script)
    {
        long started = Stopwatch.GetTimestamp();
        (int code, string output) = RivalPipeline.Shell(folder, script);
        return code == 0
            ? Stopwatch.GetElapsedTime(started).TotalSeconds
            : throw new InvalidOperationException($"{script} ended with {code}: {output}");
    }
}
