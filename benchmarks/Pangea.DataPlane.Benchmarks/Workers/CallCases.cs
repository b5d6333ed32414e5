using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// A call that does as little as a call can: to the supervisor, on to the worker, a look into the
/// catalog, and back the same way.
/// </summary>
internal sealed class CallCases(BenchOptions options, string folder)
{
    private const string Name = "control call to the worker and back";
    private const int Clients = 4;
    private const double P50GoalMicroseconds = 150;
    private const double P99GoalMicroseconds = 1000;

    internal IEnumerable<BenchRow> Run()
    {
        if (!options.Wants(Name))
        {
            yield break;
        }

        string state = Directory.CreateDirectory(Path.Combine(folder, "calls")).FullName;
        using StartedAppliance appliance = StartedAppliance.Start(state);
        byte[] line = CallClient.Line("object.list", """{"prefix":"nothing/","limit":1}""");
        int calls = options.Quick ? 10_000 : 50_000;
        _ = Measure(appliance, line, Clients, calls);
        (double[] times, double seconds) = Measure(appliance, line, Clients, calls);
        string note = $"{times.Length / seconds:F0} calls/s, object.list of nothing";
        yield return BenchRow.Alone(
            $"{Name}, {Clients} clients, p50", PairedRun.Quantile(times, 0.5), "us",
            P50GoalMicroseconds, higherIsBetter: false, note);
        yield return BenchRow.Alone(
            $"{Name}, {Clients} clients, p99", PairedRun.Quantile(times, 0.99), "us",
            P99GoalMicroseconds, higherIsBetter: false, $"max {times.Max():F0} us");
        (double[] alone, _) = Measure(appliance, line, 1, calls);
        yield return BenchRow.Alone(
            $"{Name}, 1 client, p50", PairedRun.Quantile(alone, 0.5), "us", null,
            higherIsBetter: false, $"p99 {PairedRun.Quantile(alone, 0.99):F0} us");
    }

    private static (double[] Times, double Seconds) Measure(
        StartedAppliance appliance, byte[] line, int clients, int calls)
    {
        var times = new double[clients][];
        long started = Stopwatch.GetTimestamp();
        Thread[] threads =
        [
            .. Enumerable.Range(0, clients).Select(i => new Thread(() =>
            {
                using CallClient client = new(appliance.SocketPath);
                times[i] = client.Time(line, calls / clients);
            })),
        ];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return ([.. times.SelectMany(each => each)],
            Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}
