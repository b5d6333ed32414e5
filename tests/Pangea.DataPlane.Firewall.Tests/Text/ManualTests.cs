using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Tests.Text;

/// <summary>Goal: what the manual and the package show as rules are rules.</summary>
public sealed partial class ManualTests
{
    [Fact]
    public void Examples_of_rules_are_rules()
    {
        int examples = 0;
        foreach (Match block in Blocks().Matches(File.ReadAllText(Path("docs/firewall.md"))))
        {
            string text = block.Groups[1].Value;
            if (Statement().IsMatch(text))
            {
                examples++;
                Check(text);
            }
        }

        Assert.InRange(examples, 5, 50);
    }

    [Fact]
    public void Rules_of_the_package_are_rules() =>
        Check(File.ReadAllText(Path("packaging/firewall.rules")));

    private static void Check(string text)
    {
        RuleTextResult result = RuleText.Parse(text, "rules", Include);
        Assert.True(result.Errors.Count == 0, $"{string.Join('\n', result.Errors)}\nin\n{text}");
        Assert.True(PolicyCompiler.Compile(
            result.Set!, new CompileOptions { Now = DateTimeOffset.UnixEpoch }).IsOk);
    }

    private static Result<IReadOnlyList<ListFile>> Include(string name) =>
        (ListFile[])[new ListFile(name, "198.51.100.0/24\n")];

    private static string Path(string name, [CallerFilePath] string file = "") =>
        System.IO.Path.GetFullPath(
            System.IO.Path.Combine(file, "../../../..", name));

    [GeneratedRegex("^```\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Blocks();

    [GeneratedRegex("^(default|set|limit|allow|deny|pin) ")]
    private static partial Regex Statement();
}
