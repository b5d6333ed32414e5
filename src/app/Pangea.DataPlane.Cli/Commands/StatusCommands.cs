using System.CommandLine;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea status</c> and <c>pangea worker list</c>.</summary>
internal static class StatusCommands
{
    public static Verb CreateStatus(GlobalOptions options) =>
        new Verb("status", "Show the appliance, its devices and its workers")
        {
            Examples = ["pangea status", "pangea status --json | jq .devices"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.SystemStatus, Nothing.Value, status => PrintStatus(context.Out, status)));

    public static Verb CreateWorker(GlobalOptions options)
    {
        Verb list = new Verb("list", "List the worker processes")
        {
            Examples = ["pangea worker list"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.WorkerList,
            Nothing.Value,
            workers => PrintWorkers(context.Out, workers.Workers)));
        return new Verb("worker", "Look at the worker processes")
        {
            Subcommands = { list },
            Examples = ["pangea worker list"],
        };
    }

    private static void PrintStatus(TextWriter output, SystemStatusResult status)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("state", NameOf(status.State.ToString()));
        table.Add("supervisor", $"pid {status.Pid}, up {Quantities.Uptime(status.UptimeSeconds)}");
        table.Add("state directory", status.StateDirectory);
        table.Add("workers run as", status.User);
        table.Add(
            "redundancy",
            $"{status.Redundancy.DataShards}+{status.Redundancy.ParityShards}, " +
            $"stripes of {Quantities.Size(status.StripeBytes)}");
        table.Add(
            "objects",
            status.Objects is { } objects
                ? $"{Quantities.Count(objects)}, {Quantities.Size(status.ObjectBytes)}, " +
                    $"{Quantities.Size(status.StoredBytes)} on the devices"
                : "unknown: no storage worker answers");
        if (status.Durability is { } durability)
        {
            table.Add("durability", durability);
        }

        if (status.Catalog is { } catalog)
        {
            table.Add(
                "catalog",
                $"{Quantities.Size(catalog.Bytes)}, checkpoint "
                    + $"{Quantities.Uptime(catalog.CheckpointAgeSeconds)} ago, "
                    + $"{Quantities.Count(catalog.ChangesPending)} changes since"
                    + (catalog.Reason is null ? "" : $"; failing: {catalog.Reason}"));
        }

        Tables.Print(table, output);
        output.WriteLine();
        PrintDevices(output, status.Devices);
        output.WriteLine();
        PrintWorkers(output, status.Workers);
    }

    private static void PrintDevices(TextWriter output, IReadOnlyList<DeviceStatus> devices)
    {
        Table table = Tables.Make(">DEVICE", "STATE", ">FREE", ">TOTAL", "I/O", "PATH", "REASON");
        foreach (DeviceStatus device in devices)
        {
            table.Add(
                device.Index.ToString(),
                NameOf(device.State.ToString()),
                Quantities.Size(device.FreeBytes),
                Quantities.Size(device.TotalBytes),
                device.DirectIo switch { true => "direct", false => "cached", null => "-" },
                device.Path,
                device.Reason ?? "");
        }

        Tables.Print(table, output);
    }

    private static void PrintWorkers(TextWriter output, IReadOnlyList<WorkerStatus> workers)
    {
        Table table = Tables.Make(
            ">WORKER", "ROLE", "STATE", ">PID", ">CORE", ">UID", ">RESTARTS", "UP", ">MEMORY",
            "RING", "ERASURE");
        foreach (WorkerStatus worker in workers)
        {
            table.Add(
                worker.Index.ToString(),
                worker.Role,
                NameOf(worker.State.ToString()),
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

    /// <summary>The name of a state as it is on the wire.</summary>
    internal static string NameOf(string member) => char.ToLowerInvariant(member[0]) + member[1..];
}
