using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Cli.Firewalling;

/// <summary>
/// A rule file with all that it includes, read by the tool itself: errors are found with file, line
/// and column before the appliance is asked, and the appliance opens no file of the caller.
/// </summary>
internal sealed class RuleFile
{
    private const long BytesMax = ListFiles.BytesMax;
    private readonly Dictionary<string, string> _texts = [];

    private RuleFile(string name) => Name = name;

    /// <summary>As the errors name it.</summary>
    public string Name { get; }

    /// <summary>Null where there are errors.</summary>
    public RuleSet? Set { get; private set; }

    public IReadOnlyList<RuleError> Errors { get; private set; } = [];

    /// <summary>Reads a file, or standard input for "-".</summary>
    public static Result<RuleFile> Load(string path)
    {
        string text;
        try
        {
            if (path == "-")
            {
                text = Console.In.ReadToEnd();
            }
            else if (Directory.Exists(path))
            {
                return new Fault(
                    FaultCode.BadDescriptor,
                    $"{path} is a directory",
                    "name a file of rules; lists in a folder are included by it");
            }
            else if (new FileInfo(path).Length > BytesMax)
            {
                return new Fault(FaultCode.TooLarge, $"{path} has more than {BytesMax} bytes");
            }
            else
            {
                text = File.ReadAllText(path, Encoding.UTF8);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool isThere = File.Exists(path);
            return new Fault(
                isThere ? FaultCode.BadDescriptor : FaultCode.NotFound,
                isThere ? $"{path} cannot be read: {e.Message}" : $"no file {path}",
                "name a file of rules, or - for standard input");
        }

        RuleFile file = new(path == "-" ? "standard input" : path);
        file.Parse(text, path == "-" ? "" : path);
        return file;
    }

    /// <summary>Writes each error with the line that it is in.</summary>
    public void WriteErrors(TextWriter output)
    {
        Dictionary<string, string[]> lines = [];
        foreach (RuleError error in Errors)
        {
            output.WriteLine(FaultReport.Printable(error.ToString()));
            if (LineOf(error, lines) is string line)
            {
                WriteLine(output, line, error.Column);
            }
        }
    }

    /// <summary>A line, and below it a mark at a column from 1 on.</summary>
    public static void WriteLine(TextWriter output, string line, int column)
    {
        (string shown, column) = Window(line, column);
        output.WriteLine("    " + FaultReport.Printable(shown));
        output.WriteLine("    " + new string(' ', column - 1) + "^");
    }

    /// <summary>The line of an error; null where it cannot be shown.</summary>
    public string? LineOf(RuleError error, Dictionary<string, string[]> lines)
    {
        if (!lines.TryGetValue(error.Source, out string[]? all))
        {
            all = _texts.TryGetValue(error.Source, out string? text)
                ? text.Split('\n')
                : [];
            lines.Add(error.Source, all);
        }

        return error.Line <= all.Length ? all[error.Line - 1].TrimEnd('\r') : null;
    }

    /// <summary>A part of the line that a terminal shows without breaking it.</summary>
    private static (string Shown, int Column) Window(string line, int column)
    {
        const int width = 96;
        int at = Math.Clamp(column - 1, 0, line.Length);
        int start = at < width ? 0 : at - (width / 2);
        int end = Math.Min(line.Length, start + width);
        return (line[start..end].Replace('\t', ' '), at - start + 1);
    }

    private void Parse(string text, string path)
    {
        _texts[Name] = text;
        Func<string, Result<IReadOnlyList<ListFile>>> include = ListFiles.Beside(path);
        RuleTextResult result = RuleText.Parse(text, Name, name =>
        {
            Result<IReadOnlyList<ListFile>> files = include(name);
            foreach (ListFile file in files.IsOk ? files.Value : [])
            {
                _texts[file.Name] = file.Text;
            }

            return files;
        });
        Set = result.Set;
        Errors = result.Errors;
    }
}
