using System.Diagnostics;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>
/// A mixed file to 12 shard files and back with four of them lost, on all cores, beside shell
/// pipelines. Ours runs in this process (its start is not counted) with a pool, as a long-running
/// program does.
/// </summary>
internal static class WholeJob
{
    private const int MixedBytes = 256 * 1024 * 1024;
    private const int QuickBytes = 64 * 1024 * 1024;

    // A hypervisor takes freed memory back within two seconds, and touching it again costs ten
    // times what writing to it does. After a rest everybody begins as a command that is run now
    // and then; without it, a turn is the faster the more page cache the one before it gave back.
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(3);

    private static readonly (string Case, Func<Job, double> Figure, double Goal)[] s_figures =
    [
        ("whole job, put", job => job.Put.Seconds, 0.4),
        ("whole job, get, 4 lost", job => job.Get.Seconds, 0.25),
        ("whole job, put, CPU", job => job.Put.Cpu, 0.5),
        ("whole job, get, 4 lost, CPU", job => job.Get.Cpu, 0.5),
    ];

    public static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        if (!options.Wants("whole job"))
        {
            yield break;
        }

        string folder = Directory.CreateTempSubdirectory("pangea-bench-ces-").FullName;
        try
        {
            foreach (BenchRow row in Measure(options, folder))
            {
                yield return row;
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<BenchRow> Measure(BenchOptions options, string folder)
    {
        int bytes = options.Quick ? QuickBytes : MixedBytes;
        int rounds = options.Quick ? 3 : 7;
        options.Progress($"packing {bytes >> 20} MiB of mixed data into {folder}");
        Corpus.WriteMixed(Path.Combine(folder, "mixed"), bytes);
        bool hasRival = RivalPipeline.Prepare(folder);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        using var pool = new StripePool(8 * Environment.ProcessorCount);
        var ours = new Ours(folder, keys, pool);
        List<Func<bool, Job>> turns =
        [
            isCompared => OurTurn(ours, isDirect: false, isCompared),
            isCompared => OurTurn(ours, isDirect: true, isCompared),
        ];
        if (hasRival)
        {
            turns.AddRange(RivalPipeline.All.Select<RivalPipeline, Func<bool, Job>>(
                rival => isCompared => TheirTurn(rival, folder, isCompared)));
        }

        Job[][] jobs = TakeTurns(turns, rounds);
        string note = $"{bytes >> 20} MiB, {rounds} rounds"
            + (hasRival ? "" : "; rivals are not installed");
        foreach ((string name, Func<Job, double> figure, double goal) in s_figures)
        {
            double[] mine = [.. jobs[0].Select(figure)];
            for (int i = 0; hasRival && i < RivalPipeline.All.Count; i++)
            {
                RivalPipeline rival = RivalPipeline.All[i];
                double[] other = [.. jobs[2 + i].Select(figure)];
                yield return new BenchRow(
                    $"{name}, {rival.Short}", PairedRun.Median(mine), PairedRun.Median(other), "s",
                    goal, rival.Name, HigherIsBetter: false, note)
                {
                    Ratio = PairedRun.Median([.. mine.Zip(other, (a, b) => a / b)]),
                };
            }

            // A put is the same in both; without rivals this is all there is.
            bool isGet = name.Contains("get", StringComparison.Ordinal);
            yield return Alone(isGet ? $"{name}, direct output" : name, jobs[1], figure, note);
        }

        foreach (BenchRow row in Adaptive(ours, rounds, note))
        {
            yield return row;
        }
    }

    /// <summary>
    /// Everybody once a round, each time beginning with another one. The first round warms up, and
    /// its outputs are compared with the input.
    /// </summary>
    private static Job[][] TakeTurns(List<Func<bool, Job>> turns, int rounds)
    {
        Job[][] jobs = [.. turns.Select(_ => new Job[rounds])];
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < turns.Count; i++)
            {
                int who = (i + round + 1) % turns.Count;
                Thread.Sleep(s_rest);
                Job job = turns[who](round < 0);
                if (round >= 0)
                {
                    jobs[who][round] = job;
                }
            }
        }

        return jobs;
    }

    private static BenchRow Alone(
        string name, IEnumerable<Job> jobs, Func<Job, double> figure, string note) =>
        BenchRow.Alone(
            name, PairedRun.Median([.. jobs.Select(figure)]), "s", null, higherIsBetter: false,
            note);

    /// <summary>The same put under the governor, and what it leaves on the devices.</summary>
    private static IEnumerable<BenchRow> Adaptive(Ours ours, int rounds, string note)
    {
        List<Job> jobs = [];
        var options = new CesOptions { Compression = CompressionMode.Adaptive };
        long stored = 0;
        for (int round = -1; round < rounds; round++)
        {
            JobSample put = Timed(() => stored = ours.Put(options));
            if (round >= 0)
            {
                jobs.Add(new Job(put, default));
            }

            Clear(ours.Folder, "ours.*");
        }

        long balanced = ours.Put(new CesOptions());
        Clear(ours.Folder, "ours.*");
        note += $"; {stored >> 20} MiB after compression, balanced {balanced >> 20} MiB";
        yield return Alone("whole job, put, adaptive", jobs, job => job.Put.Seconds, note);
        yield return Alone("whole job, put, adaptive, CPU", jobs, job => job.Put.Cpu, note);
    }

    /// <summary>
    /// Writes new files and removes them at the end, untimed: the other's turn begins without dirty
    /// pages of this one, and nobody pays for emptying files of the round before.
    /// </summary>
    private static Job OurTurn(Ours ours, bool isDirect, bool isCompared)
    {
        JobSample put = Timed(() => ours.Put(new CesOptions()));
        JobSample get = Timed(() => ours.Get(isDirect));
        Compare(ours.Folder, "restored", isCompared);
        Clear(ours.Folder, "ours.*", "restored");
        return new Job(put, get);
    }

    /// <inheritdoc cref="OurTurn"/>
    private static Job TheirTurn(RivalPipeline rival, string folder, bool isCompared)
    {
        JobSample put = rival.RunPut(folder);
        JobSample get = rival.RunGet(folder);
        Compare(folder, "rival-restored", isCompared);
        Clear(folder, "rival.*", "sealed*", "opened", "rival-restored");
        return new Job(put, get);
    }

    private static void Compare(string folder, string restored, bool isCompared)
    {
        if (isCompared
            && RivalPipeline.Shell(folder, $"cmp mixed {restored}") is { Exit: not 0 } different)
        {
            throw new InvalidOperationException(different.Output);
        }
    }

    private static void Clear(string folder, params string[] patterns)
    {
        foreach (string file in patterns.SelectMany(it => Directory.GetFiles(folder, it)))
        {
            File.Delete(file);
        }
    }

    private static JobSample Timed(Action work)
    {
        using Process self = Process.GetCurrentProcess();
        TimeSpan cpu = self.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        work();
        double seconds = clock.Elapsed.TotalSeconds;
        self.Refresh();
        return new JobSample(seconds, (self.TotalProcessorTime - cpu).TotalSeconds);
    }

    /// <summary>Our side of the job.</summary>
    private sealed record Ours(string Folder, KeyRing Keys, StripePool Pool)
    {
        public long Put(CesOptions options)
        {
            using SafeFileHandle source = File.OpenHandle(Path.Combine(Folder, "mixed"));
            SafeFileHandle[] shards =
            [
                .. Enumerable.Range(0, 12).Select(i => File.OpenHandle(
                    Path.Combine(Folder, $"ours.{i}"), FileMode.Create, FileAccess.Write)),
            ];
            Result<Manifest> manifest = ParallelFiles.Encode(
                Keys, options, source, shards, Environment.ProcessorCount, Pool);
            foreach (SafeFileHandle shard in shards)
            {
                shard.Dispose();
            }

            Require(manifest);
            return manifest.Value.Stripes.StoredBytes;
        }

        public void Get(bool isDirect)
        {
            FileStream?[] shards =
            [
                .. Enumerable.Range(0, 12).Select(i => i is 1 or 4 or 6 or 10
                    ? null
                    : new FileStream(
                        Path.Combine(Folder, $"ours.{i}"), FileMode.Open, FileAccess.Read,
                        FileShare.Read, bufferSize: 0)),
            ];
            string path = Path.Combine(Folder, "restored");
            using (SafeFileHandle? direct = isDirect ? DirectFile.Create(path) : null)
            using (SafeFileHandle output = direct
                ?? File.OpenHandle(path, FileMode.Create, FileAccess.Write))
            {
                Require(ParallelFiles.Decode(
                    Keys, shards, output, Environment.ProcessorCount, checkHash: false, Pool,
                    isOutputDirect: direct is not null));
            }

            foreach (FileStream? shard in shards)
            {
                shard?.Dispose();
            }
        }

        private static void Require(Result<Manifest> manifest)
        {
            if (!manifest.IsOk)
            {
                throw new InvalidOperationException(manifest.Fault.ToString());
            }
        }
    }

    private readonly record struct Job(JobSample Put, JobSample Get);
}
