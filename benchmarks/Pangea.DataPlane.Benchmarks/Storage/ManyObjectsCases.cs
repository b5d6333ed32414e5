using System.Diagnostics;
using System.Globalization;

using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// A real appliance on a million real objects: how soon it serves after kill -9 of its worker under
/// load, what memory the worker has, and how long making the catalog anew takes. The objects are
/// stored by the service in a process of its own, which is killed in the middle of more puts.
/// </summary>
internal sealed class ManyObjectsCases(BenchOptions options, string folder)
{
    private const string StartName = "start after kill -9";
    private const string MemoryName = "memory of a worker";
    private const string RebuildName = "catalog made anew from the logs";
    private const double StartGoalMs = 2000;
    private const double MemoryGoalMebibytes = 150;
    private const int SigKill = 9;

    // Five in a minute, and the supervisor gives the worker up.
    private const int Kills = 3;

    private readonly string _executable =
        Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";

    private readonly TimeSpan _loadTime = TimeSpan.FromSeconds(options.Quick ? 2 : 12);

    internal IEnumerable<BenchRow> Run()
    {
        if (!options.Wants(StartName) && !options.Wants(MemoryName)
            && !options.Wants(RebuildName))
        {
            yield break;
        }

        long objects = options.Quick ? 20_000 : 1_000_000;
        string place = Path.Combine(folder, "many");
        string state = Path.Combine(place, "state");
        long started = Stopwatch.GetTimestamp();
        objects = Fill(state, objects);
        options.Progress(string.Create(
            CultureInfo.InvariantCulture,
            $"{objects} objects in {Stopwatch.GetElapsedTime(started).TotalSeconds:F0} s"));
        using (RunningAppliance appliance = RunningAppliance.StartOn(_executable, place))
        {
            foreach (BenchRow row in Serve(appliance, place, objects))
            {
                yield return row;
            }
        }

        Directory.Delete(place, recursive: true);
    }

    /// <summary>Stores the objects; how many there was time for.</summary>
    private long Fill(string state, long objects)
    {
        options.Progress($"storing {objects} objects, to kill the process while it stores more");
        using Process filler = Process.Start(new ProcessStartInfo(
            Environment.ProcessPath!,
            [EngineChild.Word, state, objects.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
        })!;
        string? filled;
        do
        {
            filled = filler.StandardOutput.ReadLine();
        }
        while (filled?.StartsWith(EngineChild.Filled, StringComparison.Ordinal) == false);

        // Into the middle of what comes next, checkpoints included.
        Thread.Sleep(options.Quick ? 700 : 3300);
        filler.Kill();
        filler.WaitForExit();
        return filled is null
            ? throw new InvalidOperationException("the filling process ended")
            : long.Parse(filled.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private IEnumerable<BenchRow> Serve(RunningAppliance appliance, string place, long objects)
    {
        string socket = RunningAppliance.SocketIn(place);
        string name = SocketClients.Name(objects / 3);
        double first = SocketClients.MillisecondsToFirstGet(socket, name)
            + appliance.StartTime.TotalMilliseconds;
        string fresh = MemoryOf(appliance.WorkerPid());
        List<double> starts = [];
        string loaded;
        double peak;
        double perSecond;
        using (var clients = new SocketClients(socket, EngineChild.Clients, objects))
        {
            Thread.Sleep(_loadTime);
            perSecond = clients.Done / _loadTime.TotalSeconds;
            int pid = appliance.WorkerPid();
            loaded = MemoryOf(pid);
            peak = RunningAppliance.PeakMebibytes(pid);
            for (int kill = 0; kill < Kills; kill++)
            {
                _ = RunningAppliance.Kill(appliance.WorkerPid(), SigKill);
                starts.Add(SocketClients.MillisecondsToFirstGet(socket, name));
                Thread.Sleep(_loadTime / 4);
            }

            peak = Math.Max(peak, RunningAppliance.PeakMebibytes(appliance.WorkerPid()));
        }

        yield return BenchRow.Alone(
            $"{StartName}, {objects} objects", PairedRun.Median(starts), "ms", StartGoalMs,
            higherIsBetter: false,
            string.Create(
                CultureInfo.InvariantCulture,
                $"kill to first get, {EngineChild.Clients} clients waiting; worst "
                    + $"{starts.Max():F0}, appliance and all after the fill {first:F0} ms"));
        yield return BenchRow.Alone(
            $"{MemoryName}, {objects} objects, {EngineChild.Clients} clients", peak, "MiB",
            MemoryGoalMebibytes, higherIsBetter: false,
            string.Create(
                CultureInfo.InvariantCulture,
                $"peak RSS; {loaded} under {perSecond:F0} calls/s, {fresh} after the start"));
        yield return Rebuild(appliance, socket, name, objects);
    }

    /// <summary>A worker whose catalog is gone when it starts.</summary>
    private static BenchRow Rebuild(
        RunningAppliance appliance, string socket, string name, long objects)
    {
        int pid = appliance.WorkerPid();
        foreach (string file in
            Directory.GetFiles(Path.Combine(appliance.StateDirectory, "catalog")))
        {
            File.Delete(file);
        }

        _ = RunningAppliance.Kill(pid, SigKill);
        double seconds = SocketClients.MillisecondsToFirstGet(socket, name) / 1000;
        pid = appliance.WorkerPid();
        return BenchRow.Alone(
            $"{RebuildName}, {objects} objects", seconds, "s", null, higherIsBetter: false,
            string.Create(
                CultureInfo.InvariantCulture,
                $"kill to first get; peak RSS {RunningAppliance.PeakMebibytes(pid):F0} MiB"));
    }

    private static string MemoryOf(int pid) => string.Create(
        CultureInfo.InvariantCulture,
        $"anon {RunningAppliance.Mebibytes(pid, "RssAnon"):F0} + file "
            + $"{RunningAppliance.Mebibytes(pid, "RssFile"):F0}");
}
