using System.CommandLine;
using System.Text;
using Pangea.DataPlane.Cli.Firewalling;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Cli.Transfer;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall rule replace|check|export</c>: rules as files that people keep in
/// git.</summary>
internal static class FirewallRuleFileCommands
{
    public static Verb CreateReplace(GlobalOptions options)
    {
        Argument<string> file = FileArgument();
        Option<string?> confirm = FirewallRuleCommands.ConfirmOption();
        return new Verb("replace", "Put the rules of a file in the place of those in use")
        {
            Aliases = { "import" },
            Arguments = { file },
            Options = { confirm },
            Examples =
            [
                "pangea firewall rule replace rules.fw --confirm 30s",
                "generate-rules | pangea firewall rule replace -",
            ],
        }.WithFormat(options).Does(options, context =>
            FirewallRuleCommands.TryConfirm(context, confirm, out int? seconds, out int exit)
                ? Replace(context, context.Parsed.GetRequiredValue(file), seconds)
                : exit);
    }

    public static Verb CreateCheck(GlobalOptions options)
    {
        Argument<string> file = FileArgument();
        return new Verb("check", "Find all errors of a rule file, and what it hardly means")
        {
            Arguments = { file },
            Examples =
            [
                "pangea firewall rule check rules.fw",
                "pangea firewall rule check rules.fw --json | jq .errors",
            ],
        }.WithFormat(options).Does(
            options, context => Check(context, context.Parsed.GetRequiredValue(file)));
    }

    public static Verb CreateExport(GlobalOptions options)
    {
        var file = new Argument<string?>("FILE")
        {
            Description = "Where to write them (default: standard output)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        return new Verb("export", "Write the rules in use as text that replace takes back")
        {
            Arguments = { file },
            Examples =
            [
                "pangea firewall rule export",
                "pangea firewall rule export rules.fw && git diff rules.fw",
            ],
        }.WithFormat(options).Does(
            options, context => Export(context, context.Parsed.GetValue(file)));
    }

    /// <summary>All errors, with their lines, on standard error.</summary>
    public static int ReportErrors(CommandContext context, RuleFile file)
    {
        string count = file.Errors.Count == 1 ? "1 error" : $"{file.Errors.Count} errors";
        if (context.IsJson)
        {
            context.Err.WriteLine(ErrorsJson(file));
        }
        else
        {
            file.WriteErrors(context.Err);
            context.Err.WriteLine($"pangea: {count} in {FaultReport.Printable(file.Name)}");
        }

        return ExitCodes.Usage;
    }

    private static int Replace(CommandContext context, string path, int? seconds)
    {
        if (FirewallRuleCommands.LoadOrReport(context, path, out int exit) is not { } set)
        {
            return exit;
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<OwnedFd> memory = Files.CreateMemoryFile("rules");
        if (!memory.IsOk)
        {
            return context.Fail(memory.Fault);
        }

        using OwnedFd text = memory.Value;
        if (Write(text, Encoding.UTF8.GetBytes(RuleText.Print(set.WithoutIncludes())))
            is { } fault)
        {
            return context.Fail(fault);
        }

        Files.SetPosition(text, 0);
        Result<FirewallChangeResult> change = client.Call(
            FirewallRuleMethods.Replace,
            new FirewallRuleReplaceParameters { ConfirmSeconds = seconds },
            [text]);
        if (!change.IsOk)
        {
            return context.Fail(change.Fault);
        }

        if (context.IsJson)
        {
            context.PrintJson(change.Value, ControlJson.Default.FirewallChangeResult);
        }
        else
        {
            FirewallCommands.PrintChange(context, "replaced the rules", change.Value);
        }

        return ExitCodes.Ok;
    }

    private static int Check(CommandContext context, string path)
    {
        if (FirewallRuleCommands.LoadOrReport(context, path, out int exit) is not { } set)
        {
            return exit;
        }

        Result<CompiledPolicy> compiled = LocalJudge.Compile(
            set, null, out Dictionary<string, uint> interfaces);
        if (!compiled.IsOk)
        {
            return context.Fail(compiled.Fault);
        }

        CompiledPolicy policy = compiled.Value;
        string[] warnings =
        [
            .. interfaces.Keys.Where(name => !Path.Exists("/sys/class/net/" + name))
                .Select(name => $"there is no interface {name} on this machine"),
            .. RuleWarnings.Of(policy, DateTimeOffset.UtcNow),
        ];
        if (context.IsJson)
        {
            context.PrintJson(
                new FirewallChangeResult
                {
                    Applied = false,
                    Generation = 0,
                    Rules = set.Rules.Count,
                    Prefixes = policy.Sizes.Prefixes,
                    Warnings = warnings,
                    Errors = [],
                },
                ControlJson.Default.FirewallChangeResult);
            return ExitCodes.Ok;
        }

        context.Out.WriteLine(
            $"no errors: {FirewallCommands.Sizes(set.Rules.Count, policy.Sizes.Prefixes)}, "
                + $"compiled {Quantities.Size(policy.ImageBytes.Length)}");
        FirewallCommands.PrintWarnings(context.Out, warnings);
        return ExitCodes.Ok;
    }

    /// <summary>
    /// The appliance writes to memory of ours, not to the file, so a failure leaves the file as it
    /// was.
    /// </summary>
    private static int Export(CommandContext context, string? path)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        Result<OwnedFd> memory = Files.CreateMemoryFile("rules");
        if (!memory.IsOk)
        {
            return context.Fail(memory.Fault);
        }

        using OwnedFd text = memory.Value;
        Result<FirewallRuleExportResult> exported = client.Call(
            FirewallRuleMethods.Export, Nothing.Value, [text]);
        if (!exported.IsOk)
        {
            return context.Fail(exported.Fault);
        }

        byte[] bytes = new byte[exported.Value.Bytes];
        SysResult read = Files.ReadAt(text, bytes, 0);
        if (!read.IsOk || read.Value != bytes.Length)
        {
            return context.Fail(new Fault(
                FaultCode.Internal, $"the export has not the {bytes.Length} bytes it was said to"));
        }

        if (path is not null and not "-")
        {
            return Save(context, path, bytes);
        }

        if (context.IsJson)
        {
            context.PrintJson(
                exported.Value with { Text = Encoding.UTF8.GetString(bytes) },
                ControlJson.Default.FirewallRuleExportResult);
        }
        else
        {
            context.Out.Write(Encoding.UTF8.GetString(bytes));
        }

        return ExitCodes.Ok;
    }

    private static int Save(CommandContext context, string path, byte[] bytes)
    {
        Result<LocalTarget> opened = LocalTarget.Open(path, "rules.fw");
        if (!opened.IsOk)
        {
            return context.FailFile(opened.Fault);
        }

        using LocalTarget target = opened.Value;
        Files.SetDirect(target.File, isDirect: false);
        return (Write(target.File, bytes) ?? target.Commit()) is { } fault
            ? context.FailFile(fault)
            : ExitCodes.Ok;
    }

    private static Fault? Write(OwnedFd file, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            SysResult written = Files.Write(file, bytes);
            if (!written.IsOk)
            {
                return written.Errno.ToFault("write the rules");
            }

            bytes = bytes[(int)written.Value..];
        }

        return null;
    }

    private static string ErrorsJson(RuleFile file)
    {
        Dictionary<string, string[]> lines = [];
        var errors = new RuleFileErrors(
        [
            .. file.Errors.Select(error => new RuleFileError(
                error.Source, error.Line, error.Column, error.Message, file.LineOf(error, lines))),
        ]);
        return CommandContext.Json(errors, CliJson.Default.RuleFileErrors);
    }

    private static Argument<string> FileArgument() => new("FILE")
    {
        Description = "A file of rules, or - for standard input; includes are beside it",
    };
}
