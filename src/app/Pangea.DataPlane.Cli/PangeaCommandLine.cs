using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Pangea.DataPlane.Cli.Commands;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli;

/// <summary>
/// The command line of the appliance: one executable, several roles (decision A1).
/// </summary>
public static class PangeaCommandLine
{
    /// <summary>
    /// Runs one command line and returns its exit code (see <see cref="ExitCodes"/>).
    /// </summary>
    /// <param name="args">The arguments, without the program's name.</param>
    /// <param name="roles">What makes this executable a process of the appliance.</param>
    public static int Run(string[] args, RoleVerbs roles)
    {
        // The supervisor reads its own arguments; only its help is ours.
        bool asksHelp = args.Any(a => a is "--help" or "-h" or "-?");
        return args is ["supervise", .. string[] rest] && !asksHelp
            ? roles.Supervise(rest)
            : Run(args, roles, Console.Out, Console.Error);
    }

    /// <summary>Runs a client command with the given writers; for tests.</summary>
    internal static int Run(string[] args, RoleVerbs roles, TextWriter output, TextWriter error)
    {
        var invocation = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,

            // Commands that have something to undo handle signals themselves.
            ProcessTerminationTimeout = null,
        };
        try
        {
            // "@office" is a set of a firewall rule, not a file of further arguments.
            var parsing = new ParserConfiguration { ResponseFileTokenReplacer = null };
            ParseResult parsed = CreateRoot(roles).Parse(
                args.Length == 0 ? ["--help"] : args, parsing);
            bool asksHelp = parsed.Action is HelpWithExamples;
            if (parsed.Action is ParseErrorAction
                || (!asksHelp && MistakenOption(parsed) is not null))
            {
                return RefuseUsage(parsed, error);
            }

            return parsed.Invoke(invocation);
        }
        catch (IOException e)
        {
            // What we print goes to a pipe whose reader has left, as in "pangea ls | head".
            FaultReport.Write(error, new Fault(FaultCode.Io, e.Message), json: false);
            return ExitCodes.Failed;
        }
    }

    private static RootCommand CreateRoot(RoleVerbs roles)
    {
        var options = new GlobalOptions();
        var root = new RootCommand(
            "Keeps objects on many disks and brings them back when some are lost.")
        {
            Options = { options.Socket, options.Json },
            Subcommands =
            {
                PutCommand.Create(options),
                GetCommand.Create(options),
                ObjectCommands.CreateList(options),
                ObjectCommands.CreateStat(options),
                ObjectCommands.CreateRemove(options),
                StatusCommands.CreateStatus(options),
                WorkerCommands.Create(options),
                StatsCommands.CreateStats(options),
                DeviceCommands.Create(options),
                MaintenanceCommands.CreateScrub(options),
                MaintenanceCommands.CreateHeal(options),
                MaintenanceCommands.CreateCatalog(options),
                FirewallCommands.Create(options),
                KeyCommands.Create(options),
                LifeCommands.CreateConfig(options),
                LifeCommands.CreateUpgrade(options),
                CapabilitiesCommand.Create(options),
                SystemCommands.CreateVersion(options),
                SystemCommands.CreateRpc(options),
                SystemCommands.CreateSupervise(roles),
            },
        };
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }

    /// <summary>
    /// An argument that looks like an option but is none: the parser would take "ls --bogus" for a
    /// prefix. After "--" any text is an argument.
    /// </summary>
    private static string? MistakenOption(ParseResult parsed)
    {
        IEnumerable<string> optionsEnd = parsed.Tokens
            .SkipWhile(t => t.Type != TokenType.DoubleDash).Select(t => t.Value);
        return parsed.CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(a => a.Tokens)
            .Select(t => t.Value)
            .FirstOrDefault(v => v.Length > 1 && v[0] == '-' && !optionsEnd.Contains(v));
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static int RefuseUsage(ParseResult parsed, TextWriter error)
    {
        var words = new List<string>();
        for (var command = parsed.CommandResult; command is not null;
            command = command.Parent as CommandResult)
        {
            words.Insert(0, command.Command is RootCommand ? "pangea" : command.Command.Name);
        }

        // A word that fits nowhere explains the rest: "pangea pud FILE" lacks no command, it has a
        // wrong one.
        string? unmatched = MistakenOption(parsed) ?? parsed.UnmatchedTokens.FirstOrDefault();
        string message = unmatched is not null
            ? $"'{unmatched}' is no command, option or argument here"
            : OneLine(parsed.Errors[0].Message).TrimEnd('.');
        FaultReport.Write(
            error,
            new Fault(
                FaultCode.InvalidParameters,
                message,
                $"{string.Join(' ', words)} --help shows the usage"),
            json: false);
        return ExitCodes.Usage;
    }
}
