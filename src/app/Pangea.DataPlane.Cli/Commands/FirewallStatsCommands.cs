using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall stats|events</c>.</summary>
internal static class FirewallStatsCommands
{
    /// <summary>Often enough for eyes; the appliance samples in its own rhythm.</summary>
    private const int FollowMilliseconds = 300;

    public static Verb CreateStats(GlobalOptions options) =>
        new Verb("stats", "Count packets and bytes by what decided about them")
        {
            Examples =
            [
                "pangea firewall stats",
                "pangea firewall stats --json | jq '.reasons[] | select(.reason==\"ban\")'",
            ],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            FirewallMethods.Stats, Nothing.Value, stats => PrintStats(context.Out, stats)));

    public static Verb CreateEvents(GlobalOptions options)
    {
        var follow = new Option<bool>("--follow", "-f")
        {
            Description = "Go on with what is dropped from now on, until Ctrl-C",
        };
        return new Verb("events", "Show samples of what was dropped")
        {
            Options = { follow },
            Examples =
            [
                "pangea firewall events",
                "pangea firewall events --follow",
                "pangea firewall events -f --json | jq -r .packet",
            ],
        }.WithFormat(options).Does(
            options, context => Events(context, context.Parsed.GetValue(follow)));
    }

    /// <summary>"rule 3 ssh", "ban", "malformed vlan-depth".</summary>
    public static string By(string reason, string? malformed, int? number, string? name)
    {
        string rule = number is null
            ? name is null ? "" : $" {name}"
            : string.Create(CultureInfo.InvariantCulture, $" {number}")
                + (name is null ? "" : $" {name}");
        return reason switch
        {
            "malformed" => $"malformed {malformed}",
            "rate" => "rate of" + (rule.Length == 0 ? " a rule" : $" rule{rule}"),
            "rule" => $"rule{rule}",
            _ => reason,
        };
    }

    private static void PrintStats(TextWriter output, FirewallStatsResult stats)
    {
        Table table = Tables.Make(
            "REASON", ">PASSED", ">BYTES", ">DROPPED", ">BYTES", ">WOULD DROP", ">BYTES");
        foreach (FirewallReasonCount each in stats.Reasons)
        {
            table.Add(
                each.Reason,
                Quantities.Count(each.PassedPackets),
                Quantities.Size(each.PassedBytes),
                Quantities.Count(each.DroppedPackets),
                Quantities.Size(each.DroppedBytes),
                Quantities.Count(each.WouldDropPackets),
                Quantities.Size(each.WouldDropBytes));
        }

        Tables.Print(table, output);
        if (stats.Malformed.Count > 0)
        {
            output.WriteLine();
            Table kinds = Tables.Make("MALFORMED", ">PACKETS", ">BYTES");
            foreach (FirewallMalformedCount each in stats.Malformed)
            {
                kinds.Add(
                    each.Kind, Quantities.Count(each.Packets), Quantities.Size(each.Bytes));
            }

            Tables.Print(kinds, output);
        }

        output.WriteLine();
        output.WriteLine(
            $"{Quantities.Count(stats.Bans)} banned"
                + (stats.BansRefused == 0
                    ? ""
                    : $"; {Quantities.Count(stats.BansRefused)} bans found no room"));
        output.WriteLine();
        FirewallCommands.PrintInterfaces(output, stats.Interfaces);
    }

    private static int Events(CommandContext context, bool follow)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        long? after = null;
        while (true)
        {
            Result<FirewallEventsResult> page = client.Call(
                FirewallMethods.Events, new FirewallEventsParameters { After = after });
            if (!page.IsOk)
            {
                return context.Fail(page.Fault);
            }

            foreach (FirewallEvent each in page.Value.Events)
            {
                if (context.IsJson)
                {
                    context.PrintJson(each, ControlJson.Default.FirewallEvent);
                }
                else
                {
                    context.Out.WriteLine(FaultReport.Printable(Line(each)));
                }
            }

            after = page.Value.Next;
            if (page.Value.Events.Count == 0)
            {
                if (!follow)
                {
                    return ExitCodes.Ok;
                }

                context.Out.Flush();
                Thread.Sleep(FollowMilliseconds);
            }
        }
    }

    private static string Line(FirewallEvent each)
    {
        string time = each.Time.ToLocalTime().ToString(
            "HH:mm:ss.fff", CultureInfo.InvariantCulture);
        string by = By(each.Reason, each.Malformed, each.Number, each.Name);
        return $"{time}  {each.Interface ?? "-",-10}  {each.Verdict,-9}  {by,-20}  {each.Packet}";
    }
}
