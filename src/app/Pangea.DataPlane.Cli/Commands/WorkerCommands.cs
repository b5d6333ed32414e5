using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea worker</c>: the processes that do the work.</summary>
internal static class WorkerCommands
{
    public static Verb Create(GlobalOptions options)
    {
        Verb list = new Verb("list", "List the worker processes")
        {
            Examples = ["pangea worker list", "pangea worker list -o wide"],
        }.WithWideFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.WorkerList,
            Nothing.Value,
            workers =>
            {
                Print(context.Out, workers.Workers);
                if (context.IsWide)
                {
                    PrintFacts(context.Out, workers.Workers);
                }
            }));
        return new Verb("worker", "Look at the worker processes")
        {
            Subcommands = { list, CreateRestart(options), StatsCommands.CreatePostmortem(options) },
            Examples = ["pangea worker list -o wide", "pangea worker restart 0"],
        };
    }

    private static Verb CreateRestart(GlobalOptions options)
    {
        Argument<int> index = MakeIndex();
        return new Verb("restart", "Restart a worker once its calls are done; calls wait for it")
        {
            Arguments = { index },
            Examples = ["pangea worker restart 0"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            WorkerControlMethods.Restart,
            new WorkerIndexParameters { Index = context.Parsed.GetValue(index) },
            done => context.Out.WriteLine(
                $"worker {done.Index} restarted, pid {done.Pid}"
                    + (done.Drained ? "" : "; calls that took too long have failed"))));
    }

    internal static Argument<int> MakeIndex() => new("WORKER")
    {
        Description = "Number of the worker",
        HelpName = "WORKER",
    };

    /// <summary>The table of all workers, and the reasons of what was chosen.</summary>
    public static void Print(TextWriter output, IReadOnlyList<WorkerStatus> workers)
    {
        Table table = Tables.Make(
            ">WORKER", "ROLE", "STATE", ">PID", ">CORE", ">UID", ">RESTARTS", "UP", ">MEMORY",
            "RING", "ERASURE");
        foreach (WorkerStatus worker in workers)
        {
            table.Add(
                worker.Index.ToString(),
                worker.Role,
                StatusCommands.NameOf(worker.State.ToString()),
                worker.Pid?.ToString(),
                worker.Core?.ToString(),
                worker.Uid?.ToString(),
                worker.Restarts.ToString(),
                worker.UptimeSeconds is { } seconds ? Quantities.Uptime(seconds) : null,
                Quantities.Size(worker.RssBytes),
                worker.Ring,
                worker.ErasureKernel);
        }

        Tables.Print(table, output);
        output.WriteLine();
        foreach (WorkerStatus worker in workers)
        {
            PrintReason(output, worker.Index, "ring", worker.RingReason);
            PrintReason(output, worker.Index, "buffers", worker.Buffers);
            PrintReason(output, worker.Index, "isolation", worker.Isolation);
        }
    }

    private static void PrintReason(TextWriter output, int index, string what, string? reason)
    {
        if (reason is not null)
        {
            output.WriteLine($"worker {index} {what}: {FaultReport.Printable(reason)}");
        }
    }

    /// <summary>What the kernel says about each, whatever was meant for it.</summary>
    private static void PrintFacts(TextWriter output, IReadOnlyList<WorkerStatus> workers)
    {
        output.WriteLine();
        Table table = Tables.Make(
            ">WORKER", ">PID", ">UID", ">GID", ">THREADS", "CAPABILITIES", "BOUNDING",
            "NO_NEW_PRIVS", "SECCOMP", "LANDLOCK", ">CORE", ">NODE", "CORES", "DESCRIPTORS");
        foreach (WorkerStatus worker in workers)
        {
            table.Add(
                Text(worker.Index),
                Text(worker.Pid),
                Text(worker.Uid),
                Text(worker.Gid),
                Text(worker.Threads),
                worker.Capabilities,
                worker.CapabilitiesBounding,
                YesNo(worker.NoNewPrivileges),
                worker.Seccomp,
                YesNo(worker.Landlock),
                Text(worker.Core),
                Text(worker.Node),
                worker.Cores,
                worker.Descriptors is { } descriptors
                    ? string.Join(' ', descriptors.Select(each => $"{each.Kind}:{each.Count}"))
                    : null);
        }

        Tables.Print(table, output);
    }

    private static string? Text(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string? YesNo(bool? value) =>
        value switch { true => "yes", false => "no", null => null };
}
