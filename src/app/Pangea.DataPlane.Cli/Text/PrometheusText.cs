using System.Globalization;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Cli.Text;

/// <summary>
/// Statistics in the text format of Prometheus (version 0.0.4): one family after the other, each
/// with the samples of all processes.
/// </summary>
internal static class PrometheusText
{
    public static void Write(TextWriter output, IReadOnlyList<ProcessStats> processes)
    {
        output.Write("# HELP pangea_process_heartbeats_total turns of the loop reported\n");
        output.Write("# TYPE pangea_process_heartbeats_total counter\n");
        foreach (ProcessStats process in processes)
        {
            Sample(output, "pangea_process_heartbeats_total", process, "", process.Heartbeats);
        }

        var families = processes
            .SelectMany(process => process.Metrics.Select(metric => (process, metric)))
            .GroupBy(each => each.metric.Name, StringComparer.Ordinal);
        foreach (var family in families)
        {
            MetricRecord first = family.First().metric;
            output.Write($"# HELP {first.Name} {first.Help}\n# TYPE {first.Name} {first.Kind}\n");
            foreach ((ProcessStats process, MetricRecord metric) in family)
            {
                WriteMetric(output, process, metric);
            }
        }
    }

    private static void WriteMetric(TextWriter output, ProcessStats process, MetricRecord metric)
    {
        if (metric.Buckets is not { } buckets)
        {
            Sample(output, metric.Name, process, "", metric.Value);
            return;
        }

        long total = 0;
        foreach (BucketRecord bucket in buckets)
        {
            total += bucket.Count;
            string border = bucket.UpTo?.ToString(CultureInfo.InvariantCulture) ?? "+Inf";
            Sample(output, metric.Name + "_bucket", process, $",le=\"{border}\"", total);
        }

        Sample(output, metric.Name + "_sum", process, "", metric.Value);
        Sample(output, metric.Name + "_count", process, "", total);
    }

    private static void Sample(
        TextWriter output, string name, ProcessStats process, string label, long value)
    {
        string number = value.ToString(CultureInfo.InvariantCulture);
        output.Write(
            $"{name}{{role=\"{process.Role}\",index=\"{process.Index}\"{label}}} {number}\n");
    }
}
