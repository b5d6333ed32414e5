using System.CommandLine;
using System.Diagnostics;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Cli.Transfer;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea scrub</c>, <c>heal</c> and <c>catalog</c>.</summary>
internal static class MaintenanceCommands
{
    public static Verb CreateScrub(GlobalOptions options)
    {
        var rate = new Option<long?>("--bytes-per-second")
        {
            Description = "Bound of the reading for this pass; 0 for none (default: as configured)",
            HelpName = "N",
        };
        var restart = new Option<bool>("--restart")
        {
            Description = "Begin with the first object instead of where the last pass stopped",
        };
        var wait = new Option<bool>("--wait", "-w")
        {
            Description = "Wait until the pass is finished; damaged shards give exit code 9",
        };
        Verb start = new Verb("start", "Check all shards now, or go on with a stopped pass")
        {
            Options = { rate, restart, wait },
            Examples = ["pangea scrub start", "pangea scrub start --bytes-per-second 0 --wait"],
        }.WithFormat(options).Does(options, context => StartScrub(
            context,
            new ScrubStartParameters
            {
                BytesPerSecond = context.Parsed.GetValue(rate),
                Restart = context.Parsed.GetValue(restart),
            },
            context.Parsed.GetValue(wait)));
        Verb stop = new Verb("stop", "Stop checking; the place is kept")
        {
            Examples = ["pangea scrub stop"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.ScrubStop, Nothing.Value, scrub => PrintScrub(context.Out, scrub)));
        Verb status = new Verb("status", "Show how far the checking is and what it found")
        {
            Examples = ["pangea scrub status", "pangea scrub status --json"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.ScrubStatus, Nothing.Value, scrub => PrintScrub(context.Out, scrub)));
        return new Verb("scrub", "Check all shards for damage")
        {
            Subcommands = { start, stop, status },
            Examples = ["pangea scrub status", "pangea scrub start --wait"],
        };
    }

    public static Verb CreateHeal(GlobalOptions options)
    {
        Verb start = new Verb("start", "Look at all objects now and heal them without pauses")
        {
            Examples = ["pangea heal start"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.HealStart, Nothing.Value, heal => PrintHeal(context.Out, heal)));
        Verb status = new Verb("status", "Show what is healed, what waits and what cannot be")
        {
            Examples = ["pangea heal status", "pangea heal status --json | jq .skipped"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            StorageMethods.HealStatus, Nothing.Value, heal => PrintHeal(context.Out, heal)));
        return new Verb("heal", "Rebuild lost shards")
        {
            Subcommands = { start, status },
            Examples = ["pangea heal status", "pangea heal start"],
        };
    }

    public static Verb CreateCatalog(GlobalOptions options)
    {
        Verb rebuild = new Verb("rebuild", "Make the catalog anew from the devices alone")
        {
            Examples = ["pangea catalog rebuild"],
        }.WithFormat(options).Does(options, Rebuild);
        return new Verb("catalog", "Work on the catalog of objects")
        {
            Subcommands = { rebuild },
            Examples = ["pangea catalog rebuild"],
        };
    }

    private static int StartScrub(
        CommandContext context, ScrubStartParameters parameters, bool wait)
    {
        if (!wait)
        {
            return context.CallAndPrint(
                StorageMethods.ScrubStart, parameters, scrub => PrintScrub(context.Out, scrub));
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<ScrubStatus> last = client.Call(StorageMethods.ScrubStart, parameters);
        Fault? fault = last.Fault ?? WorkProgress.Wait(context, "checking", () =>
        {
            last = client.Call(StorageMethods.ScrubStatus, Nothing.Value);
            return last.IsOk
                ? new WorkStep(
                    last.Value.ObjectsChecked, last.Value.ObjectsTotal, !last.Value.Running)
                : last.Fault;
        });
        if (fault is not null)
        {
            return context.Fail(fault);
        }

        if (context.IsJson)
        {
            context.PrintJson(last.Value, ControlJson.Default.ScrubStatus);
        }
        else
        {
            PrintScrub(context.Out, last.Value);
        }

        return last.Value.ErrorsFound == 0 ? ExitCodes.Ok : ExitCodes.Corrupt;
    }

    private static int Rebuild(CommandContext context)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        bool progress = TransferProgress.IsShown(context);
        long started = Stopwatch.GetTimestamp();
        Result<CatalogRebuildResult> result = TransferProgress.Run(
            progress,
            "reading the devices",
            bytesTotal: null,
            onNotification => client.Call(
                StorageMethods.CatalogRebuild,
                new CatalogRebuildParameters { Progress = progress },
                [],
                onNotification));
        if (!result.IsOk)
        {
            return context.Fail(result.Fault);
        }

        if (context.IsJson)
        {
            context.PrintJson(result.Value, ControlJson.Default.CatalogRebuildResult);
            return ExitCodes.Ok;
        }

        context.Out.WriteLine(
            $"rebuilt the catalog: {Quantities.Count(result.Value.Objects)} objects, "
                + $"{Quantities.Size(result.Value.BytesRead)} read in "
                + Quantities.Duration(Stopwatch.GetElapsedTime(started)));
        return ExitCodes.Ok;
    }

    private static void PrintScrub(TextWriter output, ScrubStatus scrub)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("state", scrub.Running ? "checking" : "idle");
        table.Add(
            "objects",
            $"{Quantities.Count(scrub.ObjectsChecked)} of "
                + $"{Quantities.Count(scrub.ObjectsTotal)} checked, "
                + $"{Quantities.Size(scrub.BytesChecked)} read");
        table.Add("errors found", Quantities.Count(scrub.ErrorsFound));
        table.Add("rate", Rate(scrub.BytesPerSecond));
        table.Add("passes", Quantities.Count(scrub.Passes));
        AddTime(table, "began", scrub.Started);
        AddTime(table, "last finished", scrub.LastFinished);
        AddTime(table, "next", scrub.Next);
        if (scrub.Position is { } position)
        {
            table.Add("position", position);
        }

        Tables.Print(table, output);
    }

    private static void PrintHeal(TextWriter output, HealStatus heal)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("state", heal.Running ? "healing" : "idle");
        table.Add(
            "waiting",
            $"{Quantities.Count(heal.QueuedCritical)} critical, "
                + $"{Quantities.Count(heal.QueuedDegraded)} others");
        table.Add(
            "healed",
            $"{Quantities.Count(heal.ObjectsHealed)} objects, "
                + $"{Quantities.Count(heal.ShardsHealed)} shards, "
                + $"{Quantities.Size(heal.BytesWritten)} written");
        table.Add(
            "failures",
            $"{Quantities.Count(heal.Failures)} of {Quantities.Count(heal.Attempts)} attempts");
        table.Add("skipped", Quantities.Count(heal.SkippedTotal));
        table.Add("rate", Rate(heal.BytesPerSecond));
        AddTime(table, "pause until", heal.BackoffUntil);
        AddTime(table, "last finished", heal.LastFinished);
        AddTime(table, "next check", heal.NextCheck);
        Tables.Print(table, output);
        if (heal.Skipped.Count == 0)
        {
            return;
        }

        output.WriteLine();
        Table skipped = Tables.Make(">SHARDS", ">NEEDS", "NEXT TRY", "SKIPPED", "REASON");
        foreach (HealSkipped each in heal.Skipped)
        {
            skipped.Add(
                each.ShardsAvailable.ToString(),
                each.ShardsNeeded.ToString(),
                each.Next is { } next ? Quantities.Time(next) : null,
                each.Name,
                each.Reason);
        }

        Tables.Print(skipped, output);
    }

    private static string Rate(long bytesPerSecond) => bytesPerSecond == 0
        ? "no bound"
        : $"at most {Quantities.Rate(bytesPerSecond, TimeSpan.FromSeconds(1))}";

    private static void AddTime(Table table, string title, DateTime? utc)
    {
        if (utc is { } time)
        {
            table.Add(title, Quantities.Time(time));
        }
    }
}
