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

    public Option<string?> Format { get; } = MakeFormat(
        "Print text for people, or JSON for programs", "text", "json");

    /// <summary>For commands that have more to tell than fits a line.</summary>
    public Option<string?> WideFormat { get; } = MakeFormat(
        "Print text for people, more of it, or JSON for programs", "text", "wide", "json");

    private static Option<string?> MakeFormat(string description, params string[] formats)
    {
        var option = new Option<string?>("--output", "-o")
        {
            Description = description,
            HelpName = string.Join('|', formats),
        };
        option.AcceptOnlyFromAmong(formats);
        return option;
    }
}
