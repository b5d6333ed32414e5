using System.CommandLine;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Cli;

/// <summary>Options that every command understands.</summary>
internal sealed class GlobalOptions
{
    public Option<string?> Socket { get; } = new("--socket")
    {
        Description =
            $"Control socket of the appliance [{ControlAddress.Variable}; default: " +
                $"{ControlAddress.Default}]",
        HelpName = "PATH",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON, for programs (the same as -o json)",
        Recursive = true,
    };

    public Option<string?> Format { get; } = MakeFormat();

    private static Option<string?> MakeFormat()
    {
        var option = new Option<string?>("--output", "-o")
        {
            Description = "Print text for people, or JSON for programs",
            HelpName = "text|json",
        };
        option.AcceptOnlyFromAmong("text", "json");
        return option;
    }
}
