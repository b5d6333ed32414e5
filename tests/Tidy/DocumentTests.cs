using System.Text.RegularExpressions;

namespace Pangea.DataPlane.Tidy;

/// <summary>The documents are there, their links lead somewhere, and nothing in the tree is left
/// over.</summary>
public partial class DocumentTests
{
    private static readonly string[] s_required =
    [
        "README.md", "STATUS.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md",
        "docs/style.md", "docs/glossary.md", "docs/shard-format.md", "docs/RPC.md", "docs/cli.md",
        "docs/configuration.md", "benchmarks/README.md",
    ];

    /// <summary>Top directories that every Linux machine has.</summary>
    private static readonly string[] s_commonRoots =
    [
        "bin", "boot", "dev", "etc", "lib", "lib64", "mnt", "opt", "proc", "run", "sbin", "srv",
        "sys", "tmp", "usr", "var",
    ];

    [Fact]
    public void The_documents_exist()
    {
        Findings findings = new("documents");
        foreach (string file in s_required.Where(file => !Repository.Exists(file)))
        {
            findings.Add($"{file} is missing");
        }

        findings.AssertNone();
    }

    [Fact]
    public void Links_lead_somewhere()
    {
        Findings findings = new("links");
        foreach (string file in Repository.Under("", ".md"))
        {
            string folder = Path.GetDirectoryName(file)!;
            foreach (Match match in Link().Matches(WithoutCode(Repository.Text(file))))
            {
                string target = match.Groups["target"].Value;
                if (target.Contains("://", StringComparison.Ordinal)
                    || target.StartsWith("mailto:", StringComparison.Ordinal))
                {
                    continue;
                }

                string[] parts = target.Split('#', 2);
                string path = parts[0].Length == 0 ? file : Path.Combine(folder, parts[0]);
                string relative = Path.GetRelativePath(Repository.Top, Repository.FullPath(path));
                if (relative.StartsWith("..") || !Repository.Exists(relative))
                {
                    findings.Add($"{file}: {target} does not exist");
                }
                else if (parts.Length == 2 && !HasHeading(relative, parts[1]))
                {
                    findings.Add($"{file}: {target}: there is no such heading");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Decisions_are_numbered_and_complete()
    {
        Findings findings = new("decisions");
        int expected = 1;
        foreach (string file in Repository.Under("docs/decisions/", ".md")
            .Where(file => Path.GetFileName(file) != "README.md"))
        {
            if (!Path.GetFileName(file).StartsWith($"{expected:D4}-", StringComparison.Ordinal))
            {
                findings.Add($"{file}: the next number is {expected:D4}");
            }

            expected++;
            string text = Repository.Text(file);
            foreach (string heading in (string[])["Context", "Options", "Decision", "Consequences"])
            {
                if (!text.Contains($"\n## {heading}\n", StringComparison.Ordinal))
                {
                    findings.Add($"{file}: no section '{heading}'");
                }
            }
        }

        findings.AssertNone();
    }

    /// <summary>STATUS.md claims that tests prove things; the tests it names must be
    /// there.</summary>
    [Fact]
    public void Tests_that_the_status_names_exist()
    {
        Findings findings = new("status");
        string tests = string.Concat(Repository.Under("tests/", ".cs", ".py", ".c", ".sh")
            .Where(file => !file.StartsWith("tests/Tidy/Documents"))
            .Select(Repository.Text));
        foreach (Match match in TestName().Matches(Repository.Text("STATUS.md")))
        {
            string name = match.Groups["name"].Value;
            foreach (string part in name.Split('.'))
            {
                if (!Regex.IsMatch(tests, $@"\b{part}\b"))
                {
                    findings.Add($"STATUS.md names the test {name}: there is no {part} in tests");
                }
            }
        }

        findings.AssertNone();
    }

    /// <summary>Methods are written "area.verb" in the schema; each has its place in the
    /// reference.</summary>
    [Fact]
    public void Every_method_is_in_the_reference()
    {
        Findings findings = new("methods");
        string reference = Repository.Exists("docs/RPC.md") ? Repository.Text("docs/RPC.md") : "";
        IEnumerable<string> methods = Repository
            .Sources("src/planes/Pangea.DataPlane.Control/Schema/")
            .SelectMany(file => MethodName().Matches(Repository.Text(file)))
            .Select(match => match.Groups["name"].Value)
            .Distinct();
        foreach (string method in methods)
        {
            if (!reference.Contains(method, StringComparison.Ordinal)
                && !findings.IsExcepted(method))
            {
                findings.Add($"docs/RPC.md does not mention {method}");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Nothing_is_left_for_later_in_the_text()
    {
        Findings findings = new("leftovers");

        // Put together here, because this file is among those that are searched.
        Regex marks = new(@"\b(" + "FIX" + "ME|TO" + "DO|XX" + @"X)\b");
        foreach (string file in Repository.Written())
        {
            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (marks.IsMatch(lines[i]) && !findings.IsExcepted(file))
                {
                    findings.Add(file, i + 1, lines[i].Trim());
                }
            }
        }

        findings.AssertNone();
    }

    /// <summary>
    /// A path of one person's machine is a defect in code and a riddle in text. Such a path exists
    /// where it was written, so a top directory that this machine has and others need not have
    /// gives it away; made-up paths of examples and tests do not exist anywhere.
    /// </summary>
    [Fact]
    public void No_path_of_one_machine()
    {
        Findings findings = new("machine paths");
        foreach (string file in Repository.Written())
        {
            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                foreach (Match match in AbsolutePath().Matches(lines[i]))
                {
                    string root = match.Groups["root"].Value;
                    if (!s_commonRoots.Contains(root) && Directory.Exists($"/{root}")
                        && !findings.IsExcepted($"{file} {match.Value}"))
                    {
                        findings.Add(file, i + 1, match.Value);
                    }
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Text_is_plain()
    {
        Findings findings = new("plain text");
        foreach (string file in Repository.Written())
        {
            string text = Repository.Text(file);
            if (text.Length > 0 && text[^1] != '\n')
            {
                findings.Add($"{file}: no new line at the end");
            }

            if (text.Contains('\r'))
            {
                findings.Add($"{file}: carriage returns");
            }

            string[] lines = Repository.Lines(file);
            for (int i = 0; i < lines.Length; i++)
            {
                if (lines[i].Length > 0 && char.IsWhiteSpace(lines[i][^1]))
                {
                    findings.Add(file, i + 1, "white space at the end of the line");
                }

                if (lines[i].EnumerateRunes().Any(IsPictogram))
                {
                    findings.Add(file, i + 1, "a pictogram");
                }
            }
        }

        findings.AssertNone();
    }

    private static bool IsPictogram(System.Text.Rune rune) =>
        rune.Value is (>= 0x1F000 and <= 0x1FAFF) or (>= 0x2600 and <= 0x27BF) or 0x2B50 or 0xFE0F;

    private static bool HasHeading(string file, string anchor) => Repository.Lines(file)
        .Where(line => line.StartsWith('#'))
        .Select(line => line.TrimStart('#').Trim().ToLowerInvariant())
        .Select(title => NotInAnchor().Replace(title, "").Replace(' ', '-'))
        .Contains(anchor);

    /// <summary>Fenced blocks hold examples, not links.</summary>
    private static string WithoutCode(string text) => Fence().Replace(text, "");

    [GeneratedRegex(@"\[[^\]]*\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();

    [GeneratedRegex(@"`(?<name>\w+Tests(\.\w+)?)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"""(?<name>(system|worker|object|storage|rpc|call)\.[a-z][A-Za-z]*)""")]
    private static partial Regex MethodName();

    [GeneratedRegex(@"(?<=^|[\s""'`(=:>])/(?<root>[a-z][a-z0-9_]*)/[\w.]+")]
    private static partial Regex AbsolutePath();
}
