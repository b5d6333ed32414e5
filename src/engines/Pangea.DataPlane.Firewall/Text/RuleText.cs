using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>What came of a text: a rule set, or everything that is wrong with it.</summary>
public sealed record RuleTextResult(RuleSet? Set, IReadOnlyList<RuleError> Errors);

/// <summary>
/// The text of rule sets that people write and keep in git: one statement a line. Described in
/// docs/firewall.md. What <see cref="Print(RuleSet)"/> writes parses back to the same.
/// </summary>
public static class RuleText
{
    /// <summary>More errors than this help nobody.</summary>
    public const int ErrorsMax = 1000;

    /// <summary>Reads a rule set.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="source">Its name in errors.</param>
    /// <param name="include">
    /// Reads an included file, or all files of an included folder; null refuses includes.
    /// </param>
    public static RuleTextResult Parse(
        string text, string source, Func<string, Result<IReadOnlyList<ListFile>>>? include = null)
    {
        RuleSetParser parser = new(source, include);
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            parser.Line(line.TrimEnd('\r'), ++number);
        }

        return parser.End();
    }

    /// <summary>Reads one rule; the sets it names must be among those given.</summary>
    public static Result<Rule> ParseRule(string text, IReadOnlyDictionary<string, PrefixSet> sets)
    {
        RuleSetParser parser = new("rule", null);
        parser.Line(text, 1);
        RuleTextResult result = parser.End(sets);
        if (result.Errors is [RuleError error, ..])
        {
            return Fault.InvalidParameter("rule", $"column {error.Column}: {error.Message}");
        }

        return result.Set!.Rules is [Rule rule]
            ? rule
            : Fault.InvalidParameter("rule", "expected one rule: allow, deny or limit ...");
    }

    /// <summary>The word of the text for a way of being malformed: "vlan-depth".</summary>
    public static string Word(MalformedKind kind) =>
        RuleWords.NameOf(RuleWords.MalformedKinds, kind) ?? "none";

    /// <summary>The canonical text of a set.</summary>
    public static string Print(RuleSet set) => RulePrinter.Print(set);

    /// <summary>The canonical text of a rule, without a line end.</summary>
    public static string Print(Rule rule) => RulePrinter.Print(rule);

    /// <inheritdoc cref="Print(Rule)"/>
    public static string Print(Pin pin) => RulePrinter.Print(pin);
}
