using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Firewalling;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall rule</c>: single rules; whole files are in
/// <see cref="FirewallRuleFileCommands"/>.</summary>
internal static class FirewallRuleCommands
{
    public static Verb Create(GlobalOptions options) =>
        new("rule", "Look at the rules and change them")
        {
            Subcommands =
            {
                CreateList(options), CreateAdd(options), CreateRemove(options),
                FirewallRuleFileCommands.CreateReplace(options),
                FirewallRuleFileCommands.CreateCheck(options),
                FirewallRuleFileCommands.CreateExport(options),
            },
            Examples =
            [
                "pangea firewall rule list",
                "pangea firewall rule add deny from 192.0.2.0/24 name bad",
                "pangea firewall rule remove bad",
                "pangea firewall rule replace rules.fw --confirm 30s",
            ],
        };

    /// <summary>The option of all changes that can lock somebody out.</summary>
    public static Option<string?> ConfirmOption() => new("--confirm")
    {
        Description =
            "Take the change back after this time, such as 30s or 5m, unless it is confirmed",
        HelpName = "TIME",
    };

    /// <summary>The seconds of that option; false where the text was reported as wrong.</summary>
    public static bool TryConfirm(
        CommandContext context, Option<string?> option, out int? seconds, out int exit)
    {
        seconds = null;
        exit = ExitCodes.Ok;
        if (context.Parsed.GetValue(option) is not { } text)
        {
            return true;
        }

        Result<long> parsed = TimeSpanText.ParseSeconds(
            text, "confirm", "time to confirm within");
        if (!parsed.IsOk)
        {
            exit = context.Fail(parsed.Fault);
            return false;
        }

        seconds = (int)Math.Min(parsed.Value, int.MaxValue);
        if (seconds > FirewallRuleMethods.ConfirmSecondsMax)
        {
            exit = context.Fail(Fault.InvalidParameter(
                "confirm", $"{text} is too long a time to confirm within, at most 1d"));
            return false;
        }

        return true;
    }

    /// <summary>Prints page after page; all pages are of one generation.</summary>
    private static int List(CommandContext context)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        List<FirewallRule> rules = [];
        FirewallRuleListResult page;
        var parameters = new FirewallRuleListParameters();
        do
        {
            Result<FirewallRuleListResult> result = client.Call(
                FirewallRuleMethods.List, parameters);
            if (!result.IsOk)
            {
                return context.Fail(result.Fault);
            }

            page = result.Value;
            rules.AddRange(page.Rules);
            parameters = new FirewallRuleListParameters
            {
                After = page.Next,
                Generation = page.Generation,
            };
        }
        while (page.Next is not null);

        if (context.IsJson)
        {
            context.PrintJson(
                page with { Rules = rules, Next = null },
                ControlJson.Default.FirewallRuleListResult);
            return ExitCodes.Ok;
        }

        if (rules.Count == 0)
        {
            context.Out.WriteLine("there are no rules; pangea firewall rule add makes one");
            return ExitCodes.Ok;
        }

        Print(context.Out, rules);
        return ExitCodes.Ok;
    }

    private static void Print(TextWriter output, List<FirewallRule> rules)
    {
        bool monitors = rules.Exists(rule => rule.WouldDrop is > 0);
        Table table = monitors
            ? Tables.Make(">RULE", ">PACKETS", ">BYTES", ">DROPPED", ">WOULD DROP", "TEXT")
            : Tables.Make(">RULE", ">PACKETS", ">BYTES", ">DROPPED", "TEXT");
        foreach (FirewallRule rule in rules)
        {
            string text = rule.Text + (rule.Expires <= DateTime.UtcNow
                ? "   # expired"
                : rule.ShadowedBy is { } by
                    ? $"   # never decides: rule {by} comes first"
                    : "");
            string[] cells =
            [
                rule.Number.ToString(CultureInfo.InvariantCulture),
                Quantities.Count(rule.Packets),
                Quantities.Size(rule.Bytes),
                Quantities.Count(rule.Drops),
                .. monitors ? (string[])[Quantities.Count(rule.WouldDrop ?? 0)] : [],
                text,
            ];
            table.Add(cells);
        }

        Tables.Print(table, output);
    }

    private static Verb CreateList(GlobalOptions options) =>
        new Verb("list", "List the rules in use, with their counters")
        {
            Examples =
            [
                "pangea firewall rule list",
                "pangea firewall rule list --json | jq '.rules[] | select(.drops > 0)'",
            ],
        }.WithFormat(options).Does(options, List);

    private static Verb CreateAdd(GlobalOptions options)
    {
        var words = new Argument<string[]>("RULE")
        {
            Description = "The rule, in one text or word by word",
            Arity = ArgumentArity.OneOrMore,
        };
        var number = new Option<int?>("--at")
        {
            Description = "Its place, from 1 (default: the last)",
            HelpName = "NUMBER",
        };
        Option<string?> confirm = ConfirmOption();
        return new Verb("add", "Add a rule")
        {
            Arguments = { words },
            Options = { number, confirm },
            Examples =
            [
                "pangea firewall rule add deny from 192.0.2.0/24 name bad",
                "pangea firewall rule add --at 1 'allow tcp from @office port 22 comment \"SSH\"'",
                "pangea firewall rule add limit udp port 53 rate 50/s per source --confirm 30s",
            ],
        }.WithFormat(options).Does(options, context =>
            TryConfirm(context, confirm, out int? seconds, out int exit)
                ? Add(context, new FirewallRuleAddParameters
                {
                    Text = Join(context.Parsed.GetRequiredValue(words)),
                    Number = context.Parsed.GetValue(number),
                    ConfirmSeconds = seconds,
                })
                : exit);
    }

    private static int Add(CommandContext context, FirewallRuleAddParameters parameters) =>
        context.CallAndPrint(
            FirewallRuleMethods.Add,
            parameters,
            change => FirewallCommands.PrintChange(
                context, $"added rule {change.Number}", change),
            fault =>
            {
                // "column 11: 'prot' is no field of a rule": the sets that a rule may name are only
                // known to the appliance, so it is the one that reads the text.
                string[] parts = fault.Message.Split(' ', ':');
                if (parts is ["column", string column, ..]
                    && int.TryParse(
                        column, NumberStyles.None, CultureInfo.InvariantCulture, out int at)
                    && at > 0 && !parameters.Text.Contains('\n'))
                {
                    RuleFile.WriteLine(context.Err, parameters.Text, at);
                }
            });

    private static Verb CreateRemove(GlobalOptions options)
    {
        var rule = new Argument<string>("RULE")
        {
            Description = "Name of the rule, or its number in the list",
        };
        var generation = new Option<long?>("--generation")
        {
            Description = "Refuse the number unless the rules are still of this generation",
            HelpName = "N",
        };
        Option<string?> confirm = ConfirmOption();
        return new Verb("remove", "Remove a rule")
        {
            Arguments = { rule },
            Options = { generation, confirm },
            Examples =
            [
                "pangea firewall rule remove bad",
                "pangea firewall rule remove 3",
                "pangea firewall rule remove 3 --generation 17 --confirm 30s",
            ],
        }.WithFormat(options).Does(options, context =>
            TryConfirm(context, confirm, out int? seconds, out int exit)
                ? Remove(
                    context,
                    context.Parsed.GetRequiredValue(rule),
                    context.Parsed.GetValue(generation),
                    seconds)
                : exit);
    }

    /// <summary>
    /// A number is looked up first, so that it can be said which rule it was, and so that a change
    /// by somebody else between the two calls is noticed.
    /// </summary>
    private static int Remove(
        CommandContext context, string rule, long? generation, int? seconds)
    {
        bool isNumber = int.TryParse(
            rule, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
        if (!isNumber)
        {
            return context.CallAndPrint(
                FirewallRuleMethods.Remove,
                new FirewallRuleRemoveParameters { Name = rule, ConfirmSeconds = seconds },
                change => FirewallCommands.PrintChange(
                    context, $"removed rule {change.Number} '{rule}'", change));
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<FirewallRuleListResult> found = client.Call(
            FirewallRuleMethods.List,
            new FirewallRuleListParameters
            {
                After = number - 1,
                Limit = 1,
                Generation = generation,
            });
        if (!found.IsOk)
        {
            return context.Fail(found.Fault);
        }

        string text = found.Value.Rules is [{ } known, ..] ? known.Text : "";
        return context.CallAndPrint(
            FirewallRuleMethods.Remove,
            new FirewallRuleRemoveParameters
            {
                Number = number,
                Generation = found.Value.Generation,
                ConfirmSeconds = seconds,
            },
            change => FirewallCommands.PrintChange(
                context, FaultReport.Printable($"removed rule {number}, {text}"), change));
    }

    /// <summary>The shell has taken the quotes of a text with blanks; it gets them back.</summary>
    private static string Join(string[] words) => words.Length == 1
        ? words[0]
        : string.Join(' ', words.Select(word => word.Any(char.IsWhiteSpace)
            ? "\"" + word.Replace("\\", "\\\\", StringComparison.Ordinal)
                .Replace("\"", "\\\"", StringComparison.Ordinal) + "\""
            : word));

    /// <summary>The rules of a file; null where its errors were reported.</summary>
    public static RuleSet? LoadOrReport(CommandContext context, string path, out int exit)
    {
        exit = ExitCodes.Ok;
        Result<RuleFile> file = RuleFile.Load(path);
        if (!file.IsOk)
        {
            exit = context.FailFile(file.Fault);
            return null;
        }

        if (file.Value.Set is null)
        {
            exit = FirewallRuleFileCommands.ReportErrors(context, file.Value);
        }

        return file.Value.Set;
    }
}
