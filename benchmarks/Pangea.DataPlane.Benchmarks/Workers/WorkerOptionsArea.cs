using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// What each choice for workers brings: the appliance as it is, beside one with the choice undone,
/// in alternating rounds on the same machine. For the experiments; there are no goals.
/// </summary>
public sealed class WorkerOptionsArea : IBenchArea
{
    private const int ObjectBytes = 64 << 20;
    private const int Transfers = 3;

    private static readonly (string Name, (string Name, string Value) Variable)[] s_options =
    [
        ("pinning off", ("PANGEA_PINNING", "off")),
        ("huge pages off", ("PANGEA_BUFFERS", "plain")),
        ("profiled compiling off", ("DOTNET_TieredPGO", "0")),
        ("tiers off", ("DOTNET_TieredCompilation", "0")),
        ("collector's budget 4 MiB", ("DOTNET_GCgen0size", "400000")),
        ("collector conserves memory", ("DOTNET_GCConserveMemory", "9")),
    ];

    public string Name => "worker-options";

    public string Summary => "each choice for workers, undone, beside the appliance as it is";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string folder = Path.Combine(
            Environment.GetEnvironmentVariable("PANGEA_BENCH_DIRECTORY")
                ?? Path.Combine(Path.GetTempPath(), $"pangea-bench-{Environment.ProcessId}"),
            "worker-options");
        string state = Directory.CreateDirectory(Path.Combine(folder, "state")).FullName;
        int rounds = options.Quick ? 3 : 7;
        foreach ((string name, (string Name, string Value) variable) in s_options)
        {
            if (!options.Wants(name))
            {
                continue;
            }

            List<Figures> without = [];
            List<Figures> asIs = [];
            for (int round = -1; round < rounds; round++)
            {
                Figures undone = Measure(state, [variable]);
                Figures usual = Measure(state, []);
                if (round >= 0)
                {
                    without.Add(undone);
                    asIs.Add(usual);
                }
            }

            yield return Row(name, "ready after", "ms", rounds, without, asIs, f => f.ReadyMs);
            yield return Row(name, "CPU of a start", "ms", rounds, without, asIs, f => f.StartMs);
            yield return Row(name, "resident", "MiB", rounds, without, asIs, f => f.Mebibytes);
            yield return Row(name, "put, wall", "ms", rounds, without, asIs, f => f.PutMs);
            yield return Row(name, "put, CPU", "ms", rounds, without, asIs, f => f.PutCpuMs);
            yield return Row(name, "get, wall", "ms", rounds, without, asIs, f => f.GetMs);
            yield return Row(name, "get, CPU", "ms", rounds, without, asIs, f => f.GetCpuMs);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static BenchRow Row(
        string option, string what, string unit, int rounds,
        List<Figures> without, List<Figures> asIs, Func<Figures, double> figure)
    {
        double[] ours = [.. without.Select(figure)];
        double[] rival = [.. asIs.Select(figure)];
        double[] ratios = [.. ours.Zip(rival, (a, b) => a / b)];
        return new BenchRow(
            $"{option}: {what}", PairedRun.Median(ours), PairedRun.Median(rival), unit, null,
            "as it is", HigherIsBetter: false,
            $"ratios {ratios.Min():F2} to {ratios.Max():F2}, {rounds} rounds")
        {
            Ratio = PairedRun.Median(ratios),
        };
    }

    private static Figures Measure(string state, (string Name, string Value)[] environment)
    {
        using StartedAppliance appliance = StartedAppliance.Start(state, [], environment);
        double startMs = CpuMilliseconds(appliance.WorkerPid);
        Thread.Sleep(500);
        double mebibytes = ProcessMemory.Read(appliance.WorkerPid).All;
        using var client = new CallClient(appliance.SocketPath);
        using OwnedFd source = Files.CreateMemoryFile("source").Value;
        Files.WriteAt(source, RandomNumberGenerator.GetBytes(ObjectBytes), 0);
        using OwnedFd target = Files.CreateMemoryFile("target").Value;
        (double putMs, double putCpuMs) = Repeat(appliance, client, "object.put", source);
        (double getMs, double getCpuMs) = Repeat(appliance, client, "object.get", target);
        return new Figures(
            appliance.ReadyTime.TotalMilliseconds, startMs, mebibytes,
            putMs, putCpuMs, getMs, getCpuMs);
    }

    /// <summary>Wall time and the worker's processor time of one transfer, the first left
    /// out.</summary>
    private static (double WallMs, double CpuMs) Repeat(
        StartedAppliance appliance, CallClient client, string method, OwnedFd file)
    {
        byte[] line = CallClient.Line(method, """{"name":"options"}""");
        double cpu = 0;
        long started = 0;
        for (int i = -1; i < Transfers; i++)
        {
            if (i == 0)
            {
                cpu = CpuMilliseconds(appliance.WorkerPid);
                started = Stopwatch.GetTimestamp();
            }

            Files.SetPosition(file, 0);
            if (!client.TryCall(line, file))
            {
                throw new InvalidOperationException($"{method} failed");
            }
        }

        return (Stopwatch.GetElapsedTime(started).TotalMilliseconds / Transfers,
            (CpuMilliseconds(appliance.WorkerPid) - cpu) / Transfers);
    }

    /// <summary>Of all threads since the process began, in steps of 10 ms (proc(5)).</summary>
    private static double CpuMilliseconds(int pid)
    {
        string stat = File.ReadAllText($"/proc/{pid}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return 10 * (double.Parse(fields[11], CultureInfo.InvariantCulture)
            + double.Parse(fields[12], CultureInfo.InvariantCulture));
    }

    private readonly record struct Figures(
        double ReadyMs, double StartMs, double Mebibytes,
        double PutMs, double PutCpuMs, double GetMs, double GetCpuMs);
}
