using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>What BenchmarkDotNet found for one function.</summary>
/// <param name="Method">Name of the benchmark method.</param>
/// <param name="Parameters">Its parameters as BenchmarkDotNet prints them; empty without
/// any.</param>
/// <param name="Ns">Median nanoseconds of one call.</param>
/// <param name="DeviationNs">Standard deviation of a call in nanoseconds.</param>
/// <param name="AllocatedBytes">Managed bytes allocated per call.</param>
public sealed record FunctionResult(
    string Method, string Parameters, double Ns, double DeviationNs, long AllocatedBytes);

/// <summary>
/// The BenchmarkDotNet route, for cases that are a function. It runs inside this process: the build
/// it would otherwise start for each case takes longer than the measurement and needs the SDK at
/// hand.
/// </summary>
public static class FunctionRun
{
    /// <summary>Runs every [Benchmark] method of the class.</summary>
    public static IReadOnlyList<FunctionResult> Measure<T>(BenchOptions options)
        where T : class
    {
        Job job = (options.Quick ? Job.ShortRun : Job.MediumRun.WithLaunchCount(1))
            .WithToolchain(InProcessEmitToolchain.Instance);
        string artifacts = Path.Combine(
            Path.GetTempPath(), $"pangea-bench-{Environment.ProcessId}");
        ManualConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(NullLogger.Instance)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .WithArtifactsPath(artifacts)
            .WithOptions(ConfigOptions.DisableOptimizationsValidator);
        try
        {
            Summary summary = BenchmarkRunner.Run<T>(config);
            return
            [
                .. summary.Reports
                    .Where(report => report.ResultStatistics is not null)
                    .Select(Read),
            ];
        }
        finally
        {
            if (Directory.Exists(artifacts))
            {
                Directory.Delete(artifacts, recursive: true);
            }
        }
    }

    /// <summary>A row in GB/s from two methods of one class.</summary>
    public static BenchRow Rate(
        string caseName,
        IReadOnlyList<FunctionResult> results,
        string ours,
        string? rival,
        double bytes,
        double? goal,
        string rivalName)
    {
        FunctionResult mine = results.Single(result => result.Method == ours);
        FunctionResult? other = rival is null
            ? null
            : results.Single(result => result.Method == rival);
        return new BenchRow(
            caseName,
            bytes / mine.Ns,
            other is null ? double.NaN : bytes / other.Ns,
            "GB/s",
            goal,
            rivalName,
            true,
            $"+-{mine.DeviationNs / mine.Ns:P0}, {mine.AllocatedBytes} B allocated");
    }

    private static FunctionResult Read(BenchmarkReport report) => new(
        report.BenchmarkCase.Descriptor.WorkloadMethod.Name,
        report.BenchmarkCase.Parameters.PrintInfo,
        report.ResultStatistics!.Median,
        report.ResultStatistics.StandardDeviation,
        report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0);
}
