using System.CommandLine;

namespace Pangea.DataPlane.Cli;

/// <summary>One command of the tool, with examples for its help.</summary>
internal sealed class Verb : Command
{
    public Verb(string name, string description)
        : base(name, description)
    {
    }

    /// <summary>Lines to type, shown by --help.</summary>
    public string[] Examples { get; init; } = [];

    /// <summary>
    /// Adds the option that chooses the output format; <c>get</c> has an --output of its own and
    /// takes only --json.
    /// </summary>
    public Verb WithFormat(GlobalOptions options)
    {
        Options.Add(options.Format);
        return this;
    }

    /// <summary>The same for a command that has more to tell than fits a line.</summary>
    public Verb WithWideFormat(GlobalOptions options)
    {
        Options.Add(options.WideFormat);
        return this;
    }

    /// <summary>
    /// Sets what the command does; it gets its context and returns the exit code.
    /// </summary>
    public Verb Does(GlobalOptions options, Func<CommandContext, int> action)
    {
        SetAction(parsed =>
        {
            using var context = new CommandContext(parsed, options);
            return action(context);
        });
        return this;
    }
}
