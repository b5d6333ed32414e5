using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>How long a start takes, and what the processes weigh when nobody calls.</summary>
internal sealed class StartCases(BenchOptions options, string folder)
{
    private const double StartGoalMilliseconds = 1000;
    private const double IdleGoalMebibytes = 60;
    private const string StartName = "supervisor start to all workers ready";
    private const string SupervisorName = "supervisor, resident";
    private const string WorkerName = "worker, resident, idle";
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);

    internal IEnumerable<BenchRow> Run()
    {
        string state = Directory.CreateDirectory(Path.Combine(folder, "start")).FullName;
        if (options.Wants(StartName))
        {
            int rounds = options.Quick ? 5 : 21;
            List<double> times = [];
            for (int round = -1; round < rounds; round++)
            {
                using StartedAppliance started = StartedAppliance.Start(state);
                if (round >= 0)
                {
                    times.Add(started.ReadyTime.TotalMilliseconds);
                }
            }

            yield return BenchRow.Alone(
                StartName, PairedRun.Median(times), "ms", StartGoalMilliseconds,
                higherIsBetter: false,
                $"median of {rounds}, {times.Min():F0} to {times.Max():F0}, 12 devices");
        }

        if (options.Wants(SupervisorName) || options.Wants(WorkerName))
        {
            using StartedAppliance started = StartedAppliance.Start(state);
            Thread.Sleep(s_settle);
            yield return Weigh(SupervisorName, started.SupervisorPid);
            yield return Weigh(WorkerName, started.WorkerPid);
            if (ProcessFamily.Find(started.SupervisorPid, "warden") is { } warden)
            {
                ProcessMemory memory = ProcessMemory.Read(warden);
                yield return BenchRow.Alone(
                    "warden, resident", memory.All, "MiB", null, higherIsBetter: false,
                    $"{memory}; keeps what needs root, where started by root");
            }
        }
    }

    private static BenchRow Weigh(string name, int pid)
    {
        ProcessMemory memory = ProcessMemory.Read(pid);
        return BenchRow.Alone(
            name, memory.All, "MiB", IdleGoalMebibytes, higherIsBetter: false, memory.ToString());
    }
}
