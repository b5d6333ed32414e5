using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// The process model: how soon a killed worker serves again, what a call through the supervisor
/// costs, what the processes weigh, and that nothing is left over.
/// </summary>
public sealed class WorkersArea : IBenchArea
{
    public string Name => "workers";

    public string Summary => "restarts, control calls, memory, start, garbage, buffer pool";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string folder = Path.Combine(
            Environment.GetEnvironmentVariable("PANGEA_BENCH_DIRECTORY")
                ?? Path.Combine(Path.GetTempPath(), $"pangea-bench-{Environment.ProcessId}"),
            "workers");
        Directory.CreateDirectory(folder);
        IEnumerable<BenchRow>[] parts =
        [
            PoolCases.Run(options),
            new StartCases(options, folder).Run(),
            new CallCases(options, folder).Run(),
            new RestartCases(options, folder).Run(),
            new HotPathCase(options, folder).Run(),
        ];
        foreach (BenchRow row in parts.SelectMany(part => part))
        {
            yield return row;
        }

        Directory.Delete(folder, recursive: true);
    }
}
