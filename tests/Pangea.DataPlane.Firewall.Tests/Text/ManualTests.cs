using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Tests.Text;

/// <summary>Goal: what docs/firewall.md shows as rules are rules, and compile.</summary>
public sealed partial class ManualTests
{
    [Fact]
    public void Examples_of_rules_are_rules()
    {
        int examples = 0;
        foreach (Match block in Blocks().Matches(File.ReadAllText(Manual())))
        {
            string text = block.Groups[1].Value;
            if (!Statement().IsMatch(text))
            {
                continue;
            }

            examples++;
            RuleTextResult result = RuleText.Parse(text, "docs/firewall.md", Include);
            Assert.True(
                result.Errors.Count == 0, $"{string.Join('\n', result.Errors)}\nin\n{text}");
            Assert.True(PolicyCompiler.Compile(
                result.Set!, new CompileOptions { Now = DateTimeOffset.UnixEpoch }).IsOk);
        }

        Assert.InRange(examples, 5, 50);
    }

    private static Result<IReadOnlyList<ListFile>> Include(string name) =>
        (ListFile[])[new ListFile(name, "198.51.100.0/24\n")];

    private static string Manual([CallerFilePath] string file = "") => Path.GetFullPath(
        Path.Combine(Path.GetDirectoryName(file)!, "../../../docs/firewall.md"));

    [GeneratedRegex("^```\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Blocks();

    [GeneratedRegex("^(default|set|limit|allow|deny|pin) ")]
    private static partial Regex Statement();
}
