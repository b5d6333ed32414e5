using System.Diagnostics;
using System.Globalization;

using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>The storage service: small durable puts, start after a crash, memory.</summary>
internal sealed class EngineCases(BenchOptions options, string folder)
{
    private const double PutsGoal = 20_000;
    private const double StartGoalMs = 2000;
    private const double MemoryGoalMebibytes = 150;

    internal IEnumerable<BenchRow> Run()
    {
        const string PutsName = "durable 4 KiB puts";
        if (options.Wants(PutsName))
        {
            foreach (BenchRow row in Puts(PutsName))
            {
                yield return row;
            }
        }

        const string StartName = "start after kill -9";
        const string MemoryName = "memory of a worker";
        if (options.Wants(StartName) || options.Wants(MemoryName))
        {
            foreach (BenchRow row in Start(StartName, MemoryName))
            {
                yield return row;
            }
        }
    }

    private IEnumerable<BenchRow> Puts(string name)
    {
        string state = Path.Combine(folder, "puts");
        TimeSpan time = TimeSpan.FromSeconds(options.Quick ? 1 : 4);
        PutFigures many;
        PutFigures one;
        using (EngineRig rig = new(state))
        {
            PutLoad load = new(rig, EngineChild.ObjectBytes) { NamesMax = 200_000 };
            load.RunFor(EngineChild.Clients, time);
            many = load.RunFor(EngineChild.Clients, time);
            one = load.RunFor(1, time / 2);
        }

        Directory.Delete(state, recursive: true);
        yield return BenchRow.Alone(
            $"{name}, {EngineChild.Clients} clients", many.PerSecond, "objects/s", PutsGoal,
            note: "8+4 on twelve directories of one disk");
        yield return new BenchRow(
            $"{name}, one client", one.PerSecond, FlushesPerSecond(), "objects/s", null,
            $"{Fio.Version}, flushed 4 KiB writes to one file");
        yield return BenchRow.Alone(
            $"{name}, CPU per put", many.CpuPerPut, "us", null, higherIsBetter: false,
            "all threads, the kernel's flushing ones included");
        yield return BenchRow.Alone(
            $"{name}, allocated per put", many.AllocatedPerPut, "B", 0, higherIsBetter: false,
            "beyond what the call brings: name, descriptor, watch");
    }

    private double FlushesPerSecond()
    {
        if (Fio.Version is null)
        {
            return double.NaN;
        }

        const long bytes = 64L << 20;
        string file = Path.Combine(folder, "flush.dat");
        RingCases.PrepareFile(file, bytes);
        IoFigures figures = Fio.Run(
            file, bytes, TimeSpan.FromSeconds(1), "--rw=write", "--bs=4k", "--iodepth=1",
            "--fdatasync=1");
        File.Delete(file);
        return figures.OperationsPerSecond;
    }

    private IEnumerable<BenchRow> Start(string startName, string memoryName)
    {
        long objects = options.Quick ? 20_000 : 1_000_000;
        string state = Path.Combine(folder, "start");
        options.Progress($"storing {objects} objects, to kill the worker while it stores more");
        List<double> starts = [];
        string entries = "";
        using (Child filler = new(state, objects, EngineChild.Fill))
        {
            filler.Expect("serving");
            objects = long.Parse(filler.Expect("filled")[0], CultureInfo.InvariantCulture);

            // Into the middle of what comes next, checkpoints included.
            Thread.Sleep(options.Quick ? 700 : 3300);
            filler.Kill();
        }

        for (int round = 0; round < 3; round++)
        {
            using Child killed = new(state, objects, EngineChild.Serve);
            entries = killed.Expect("serving")[0];
            starts.Add(killed.Age.TotalMilliseconds);
            Thread.Sleep(500);
            killed.Kill();
        }

        double memory;
        using (Child server = new(state, objects, EngineChild.Serve))
        {
            server.Expect("serving");
            memory = double.Parse(server.Expect("memory")[0], CultureInfo.InvariantCulture);
        }

        Directory.Delete(state, recursive: true);
        yield return BenchRow.Alone(
            $"{startName}, {objects} objects", PairedRun.Median(starts), "ms", StartGoalMs,
            higherIsBetter: false,
            $"process start to serving, under load; {entries} entries read the last time");
        yield return BenchRow.Alone(
            $"{memoryName}, {objects} objects, 64 clients", memory, "MiB", MemoryGoalMebibytes,
            higherIsBetter: false, "peak RSS, after the start under load");
    }

    /// <summary>One process with the service.</summary>
    private sealed class Child : IDisposable
    {
        private readonly long _started = Stopwatch.GetTimestamp();
        private readonly Process _process;

        internal Child(string state, long objects, string mode)
        {
            _process = Process.Start(new ProcessStartInfo(
                Environment.ProcessPath!,
                [EngineChild.Word, state, objects.ToString(CultureInfo.InvariantCulture), mode])
            {
                RedirectStandardOutput = true,
            })!;
        }

        internal TimeSpan Age => Stopwatch.GetElapsedTime(_started);

        /// <summary>Waits for the line that begins so; its other words.</summary>
        internal string[] Expect(string word)
        {
            while (_process.StandardOutput.ReadLine() is string line)
            {
                string[] words = line.Split(' ');
                if (words[0] == word)
                {
                    return words[1..];
                }
            }

            throw new InvalidOperationException($"the service ended before it said {word}");
        }

        internal void Kill() => _process.Kill();

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
            }

            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
