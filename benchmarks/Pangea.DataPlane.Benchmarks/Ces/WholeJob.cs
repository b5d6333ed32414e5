using System.Diagnostics;
using System.Globalization;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>
/// A mixed file to 12 shard files and back with four of them lost, on all cores, beside
/// <c>zstd -3 -T2 | age</c> and zfec 8+4. Ours runs in this process (its start is not counted), the
/// rivals as a shell script; CPU seconds count every thread and child of each.
/// </summary>
internal static class WholeJob
{
    private const int MixedBytes = 256 * 1024 * 1024;
    private const int QuickBytes = 64 * 1024 * 1024;
    // zfec's own programs need a Python package that Debian does not have; this does what they do,
    // a block of 8 x 128 KiB at a time, through the same C library.
    private const string FecScript = """
        import os, sys, zfec
        K, M, BLOCK = 8, 12, 131072
        if sys.argv[1] == "encode":
            encoder = zfec.Encoder(K, M)
            files = [open("rival.%d" % i, "wb") for i in range(M)]
            source = open("sealed", "rb")
            while chunk := source.read(K * BLOCK):
                view = memoryview(chunk.ljust(K * BLOCK, b"\0"))
                blocks = [view[i * BLOCK:(i + 1) * BLOCK] for i in range(K)]
                for file, block in zip(files, encoder.encode(blocks)):
                    file.write(block)
        else:
            kept = [i for i in range(M) if i not in (1, 4, 6, 10)]
            decoder = zfec.Decoder(K, M)
            files = [open("rival.%d" % i, "rb") for i in kept]
            left = os.path.getsize("sealed")
            with open("opened", "wb") as output:
                while left:
                    blocks = decoder.decode([file.read(BLOCK) for file in files], kept)
                    piece = b"".join(blocks)[:left]
                    output.write(piece)
                    left -= len(piece)
        """;

    private const string Rival = "zstd -3 -T2 | age, zfec 8+4";

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
        string file = Path.Combine(folder, "mixed");
        Corpus.WriteMixed(file, bytes);
        File.WriteAllText(Path.Combine(folder, "fec.py"), FecScript);
        bool hasRival = Shell(folder, "command -v zstd && command -v age && command -v age-keygen "
            + "&& /usr/bin/python3 -c 'import zfec' && age-keygen -o key 2>/dev/null").Exit == 0;
        List<Job> ours = [];
        List<Job> rivals = [];
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        for (int round = -1; round < rounds; round++)
        {
            // The first round warms up and is the one whose output is compared with the input.
            bool isWarmUp = round < 0;
            bool rivalFirst = (round & 1) == 1;
            Job rival = hasRival && rivalFirst ? TheirTurn(folder, isWarmUp) : default;
            Job mine = OurTurn(keys, folder, isWarmUp);
            rival = hasRival && !rivalFirst ? TheirTurn(folder, isWarmUp) : rival;
            if (!isWarmUp)
            {
                ours.Add(mine);
                rivals.Add(rival);
            }
        }

        string note = $"{bytes >> 20} MiB, {rounds} rounds, page cache"
            + (hasRival ? "" : "; rivals are not installed");
        yield return Row("whole job, put", job => job.Put.Seconds, 0.4);
        yield return Row("whole job, get, 4 lost", job => job.Get.Seconds, 0.25);
        yield return Row("whole job, put, CPU", job => job.Put.Cpu, 0.5);
        yield return Row("whole job, get, 4 lost, CPU", job => job.Get.Cpu, 0.5);
        foreach (BenchRow row in Adaptive(keys, folder, rounds, note))
        {
            yield return row;
        }

        BenchRow Row(string name, Func<Job, double> figure, double goal)
        {
            double[] mine = [.. ours.Select(figure)];
            double[] other = [.. rivals.Select(figure)];
            return hasRival
                ? new BenchRow(
                    name, PairedRun.Median(mine), PairedRun.Median(other), "s", goal, Rival,
                    HigherIsBetter: false, note)
                {
                    Ratio = PairedRun.Median([.. mine.Zip(other, (a, b) => a / b)]),
                }
                : BenchRow.Alone(
                    name, PairedRun.Median(mine), "s", null, higherIsBetter: false, note);
        }
    }

    /// <summary>The same put under the governor, and what it leaves on the devices.</summary>
    private static IEnumerable<BenchRow> Adaptive(
        KeyRing keys, string folder, int rounds, string note)
    {
        List<Sample> samples = [];
        var options = new CesOptions { Compression = CompressionMode.Adaptive };
        long stored = 0;
        for (int round = -1; round < rounds; round++)
        {
            Sample put = Timed(() => stored = Put(keys, folder, options));
            if (round >= 0)
            {
                samples.Add(put);
            }

            Clear(folder, "ours.*");
        }

        long balanced = Put(keys, folder, new CesOptions());
        Clear(folder, "ours.*");
        note += $"; {stored >> 20} MiB after compression, balanced {balanced >> 20} MiB";
        yield return BenchRow.Alone(
            "whole job, put, adaptive", PairedRun.Median([.. samples.Select(s => s.Seconds)]), "s",
            null, higherIsBetter: false, note);
        yield return BenchRow.Alone(
            "whole job, put, adaptive, CPU", PairedRun.Median([.. samples.Select(s => s.Cpu)]), "s",
            null, higherIsBetter: false, note);
    }

    /// <summary>
    /// Writes new files and removes them at the end, untimed: the other's turn begins without dirty
    /// pages of this one, and nobody pays for emptying files of the round before.
    /// </summary>
    private static Job OurTurn(KeyRing keys, string folder, bool isCompared)
    {
        Sample put = Timed(() => Put(keys, folder, new CesOptions()));
        Sample get = Timed(() => Get(keys, folder));
        Compare(folder, "restored", isCompared);
        Clear(folder, "ours.*", "restored");
        return new Job(put, get);
    }

    /// <inheritdoc cref="OurTurn"/>
    private static Job TheirTurn(string folder, bool isCompared)
    {
        Sample put = RivalPut(folder);
        Sample get = RivalGet(folder);
        Compare(folder, "rival-restored", isCompared);
        Clear(folder, "rival.*", "sealed", "opened", "rival-restored");
        return new Job(put, get);
    }

    private static void Compare(string folder, string restored, bool isCompared)
    {
        if (isCompared && Shell(folder, $"cmp mixed {restored}") is { Exit: not 0 } different)
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

    private static long Put(KeyRing keys, string folder, CesOptions options)
    {
        using SafeFileHandle source = File.OpenHandle(Path.Combine(folder, "mixed"));
        SafeFileHandle[] shards =
        [
            .. Enumerable.Range(0, 12).Select(i => File.OpenHandle(
                Path.Combine(folder, $"ours.{i}"), FileMode.Create, FileAccess.Write)),
        ];
        Result<Manifest> manifest = ParallelFiles.Encode(
            keys, options, source, shards, Environment.ProcessorCount);
        foreach (SafeFileHandle shard in shards)
        {
            shard.Dispose();
        }

        Require(manifest);
        return manifest.Value.Stripes.StoredBytes;
    }

    private static void Get(KeyRing keys, string folder)
    {
        FileStream?[] shards =
        [
            .. Enumerable.Range(0, 12).Select(i => i is 1 or 4 or 6 or 10
                ? null
                : new FileStream(
                    Path.Combine(folder, $"ours.{i}"), FileMode.Open, FileAccess.Read,
                    FileShare.Read, bufferSize: 0)),
        ];
        using (SafeFileHandle output = File.OpenHandle(
            Path.Combine(folder, "restored"), FileMode.Create, FileAccess.Write))
        {
            Require(ParallelFiles.Decode(keys, shards, output, Environment.ProcessorCount));
        }

        foreach (FileStream? shard in shards)
        {
            shard?.Dispose();
        }
    }

    private static Sample RivalPut(string folder) => ShellTimed(
        folder,
        "zstd -q -3 -T2 -c mixed | age -r \"$(age-keygen -y key)\" -o sealed; "
            + "/usr/bin/python3 fec.py encode");

    private static Sample RivalGet(string folder) => ShellTimed(
        folder,
        "/usr/bin/python3 fec.py decode; "
            + "age -d -i key opened | zstd -q -d -T2 -f -o rival-restored");

    private static Sample Timed(Action work)
    {
        using Process self = Process.GetCurrentProcess();
        TimeSpan cpu = self.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        work();
        double seconds = clock.Elapsed.TotalSeconds;
        self.Refresh();
        return new Sample(seconds, (self.TotalProcessorTime - cpu).TotalSeconds);
    }

    private static Sample ShellTimed(string folder, string script)
    {
        var clock = Stopwatch.StartNew();
        (int exit, string output) = Shell(folder, $"set -e -o pipefail; {script}; times");
        double seconds = clock.Elapsed.TotalSeconds;
        if (exit != 0)
        {
            throw new InvalidOperationException($"the rival failed: {output}");
        }

        // bash prints two lines of "user system" times, the second one for its children: 0m1.234s.
        string children = output.TrimEnd().Split('\n')[^1];
        double cpu = children.Split(' ').Sum(time =>
        {
            string[] parts = time.TrimEnd('s').Split('m');
            return (60 * double.Parse(parts[0], CultureInfo.InvariantCulture))
                + double.Parse(parts[1], CultureInfo.InvariantCulture);
        });
        return new Sample(seconds, cpu);
    }

    private static (int Exit, string Output) Shell(string folder, string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script + " 2>&1"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    private static void Require(Result<Manifest> manifest)
    {
        if (!manifest.IsOk)
        {
            throw new InvalidOperationException(manifest.Fault.ToString());
        }
    }

    private readonly record struct Sample(double Seconds, double Cpu);

    private readonly record struct Job(Sample Put, Sample Get);
}
