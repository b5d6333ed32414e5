using System.CommandLine;
using System.Text.Json;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea ls</c>, <c>stat</c> and <c>rm</c>.</summary>
internal static class ObjectCommands
{
    public static Verb CreateList(GlobalOptions options)
    {
        var prefix = new Argument<string?>("PREFIX")
        {
            Description = "Only names that begin with this text",
            Arity = ArgumentArity.ZeroOrOne,
        };
        return new Verb("ls", "List objects")
        {
            Arguments = { prefix },
            Examples = ["pangea ls", "pangea ls 2026/", "pangea ls --json | jq '.objects[].name'"],
        }.WithFormat(options).Does(
            options, context => List(context, context.Parsed.GetValue(prefix)));
    }

    public static Verb CreateStat(GlobalOptions options)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the object" };
        return new Verb("stat", "Show everything about an object")
        {
            Arguments = { name },
            Aliases = { "head" },
            Examples = ["pangea stat report.pdf", "pangea head report.pdf --json"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            RpcMethods.ObjectStat,
            new ObjectNameParameters { Name = context.Parsed.GetRequiredValue(name) },
            stat => PrintStat(context, stat)));
    }

    public static Verb CreateRemove(GlobalOptions options)
    {
        var names = new Argument<string[]>("NAME")
        {
            Description = "Names of the objects",
            Arity = ArgumentArity.OneOrMore,
        };
        return new Verb("rm", "Remove objects")
        {
            Arguments = { names },
            Examples = ["pangea rm report.pdf", "pangea rm old-1 old-2 old-3"],
        }.WithFormat(options).Does(
            options, context => Remove(context, context.Parsed.GetRequiredValue(names)));
    }

    /// <summary>
    /// Prints page after page, so the number of objects has no influence on memory.
    /// </summary>
    private static int List(CommandContext context, string? prefix)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        string? after = null;
        int page = 0;
        do
        {
            Result<ObjectListResult> result = client.Call(
                RpcMethods.ObjectList, new ObjectListParameters { Prefix = prefix, After = after });
            if (!result.IsOk)
            {
                return context.Fail(result.Fault);
            }

            if (context.IsJson)
            {
                PrintJsonPage(context.Out, result.Value, isFirst: page == 0);
            }
            else if (result.Value.Objects.Count > 0)
            {
                PrintPage(context.Out, result.Value, isFirst: page == 0);
            }

            after = result.Value.Next;
            page++;
        }
        while (after is not null);
        return ExitCodes.Ok;
    }

    private static void PrintJsonPage(TextWriter output, ObjectListResult page, bool isFirst)
    {
        output.Write(isFirst ? "{\"objects\":[" : "");
        for (int i = 0; i < page.Objects.Count; i++)
        {
            output.Write(isFirst && i == 0 ? "" : ",");
            output.Write(
                JsonSerializer.Serialize(page.Objects[i], ControlJson.Default.ObjectEntry));
        }

        output.Write(page.Next is null ? "]}\n" : "");
    }

    private static void PrintPage(TextWriter output, ObjectListResult page, bool isFirst)
    {
        // Fixed widths and the name last: pages line up without knowing each other.
        Table table = Tables.Make(">SIZE", ">STORED", "CREATED", "NAME");
        table.ShowHeaders = isFirst;
        table.Columns[0].Width = 9;
        table.Columns[1].Width = 9;
        table.Columns[2].Width = 19;
        foreach (ObjectEntry entry in page.Objects)
        {
            table.Add(
                Quantities.Size(entry.Bytes),
                Quantities.Size(entry.StoredBytes),
                Quantities.Time(entry.Created),
                entry.Name);
        }

        Tables.Print(table, output);
    }

    private static void PrintStat(CommandContext context, ObjectStatResult stat)
    {
        RedundancyRecord redundancy = stat.Redundancy;
        var lost = stat.Devices.Where(d => d.State != ShardState.Ok).ToList();
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("name", stat.Name);
        table.Add("id", stat.Id);
        table.Add("size", $"{Quantities.Size(stat.Bytes)} ({Quantities.Count(stat.Bytes)} bytes)");
        table.Add(
            "stored",
            $"{Quantities.Size(stat.StoredBytes)} ({Quantities.Count(stat.StoredBytes)} bytes)");
        table.Add("created", Quantities.Time(stat.Created));
        if (stat.Expires is { } expires)
        {
            string life = stat.TtlSeconds is { } seconds
                ? $", {Quantities.Uptime(seconds)} after its last put or get"
                : "";
            table.Add("expires", Quantities.Time(expires) + life);
        }

        table.Add("sha256", stat.Sha256);
        table.Add("type", stat.FileType);
        table.Add(
            "stripes", $"{Quantities.Count(stat.Stripes)} of {Quantities.Size(stat.StripeBytes)}");
        table.Add("redundancy", $"{redundancy.DataShards}+{redundancy.ParityShards}");
        table.Add("key", stat.KeyId);
        if (stat.Statistics is { } use)
        {
            table.Add(
                "fetched",
                $"{Quantities.Count(use.Gets)} times, {Quantities.Size(use.BytesServed)}"
                    + (use.LastGet is { } last ? $", last {Quantities.Time(last)}" : ""));
        }

        table.Add(
            "shards",
            $"{stat.ShardsAvailable} of {stat.Devices.Count} available, " +
            $"needs {redundancy.DataShards}: " +
            (stat.Restorable ? "restorable" : "NOT restorable"));
        if (lost.Count > 0)
        {
            table.Add(
                "lost on",
                string.Join(
                    ", ",
                    lost.Select(d => $"{d.Index} ({d.State.ToString().ToLowerInvariant()})")));
        }

        Tables.Print(table, context.Out);
    }

    private static int Remove(CommandContext context, string[] names)
    {
        // Every name is tried; the first failure decides the exit code.
        int exitCode = ExitCodes.Ok;
        foreach (string name in names)
        {
            int one = context.CallAndPrint(
                RpcMethods.ObjectRemove,
                new ObjectNameParameters { Name = name },
                removed => context.Out.WriteLine(
                    $"removed {FaultReport.Printable(removed.Name)}: " +
                    $"{Quantities.Size(removed.Bytes)}"));
            exitCode = exitCode == ExitCodes.Ok ? one : exitCode;
            if (one == ExitCodes.NotReachable)
            {
                break;
            }
        }

        return exitCode;
    }
}
