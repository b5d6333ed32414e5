using System.CommandLine;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Cli.Transfer;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea device list|add|remove|replace</c>.</summary>
internal static class DeviceCommands
{
    private const string ChangeHint = "pangea device list";

    public static Verb Create(GlobalOptions options) =>
        new("device", "Look at the devices and change them while the appliance runs")
        {
            Subcommands =
            {
                CreateList(options), CreateAdd(options), CreateRemove(options),
                CreateReplace(options),
            },
            Examples =
            [
                ChangeHint,
                "pangea device add /srv/disk12",
                "pangea device replace 3 /srv/disk3-new --wait",
            ],
        };

    private static Verb CreateList(GlobalOptions options) =>
        new Verb("list", "List the devices, what they hold and what is being done to them")
        {
            Examples = [ChangeHint, "pangea device list --json | jq '.devices[].garbageBytes'"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.DeviceList,
            Nothing.Value,
            result => PrintList(context.Out, result.Devices)));

    private static Verb CreateAdd(GlobalOptions options)
    {
        Argument<string> path = PathArgument();
        return new Verb("add", "Take a further device into use, now and after each restart")
        {
            Arguments = { path },
            Examples = ["pangea device add /srv/disk12", "pangea device add /dev/sdq"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.DeviceAdd,
            new DeviceAddParameters { Path = FullPath(context.Parsed.GetRequiredValue(path)) },
            added => context.Out.WriteLine(
                $"added device {added.Index}: {FaultReport.Printable(added.Path)}, "
                    + (added.Formatted == true ? "new" : "known already"))));
    }

    private static Verb CreateRemove(GlobalOptions options)
    {
        Argument<string> device = DeviceArgument();
        var force = new Option<bool>("--force")
        {
            Description = "Take it out at once; healing rebuilds its shards on the others",
        };
        Option<bool> wait = WaitOption("Wait until its shards are elsewhere and it is out");
        return new Verb("remove", "Move a device's shards to the others, then take it out")
        {
            Arguments = { device },
            Options = { force, wait },
            Examples =
            [
                "pangea device remove 12",
                "pangea device remove /srv/disk12 --wait",
                "pangea device remove 12 --force",
            ],
        }.WithFormat(options).Does(options, context =>
        {
            var parameters = new DeviceRemoveParameters
            {
                Device = context.Parsed.GetRequiredValue(device),
                Force = context.Parsed.GetValue(force),
            };
            return Change(
                context,
                context.Parsed.GetValue(wait),
                client => client.Call(StorageMethods.DeviceRemove, parameters),
                "emptying");
        });
    }

    private static Verb CreateReplace(GlobalOptions options)
    {
        Argument<string> device = DeviceArgument();
        Argument<string> path = PathArgument();
        Option<bool> wait = WaitOption("Wait until healing has refilled it");
        return new Verb("replace", "Put a new device in the place of one; healing refills it")
        {
            Arguments = { device, path },
            Options = { wait },
            Examples =
            [
                "pangea device replace 3 /srv/disk3-new",
                "pangea device replace 3 /srv/disk3 --wait   # a new disk mounted at the old place",
            ],
        }.WithFormat(options).Does(options, context =>
        {
            var parameters = new DeviceReplaceParameters
            {
                Device = context.Parsed.GetRequiredValue(device),
                Path = FullPath(context.Parsed.GetRequiredValue(path)),
            };
            return Change(
                context,
                context.Parsed.GetValue(wait),
                client => client.Call(StorageMethods.DeviceReplace, parameters),
                "refilling");
        });
    }

    private static int Change(
        CommandContext context,
        bool wait,
        Func<RpcClient, Result<DeviceChangeResult>> call,
        string work)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<DeviceChangeResult> changed = call(client);
        if (!changed.IsOk)
        {
            return context.Fail(changed.Fault);
        }

        DeviceChangeResult change = changed.Value;
        bool removing = change.Draining is not null;
        if (wait && change.Draining != false)
        {
            Fault? fault = WorkProgress.Wait(
                context, $"{work} device {change.Index}", () => Step(client, change, removing));
            if (fault is not null)
            {
                return context.Fail(fault);
            }

            change = removing ? change with { Draining = false } : change;
        }

        if (context.IsJson)
        {
            context.PrintJson(change, ControlJson.Default.DeviceChangeResult);
            return ExitCodes.Ok;
        }

        string path = FaultReport.Printable(change.Path);
        context.Out.WriteLine(change.Draining switch
        {
            true => $"emptying device {change.Index}, {path}; {ChangeHint} shows how far it is",
            false => $"removed device {change.Index}, {path}",
            null => wait
                ? $"replaced device {change.Index} by {path}, its shards are there"
                : $"replaced device {change.Index} by {path}; {ChangeHint} shows its refilling",
        });
        return ExitCodes.Ok;
    }

    /// <summary>How far the emptying or refilling of the device is.</summary>
    private static Result<WorkStep> Step(
        RpcClient client, DeviceChangeResult change, bool removing)
    {
        Result<DeviceListResult> list = client.Call(StorageMethods.DeviceList, Nothing.Value);
        if (!list.IsOk)
        {
            return list.Fault;
        }

        DeviceStatus? device = list.Value.Devices.FirstOrDefault(
            each => each.Index == change.Index && each.Path == change.Path);
        if (device is null)
        {
            return removing
                ? new WorkStep(1, 1, IsOver: true)
                : new Fault(FaultCode.NotFound, $"device {change.Index} was taken out meanwhile");
        }

        if (removing && device.Draining != true)
        {
            return new Fault(
                FaultCode.BadState,
                $"device {change.Index} stays: {device.Reason ?? "its removal was withdrawn"}",
                "take it out with --force, or make room and try again");
        }

        return device.Healing is { } healing
            ? new WorkStep(healing.ObjectsDone, healing.ObjectsTotal, IsOver: false)
            : new WorkStep(0, 0, IsOver: !removing);
    }

    private static void PrintList(TextWriter output, IReadOnlyList<DeviceStatus> devices)
    {
        Table table = Tables.Make(
            ">DEVICE", "STATE", ">FREE", ">TOTAL", ">LIVE", ">GARBAGE", ">SEGMENTS", "SOURCE",
            "PATH", "WORK", "REASON");
        foreach (DeviceStatus device in devices)
        {
            table.Add(
                device.Index.ToString(),
                StatusCommands.NameOf(device.State.ToString()),
                Quantities.Size(device.FreeBytes),
                Quantities.Size(device.TotalBytes),
                Quantities.Size(device.LiveBytes),
                Quantities.Size(device.GarbageBytes),
                device.Segments is { } segments ? Quantities.Count(segments) : null,
                device.Source is { } source ? StatusCommands.NameOf(source.ToString()) : null,
                device.Path,
                WorkOf(device),
                device.Reason ?? "");
        }

        Tables.Print(table, output);
    }

    private static string WorkOf(DeviceStatus device)
    {
        string what = device.Draining == true ? "emptying" : "healing";
        return device.Healing is { } healing
            ? $"{what} {Quantities.Count(healing.ObjectsDone)}/"
                + Quantities.Count(healing.ObjectsTotal)
            : device.Draining == true ? what : "-";
    }

    /// <summary>The appliance may stand in another directory than the user.</summary>
    private static string FullPath(string path) =>
        path.Length > 0 ? Path.GetFullPath(path) : path;

    private static Argument<string> PathArgument() => new("PATH")
    {
        Description = "Empty directory, or a block device that nothing else uses",
    };

    private static Argument<string> DeviceArgument() => new("DEVICE")
    {
        Description = "Index of the device, or its path",
    };

    private static Option<bool> WaitOption(string description) =>
        new("--wait", "-w") { Description = description };
}
