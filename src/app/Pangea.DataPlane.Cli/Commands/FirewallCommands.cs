using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall</c>: the state of it, interfaces, and unconfirmed
/// changes.</summary>
internal static class FirewallCommands
{
    private const string StatusLine = "pangea firewall status";

    public static Verb Create(GlobalOptions options) =>
        new("firewall", "Drop packets that do not belong here, before the kernel spends on them")
        {
            Aliases = { "fw" },
            Subcommands =
            {
                CreateStatus(options), CreateAttach(options), CreateDetach(options),
                FirewallRuleCommands.Create(options), CreateConfirm(options),
                CreateRollback(options), FirewallBanCommands.CreateBan(options),
                FirewallBanCommands.CreateUnban(options), FirewallBanCommands.CreateBans(options),
                FirewallStatsCommands.CreateStats(options),
                FirewallStatsCommands.CreateEvents(options), FirewallTestCommand.Create(options),
            },
            Examples =
            [
                StatusLine,
                "pangea firewall rule check rules.fw",
                "pangea firewall rule replace rules.fw --confirm 30s",
                "pangea firewall ban 192.0.2.1 --for 10m",
                "pangea firewall test tcp syn '192.0.2.1 > 198.51.100.1:22'",
            ],
        };

    /// <summary>What every change of the rules says at its end.</summary>
    public static void PrintChange(
        CommandContext context, string what, FirewallChangeResult change)
    {
        TextWriter output = context.Out;
        output.WriteLine(
            $"{what}: {Sizes(change.Rules, change.Prefixes)}, generation {change.Generation}");
        PrintWarnings(context.Err, change.Warnings);
        if (change.ConfirmBefore is { } before)
        {
            double left = Math.Max(0, (before - DateTime.UtcNow).TotalSeconds);
            output.WriteLine(
                $"not confirmed: the rules before come back at {Quantities.Time(before)}, in "
                    + $"{Quantities.Uptime((long)Math.Round(left))}, unless you run");
            output.WriteLine("  pangea firewall confirm");
        }
    }

    /// <summary>"1 rule, 1,000 prefixes".</summary>
    public static string Sizes(long rules, long prefixes) =>
        $"{Quantities.Count(rules)} rule{(rules == 1 ? "" : "s")}, "
            + $"{Quantities.Count(prefixes)} prefix{(prefixes == 1 ? "" : "es")}";

    public static void PrintWarnings(TextWriter output, IReadOnlyList<string> warnings)
    {
        foreach (string warning in warnings)
        {
            output.WriteLine($"warning: {FaultReport.Printable(warning)}");
        }
    }

    public static void PrintInterfaces(
        TextWriter output, IReadOnlyList<FirewallInterface> interfaces)
    {
        Table table = Tables.Make("INTERFACE", "MODE", "WANTED", "SOURCE", "REASON");
        foreach (FirewallInterface each in interfaces)
        {
            table.Add(
                each.Name,
                each.Present ? each.Mode : "absent",
                each.Force ? each.Wanted + ", force" : each.Wanted,
                each.Configured ? "configuration" : "call",
                each.Reason ?? "");
        }

        Tables.Print(table, output);
        foreach (FirewallInterface each in interfaces)
        {
            PrintUnguarded(output, each);
        }
    }

    /// <summary>
    /// Nobody should believe that packets drop where they only would if we received them.
    /// </summary>
    private static void PrintUnguarded(TextWriter output, FirewallInterface each)
    {
        if (each is { Present: true, Mode: "userspace" or "none" })
        {
            output.WriteLine(FaultReport.Printable(
                $"warning: nothing drops packets of {each.Name} before the kernel takes them"));
        }
    }

    private static Verb CreateStatus(GlobalOptions options) =>
        new Verb("status", "Show whether it is on, where it judges packets, and why there")
        {
            Examples = [StatusLine, "pangea firewall status --json | jq '.interfaces[].mode'"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            FirewallMethods.Status, Nothing.Value, status => PrintStatus(context.Out, status)));

    private static Verb CreateAttach(GlobalOptions options)
    {
        var name = new Argument<string>("INTERFACE") { Description = "Name of the interface" };
        var mode = new Option<string?>("--mode")
        {
            Description = "Where its packets are judged (default: auto, the first that works)",
            HelpName = "auto|native|generic|userspace",
        };
        mode.AcceptOnlyFromAmong("auto", "native", "generic", "userspace");
        var force = new Option<bool>("--force")
        {
            Description = "Replace the XDP program of somebody else",
        };
        return new Verb("attach", "Guard an interface, now and after each restart")
        {
            Arguments = { name },
            Options = { mode, force },
            Examples = ["pangea firewall attach eth0", "pangea firewall attach eth0 --mode native"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            FirewallMethods.Attach,
            new FirewallAttachParameters
            {
                Interface = context.Parsed.GetRequiredValue(name),
                Mode = context.Parsed.GetValue(mode),
                Force = context.Parsed.GetValue(force),
            },
            attached =>
            {
                context.Out.WriteLine(FaultReport.Printable(
                    $"{attached.Name}: {attached.Mode}"
                        + (attached.Reason is { } reason ? $", because {reason}" : "")));
                PrintUnguarded(context.Err, attached);
            }));
    }

    private static Verb CreateDetach(GlobalOptions options)
    {
        var name = new Argument<string?>("INTERFACE")
        {
            Description = "Name of the interface",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var all = new Option<bool>("--all") { Description = "Leave all interfaces" };
        return new Verb("detach", "Leave an interface, and nothing behind in the kernel")
        {
            Arguments = { name },
            Options = { all },
            Examples = ["pangea firewall detach eth0", "pangea firewall detach --all"],
        }.WithFormat(options).Does(options, context =>
        {
            string? one = context.Parsed.GetValue(name);
            return one is null == context.Parsed.GetValue(all)
                ? context.CallAndPrint(
                    FirewallMethods.Detach,
                    new FirewallDetachParameters { Interface = one },
                    done => context.Out.WriteLine(FaultReport.Printable(
                        done.Interfaces.Count == 0
                            ? "nothing was attached"
                            : "left " + string.Join(", ", done.Interfaces))))
                : context.Fail(Core.Fault.InvalidParameter(
                    "interface", "name one interface, or say --all"));
        });
    }

    private static Verb CreateConfirm(GlobalOptions options) =>
        new Verb("confirm", "Keep the change that waits to be confirmed")
        {
            Examples = ["pangea firewall confirm"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            FirewallRuleMethods.Confirm,
            Nothing.Value,
            change => PrintChange(context, "confirmed", change)));

    private static Verb CreateRollback(GlobalOptions options) =>
        new Verb("rollback", "Take the change that waits to be confirmed back at once")
        {
            Examples = ["pangea firewall rollback"],
        }.WithFormat(options).Does(options, context => context.CallAndPrint(
            FirewallRuleMethods.Rollback,
            Nothing.Value,
            change => PrintChange(context, "the rules before are back", change)));

    private static void PrintStatus(TextWriter output, FirewallStatusResult status)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        if (!status.Enabled)
        {
            output.WriteLine(FaultReport.Printable(status.Reason ?? "the firewall is off"));
            return;
        }

        table.Add("firewall", status.Reason is { } reason ? $"on: {reason}" : "on");

        string from = status.RulesFrom switch
        {
            "file" => $"from {status.RulesFile}",
            "state" => "as before the restart",
            "call" => "as changed by a call",
            _ => "none were given",
        };
        table.Add(
            "rules",
            $"{Quantities.Count(status.Rules)}, {Quantities.Count(status.Prefixes)} prefixes, "
                + $"{from}, generation {status.Generation.ToString(CultureInfo.InvariantCulture)}");
        table.Add(
            "no rule matches",
            status.Default + (status.Monitor ? "; monitor mode: nothing is dropped" : ""));
        if (status.ConfirmBefore is { } before)
        {
            table.Add(
                "unconfirmed",
                $"the rules before come back at {Quantities.Time(before)}; "
                    + "pangea firewall confirm keeps these");
        }

        table.Add(
            "bans", $"{Quantities.Count(status.Bans)} of {Quantities.Count(status.BansMax)}");
        table.Add(
            "memory",
            $"rules {Quantities.Size(status.ImageBytes)}, maps {Quantities.Size(status.MapBytes)}");
        Tables.Print(table, output);
        PrintWarnings(output, status.Warnings);
        output.WriteLine();
        PrintInterfaces(output, status.Interfaces);
    }
}
