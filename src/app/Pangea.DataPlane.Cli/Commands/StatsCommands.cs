using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea stats</c> and <c>pangea worker postmortem</c>.</summary>
internal static class StatsCommands
{
    public static Verb CreateStats(GlobalOptions options)
    {
        var prometheus = new Option<bool>("--prometheus")
        {
            Description = "Print the text format that Prometheus scrapes",
        };
        return new Verb("stats", "Show the statistics of every process")
        {
            Options = { prometheus },
            Examples = ["pangea stats", "pangea stats --prometheus"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StatsMethods.Read,
            Nothing.Value,
            stats =>
            {
                if (context.Parsed.GetValue(prometheus))
                {
                    PrometheusText.Write(context.Out, stats.Processes);
                }
                else
                {
                    Print(context.Out, stats.Processes);
                }
            }));
    }

    public static Verb CreatePostmortem(GlobalOptions options)
    {
        Argument<int> index = WorkerCommands.MakeIndex();
        return new Verb("postmortem", "Show the last events of the worker process that died last")
        {
            Arguments = { index },
            Examples = ["pangea worker postmortem 0"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StatsMethods.Postmortem,
            new WorkerIndexParameters { Index = context.Parsed.GetValue(index) },
            found => Print(context.Out, found)));
    }

    private static void Print(TextWriter output, IReadOnlyList<ProcessStats> processes)
    {
        Table table = Tables.Make("PROCESS", ">PID", ">VALUE", "UNIT", "NAME");
        foreach (ProcessStats process in processes)
        {
            foreach (MetricRecord metric in process.Metrics)
            {
                long count = metric.Buckets?.Sum(bucket => bucket.Count) ?? 0;
                bool isHistogram = metric.Buckets is not null;
                table.Add(
                    $"{process.Role} {process.Index}",
                    process.Pid.ToString(CultureInfo.InvariantCulture),
                    Number(isHistogram ? metric.Value / Math.Max(count, 1) : metric.Value),
                    isHistogram ? $"{metric.Unit}, mean of {Number(count)}" : metric.Unit,
                    metric.Name);
            }
        }

        Tables.Print(table, output);
    }

    private static void Print(TextWriter output, PostmortemResult found)
    {
        output.WriteLine(found.Ended is { } ended
            ? $"worker {found.Index}, pid {found.Pid}, ended {Time(ended)}: {found.Status}"
            : $"worker {found.Index}, pid {found.Pid}, lives; no earlier one has died");
        Table table = Tables.Make("TIME", "EVENT", ">NUMBER", ">CODE", "TEXT");
        foreach (FlightRecord each in found.Events)
        {
            table.Add(
                Time(each.Time),
                each.Kind,
                Number(each.Number),
                each.Code?.ToString(CultureInfo.InvariantCulture) ?? "",
                each.Text ?? "");
        }

        Tables.Print(table, output);
    }

    private static string Time(DateTime utc) =>
        utc.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture);

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
