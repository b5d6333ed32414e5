using System.Text.RegularExpressions;

namespace Pangea.DataPlane.Tidy;

/// <summary>
/// A function body in C# text, found by its braces: in this project a body's braces stand alone on
/// their lines with the indentation of the header, so no parser is needed. Bodies inside others
/// (local functions, lambdas) count with the one around them.
/// </summary>
/// <param name="Name">The name before the parenthesis.</param>
/// <param name="Line">Line of the opening brace, from 1.</param>
/// <param name="LineCount">Lines from brace to brace, both included.</param>
public sealed partial record SourceFunction(string Name, int Line, int LineCount)
{
    public static IEnumerable<SourceFunction> In(string[] lines)
    {
        for (int i = 1; i < lines.Length; i++)
        {
            if (lines[i].Trim() != "{" || NameOf(Header(lines, i)) is not string name)
            {
                continue;
            }

            string end = lines[i].Replace('{', '}');
            int close = Array.FindIndex(
                lines, i, line => line == end || line.StartsWith(end, StringComparison.Ordinal));
            if (close < 0)
            {
                yield break;
            }

            yield return new SourceFunction(name, i + 1, close - i + 1);
            i = close;
        }
    }

    /// <summary>The lines above the brace that belong to its header, joined.</summary>
    private static string Header(string[] lines, int brace)
    {
        List<string> header = [];
        for (int i = brace - 1; i >= 0; i--)
        {
            string line = lines[i].Trim();
            if (line.Length == 0 || line.StartsWith("//", StringComparison.Ordinal)
                || line[^1] is ';' or '}' or '{')
            {
                break;
            }

            header.Insert(0, line);
        }

        return string.Join(' ', header);
    }

    /// <summary>Null where the header is a type's, a property's or a statement's.</summary>
    private static string? NameOf(string header)
    {
        if (TypeHeader().IsMatch(header))
        {
            return null;
        }

        Match match = FunctionHeader().Match(header);
        return match.Success ? match.Groups["name"].Value : null;
    }

    [GeneratedRegex(@"\b(namespace|class|struct|interface|enum|record)\s+\w")]
    private static partial Regex TypeHeader();

    [GeneratedRegex(
        @"^(\[.*\]\s*)*((public|private|protected|internal|static|unsafe|async|override|virtual"
        + @"|sealed|partial|readonly|extern|new)\s+)+.*?(?<name>[\w.]+)(<[^()]*>)?\s*\(")]
    private static partial Regex FunctionHeader();
}
