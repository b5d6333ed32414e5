using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Benchmarks.Workers;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// Small objects through the whole appliance: 64 clients, each with a connection of its own and one
/// call at a time, against a supervisor and a worker. The clients run on the same two cores.
/// </summary>
internal sealed class SmallObjectCases(BenchOptions options, string folder)
{
    private const int Clients = 64;

    /// <summary>
    /// More than a run stores, so that what is measured is puts and not the compaction behind them;
    /// gets take those that are there.
    /// </summary>
    private const int NamesOfClient = 8192;

    private const double PutsGoal = 20_000;

    private readonly string _executable =
        Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";

    private readonly TimeSpan _time = TimeSpan.FromSeconds(options.Quick ? 1 : 4);

    internal IEnumerable<BenchRow> Run()
    {
        const string Name = "appliance, 4 KiB objects";
        if (!options.Wants(Name))
        {
            yield break;
        }

        using RunningAppliance appliance = RunningAppliance.Start(_executable, folder);
        using Load load = new(Path.Combine(folder, "control.sock"), appliance);
        _ = load.Run("object.put", _time);
        Figures puts = load.Run("object.put", _time);
        _ = load.Run("object.get", _time / 2);
        Figures gets = load.Run("object.get", _time);
        double flushes = Fio.Version is null ? double.NaN : FlushedWrites();
        yield return new BenchRow(
            $"{Name}, durable puts, {Clients} clients", puts.PerSecond, flushes, "objects/s",
            null, $"{Fio.Version}, {Clients} jobs, a flushed 4 KiB write each",
            Note: $"goal {PutsGoal:F0} objects/s; 8+4 on twelve directories of one disk");
        yield return BenchRow.Alone(
            $"{Name}, gets, {Clients} clients", gets.PerSecond, "objects/s", null);
        foreach ((string what, Figures figures) in new[] { ("put", puts), ("get", gets) })
        {
            yield return BenchRow.Alone(
                $"{Name}, CPU of the worker per {what}", figures.WorkerCpu, "us", null,
                higherIsBetter: false, "the kernel's flushing threads included");
            yield return BenchRow.Alone(
                $"{Name}, CPU of the supervisor per {what}", figures.SupervisorCpu, "us", null,
                higherIsBetter: false);
            yield return BenchRow.Alone(
                $"{Name}, allocated by the worker per {what}", figures.WorkerBytes, "B", null,
                higherIsBetter: false,
                "call, descriptor and answer included");
        }
    }

    private double FlushedWrites()
    {
        const long bytes = 1L << 20;
        string pattern = Path.Combine(folder, "flush.$jobnum");
        for (int job = 0; job < Clients; job++)
        {
            RingCases.PrepareFile(Path.Combine(folder, $"flush.{job}"), bytes);
        }

        IoFigures figures = Fio.Run(
            pattern, bytes, TimeSpan.FromSeconds(options.Quick ? 1 : 4), "--rw=write", "--bs=4k",
            "--iodepth=1", "--fdatasync=1", $"--numjobs={Clients}", "--thread");
        foreach (string file in Directory.GetFiles(folder, "flush.*"))
        {
            File.Delete(file);
        }

        return figures.OperationsPerSecond;
    }

    /// <param name="PerSecond">Calls answered.</param>
    /// <param name="WorkerCpu">Microseconds per call.</param>
    /// <param name="SupervisorCpu">Microseconds per call.</param>
    /// <param name="WorkerBytes">Managed bytes per call.</param>
    private readonly record struct Figures(
        double PerSecond, double WorkerCpu, double SupervisorCpu, double WorkerBytes);

    /// <summary>The clients; each calls again as soon as it has its answer.</summary>
    private sealed class Load : IDisposable
    {
        private readonly RunningAppliance _appliance;
        private readonly CallClient _observer;
        private readonly CallClient[] _clients;
        private readonly OwnedFd[] _files;
        private readonly long[] _stored = new long[Clients];
        private readonly int _worker;

        internal Load(string socket, RunningAppliance appliance)
        {
            _appliance = appliance;
            _worker = appliance.WorkerPid();
            _observer = new CallClient(socket);
            _clients = [.. Enumerable.Range(0, Clients).Select(_ => new CallClient(socket))];
            _files = [.. Enumerable.Range(0, Clients).Select(_ => Content())];
        }

        internal Figures Run(string method, TimeSpan time)
        {
            long[] calls = new long[Clients];
            double bytes = AllocatedBytes();
            double worker = CpuMicroseconds(_worker);
            double supervisor = CpuMicroseconds(_appliance.SupervisorPid);
            long started = Stopwatch.GetTimestamp();
            Thread[] threads = [.. Enumerable.Range(0, Clients).Select(client => new Thread(() =>
                calls[client] = Call(client, method, started, time)))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            worker = CpuMicroseconds(_worker) - worker;
            supervisor = CpuMicroseconds(_appliance.SupervisorPid) - supervisor;
            Thread.Sleep(300); // The worker tells its allocations four times a second.
            long all = calls.Sum();
            return new Figures(
                all / seconds, worker / all, supervisor / all, (AllocatedBytes() - bytes) / all);
        }

        private long Call(int client, string method, long started, TimeSpan time)
        {
            bool isPut = method == "object.put";
            long calls = 0;
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                Files.SetPosition(_files[client], 0);
                long number = isPut ? _stored[client]++ : calls % _stored[client];
                number %= NamesOfClient;
                byte[] line = CallClient.Line(
                    method, $$"""{"name":"small/{{client}}/{{number}}"}""");
                if (!_clients[client].TryCall(line, _files[client]))
                {
                    throw new InvalidOperationException(
                        System.Text.Encoding.UTF8.GetString(_clients[client].Answer.Span));
                }

                calls++;
            }

            return calls;
        }

        private double AllocatedBytes()
        {
            Invariant.Check(_observer.TryCall(CallClient.Line("stats.read", "{}")));
            foreach (JsonElement process in
                _observer.Result().GetProperty("processes").EnumerateArray())
            {
                foreach (JsonElement metric in process.GetProperty("metrics").EnumerateArray())
                {
                    if (metric.GetProperty("name").GetString()
                        == "pangea_worker_allocated_bytes_total")
                    {
                        return metric.GetProperty("value").GetDouble();
                    }
                }
            }

            return double.NaN;
        }

        /// <summary>User and system time of all threads of a process.</summary>
        private static double CpuMicroseconds(int pid)
        {
            const double microsecondsOfTick = 10_000; // USER_HZ is 100 everywhere.
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return microsecondsOfTick
                * (double.Parse(fields[11], CultureInfo.InvariantCulture)
                    + double.Parse(fields[12], CultureInfo.InvariantCulture));
        }

        private static OwnedFd Content()
        {
            OwnedFd file = RingThread.Must(Files.CreateMemoryFile("object"));
            byte[] content = new byte[EngineChild.ObjectBytes];
            new Random(7).NextBytes(content);
            Files.WriteAt(file, content, 0);
            return file;
        }

        public void Dispose()
        {
            _observer.Dispose();
            Array.ForEach(_clients, client => client.Dispose());
            Array.ForEach(_files, file => file.Dispose());
        }
    }
}
