using System.Text.RegularExpressions;

namespace Pangea.DataPlane.Tidy;

/// <summary>Habits of the C# source that a machine can check.</summary>
public partial class SourceTests
{
    private const int ColumnsMax = 100;
    private const int FileLinesMax = 600;
    private const int FunctionLinesMax = 70;
    private const string LinuxFolder = "src/foundation/Pangea.DataPlane.Linux/";

    private static readonly string[] s_unsafeProjects =
        ["Linux", "Memory", "Reactor", "Erasure", "Ces", "Catalog"];

    [Fact]
    public void Lines_have_at_most_100_columns()
    {
        Findings findings = new("columns");
        foreach (string file in Repository.Sources())
        {
            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (lines[i].Length > ColumnsMax && !findings.IsExcepted(file))
                {
                    findings.Add(file, i + 1, $"{lines[i].Length} columns");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Files_have_at_most_600_lines()
    {
        Findings findings = new("file length");
        foreach (string file in Repository.Sources())
        {
            int count = Repository.Lines(file).Length;
            if (count > FileLinesMax && !findings.IsExcepted(file))
            {
                findings.Add($"{file}: {count} lines");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Functions_have_at_most_70_lines()
    {
        Findings findings = new("function length");
        foreach (string file in Repository.Sources("src/"))
        {
            foreach (SourceFunction function in SourceFunction.In(Repository.Lines(file)))
            {
                if (function.LineCount > FunctionLinesMax
                    && !findings.IsExcepted($"{file} {function.Name}"))
                {
                    findings.Add(
                        file, function.Line, $"{function.Name} has {function.LineCount} lines");
                }
            }
        }

        findings.AssertNone();
    }

    /// <summary>
    /// An ordinary task that is awaited so resumes its awaiter on a thread of the runtime's pool
    /// wherever a loop's context is set: the awaiter would go on beside its loop.
    /// </summary>
    [Fact]
    public void Nobody_asks_to_leave_the_loop()
    {
        Findings findings = new("loop");
        foreach (string file in Repository.Sources("src/"))
        {
            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (lines[i].Contains(".ConfigureAwait(", StringComparison.Ordinal))
                {
                    findings.Add(file, i + 1, "use LoopMethodBuilder instead of ConfigureAwait");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Names_say_what_a_thing_is()
    {
        Findings findings = new("empty names");
        foreach (string file in Repository.Sources())
        {
            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (EmptyTypeName().Match(lines[i]) is { Success: true } match)
                {
                    findings.Add(file, i + 1, $"'{match.Value}' says nothing; find the noun");
                }
            }
        }

        foreach (string file in Repository.Files.Where(file => EmptyFileName().IsMatch(file)))
        {
            findings.Add($"{file}: the name says nothing; find the noun");
        }

        findings.AssertNone();
    }

    [Fact]
    public void Namespaces_are_file_scoped()
    {
        Findings findings = new("file-scoped namespaces");
        foreach (string file in Repository.Sources())
        {
            string[] lines = Repository.Lines(file);
            int block = Array.FindIndex(lines, line => BlockNamespace().IsMatch(line));
            if (block >= 0)
            {
                findings.Add(file, block + 1, "write 'namespace X;'");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Pointers_stay_where_pointers_are_the_point()
    {
        Findings findings = new("unsafe projects");
        foreach (string project in Repository.Under("src/", ".csproj"))
        {
            string name = Path.GetFileNameWithoutExtension(project)
                .Replace("Pangea.DataPlane.", "");
            bool allows = Repository.Text(project)
                .Contains("<AllowUnsafeBlocks>true", StringComparison.Ordinal);
            if (allows && !s_unsafeProjects.Contains(name))
            {
                findings.Add($"{project}: {name} may not use pointers");
            }
        }

        foreach (string file in Repository.Sources("src/engines/Pangea.DataPlane.Ces/"))
        {
            if (CodeLines(file).Any(line => UnsafeWord().IsMatch(line.Text))
                && Path.GetFileName(file) != "Zstd.cs"
                && !findings.IsExcepted(file))
            {
                findings.Add($"{file}: in Ces only Zstd.cs may use pointers");
            }
        }

        foreach (string file in Repository.Sources("src/engines/Pangea.DataPlane.Catalog/"))
        {
            if (CodeLines(file).Any(line => UnsafeWord().IsMatch(line.Text))
                && !Path.GetFileName(file).StartsWith("Lmdb", StringComparison.Ordinal)
                && !findings.IsExcepted(file))
            {
                findings.Add($"{file}: in Catalog only the files Lmdb* may use pointers");
            }
        }

        findings.AssertNone();
    }

    /// <summary>
    /// An unsafe block has its argument within five lines; a type or function that is unsafe as a
    /// whole has one somewhere in its file. A signature without a body has nothing to argue.
    /// </summary>
    [Fact]
    public void Unsafe_code_says_why_it_is_sound()
    {
        Findings findings = new("SAFETY");
        foreach (string file in Repository.Sources("src/"))
        {
            string[] lines = Repository.Lines(file);
            bool argued = lines.Any(line => line.Contains("SAFETY:", StringComparison.Ordinal));
            foreach ((int number, string text) in CodeLines(file))
            {
                if (!UnsafeWord().IsMatch(text) || findings.IsExcepted(file))
                {
                    continue;
                }

                bool isBlock = text.Trim() == "unsafe";
                if (isBlock && !NearSafety(lines, number))
                {
                    findings.Add(file, number, "unsafe block without '// SAFETY:' beside it");
                }
                else if (!isBlock && !argued && !IsSignature(text))
                {
                    findings.Add(file, number, "unsafe code in a file without any '// SAFETY:'");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Native_functions_are_imported_in_their_place()
    {
        Findings findings = new("native imports");
        foreach (string file in Repository.Sources("src/"))
        {
            bool imports = CodeLines(file).Any(line => NativeImport().IsMatch(line.Text));
            bool place = file.StartsWith(LinuxFolder, StringComparison.Ordinal)
                || file == "src/engines/Pangea.DataPlane.Ces/Compression/Zstd.cs"
                || file == "src/engines/Pangea.DataPlane.Catalog/Lmdb.cs";
            if (imports && !place && !findings.IsExcepted(file))
            {
                findings.Add($"{file}: native functions are imported in Linux only");
            }
        }

        findings.AssertNone();
    }

    /// <summary>Lines that are not comments, with their number from 1.</summary>
    private static IEnumerable<(int Number, string Text)> CodeLines(string file) =>
        Repository.Lines(file)
            .Select((text, index) => (Number: index + 1, Text: text))
            .Where(line => !line.Text.TrimStart().StartsWith("//", StringComparison.Ordinal));

    private static bool NearSafety(string[] lines, int number)
    {
        int first = Math.Max(0, number - 1 - 8);
        int last = Math.Min(lines.Length - 1, number - 1 + 5);
        return lines[first..(last + 1)]
            .Any(line => line.Contains("SAFETY:", StringComparison.Ordinal));
    }

    private static bool IsSignature(string text) =>
        text.Contains(" partial ", StringComparison.Ordinal)
        || text.Contains("struct ", StringComparison.Ordinal)
        || text.TrimEnd().EndsWith(';');

    [GeneratedRegex(
        @"\b(class|struct|record|interface|enum)\s+\w*"
        + @"(Utils?|Utilities|Helpers?|Manager|Common)\b")]
    private static partial Regex EmptyTypeName();

    [GeneratedRegex(@"(Utils?|Utilities|Helpers?|Manager|Common)(\.cs|\.csproj|/)")]
    private static partial Regex EmptyFileName();

    [GeneratedRegex(@"^\s*namespace\s+[\w.]+\s*\{?\s*$")]
    private static partial Regex BlockNamespace();

    [GeneratedRegex(@"(?<![\w""])unsafe(?![\w""])")]
    private static partial Regex UnsafeWord();

    [GeneratedRegex(@"\[\s*(LibraryImport|DllImport)\b")]
    private static partial Regex NativeImport();
}
