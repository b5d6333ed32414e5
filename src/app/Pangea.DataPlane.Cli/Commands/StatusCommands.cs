using System.CommandLine;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea status</c>.</summary>
internal static class StatusCommands
{
    public static Verb CreateStatus(GlobalOptions options) =>
        new Verb("status", "Show the appliance, its devices and its workers")
        {
            Examples = ["pangea status", "pangea status --json | jq .devices"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.SystemStatus, Nothing.Value, status => PrintStatus(context.Out, status)));

    private static void PrintStatus(TextWriter output, SystemStatusResult status)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("state", NameOf(status.State.ToString()));
        table.Add("supervisor", $"pid {status.Pid}, up {Quantities.Uptime(status.UptimeSeconds)}");
        foreach (ProcessPrivilege each in status.Privilege ?? [])
        {
            string kept = each.Kept.Count == 0 ? "no capabilities" : string.Join("; ", each.Kept);
            table.Add("privilege", $"{each.Process} (pid {each.Pid}, uid {each.Uid}): {kept}");
        }

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
        WorkerCommands.Print(output, status.Workers);
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

    /// <summary>The name of a state as it is on the wire.</summary>
    internal static string NameOf(string member) => char.ToLowerInvariant(member[0]) + member[1..];
}
