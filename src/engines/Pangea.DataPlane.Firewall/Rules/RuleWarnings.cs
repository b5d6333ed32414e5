using System.Globalization;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>What is probably not meant in a rule set, said in sentences.</summary>
public static class RuleWarnings
{
    /// <summary>More than this help nobody.</summary>
    public const int Max = 100;

    private const int TextCharsMax = 80;

    /// <summary>Unknown interfaces, then rules that never decide, in their order.</summary>
    public static IReadOnlyList<string> Of(CompiledPolicy policy, DateTimeOffset now)
    {
        List<string> warnings = [.. policy.Warnings.Take(Max)];
        IReadOnlyList<ShadowedRule> shadowed = RuleReport.Shadowed(policy.RuleSet, now);
        Dictionary<Rule, int> numbers = new(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < policy.RuleSet.Rules.Count && shadowed.Count > 0; i++)
        {
            numbers.TryAdd(policy.RuleSet.Rules[i], i + 1);
        }

        foreach (ShadowedRule each in shadowed.Take(Max - warnings.Count))
        {
            string why = each.Contradicts ? "and does something else" : "and does the same";
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"rule {numbers[each.Rule]} ({Short(each.Rule)}) never decides: "
                    + $"rule {numbers[each.By]} ({Short(each.By)}) comes first {why}"));
        }

        int left = policy.Warnings.Count + shadowed.Count - warnings.Count;
        if (left > 0)
        {
            warnings.Add(string.Create(CultureInfo.InvariantCulture, $"and {left} more"));
        }

        return warnings;
    }

    private static string Short(Rule rule)
    {
        string text = RuleText.Print(rule);
        return text.Length <= TextCharsMax
            ? text
            : string.Concat(text.AsSpan(0, TextCharsMax), " ...");
    }
}
