using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Pangea.DataPlane.Tidy;

/// <summary>Packages, project files, scripts and what every room has to have.</summary>
public partial class ProjectTests
{
    private const int ReadmeLinesMax = 40;

    [Fact]
    public void Packages_have_exact_versions_in_one_place()
    {
        Findings findings = new("package versions");
        XDocument central = XDocument.Parse(Repository.Text("Directory.Packages.props"));
        foreach (XElement package in central.Descendants("PackageVersion"))
        {
            if (!ExactVersion().IsMatch((string?)package.Attribute("Version") ?? ""))
            {
                findings.Add($"Directory.Packages.props: {package}: write [1.2.3]");
            }
        }

        foreach (string project in Repository.Under("", ".csproj", "Directory.Build.props"))
        {
            foreach (XElement package in XDocument.Parse(Repository.Text(project))
                .Descendants("PackageReference"))
            {
                if (package.Attribute("Version") is not null)
                {
                    findings.Add($"{project}: {package}: versions are in Directory.Packages.props");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Every_package_has_a_decision_behind_it()
    {
        Findings findings = new("package decisions");
        string decisions = string.Concat(
            Repository.Under("docs/decisions/", ".md").Select(Repository.Text));
        XDocument central = XDocument.Parse(Repository.Text("Directory.Packages.props"));
        foreach (XElement package in central.Descendants("PackageVersion"))
        {
            string name = (string)package.Attribute("Include")!;
            if (!decisions.Contains(name, StringComparison.Ordinal) && !findings.IsExcepted(name))
            {
                findings.Add($"docs/decisions says nothing about the package {name}");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Every_project_has_a_lock_file()
    {
        Findings findings = new("lock files");
        foreach (string project in Repository.Under("", ".csproj"))
        {
            string lockFile = Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json");
            if (!Repository.Exists(lockFile) && !findings.IsExcepted(project))
            {
                findings.Add($"{lockFile} is missing: dotnet restore makes it");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Every_source_project_has_a_short_readme()
    {
        Findings findings = new("project readme");
        foreach (string project in Repository.Under("src/", ".csproj"))
        {
            string readme = Path.Combine(Path.GetDirectoryName(project)!, "README.md");
            if (!Repository.Exists(readme))
            {
                findings.Add($"{readme} is missing");
            }
            else if (Repository.Lines(readme).Length > ReadmeLinesMax)
            {
                findings.Add($"{readme} has more than {ReadmeLinesMax} lines");
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void Scripts_are_executable_and_parse()
    {
        Findings findings = new("scripts");
        foreach (string file in Repository.Files)
        {
            string first = Repository.Lines(file).FirstOrDefault() ?? "";
            bool sourced = first.StartsWith("# shellcheck shell=bash", StringComparison.Ordinal);
            if (!sourced && !ShellFirstLine().IsMatch(first))
            {
                continue;
            }

            bool executable = File.GetUnixFileMode(Repository.FullPath(file))
                .HasFlag(UnixFileMode.UserExecute);
            if (executable == sourced)
            {
                findings.Add($"{file}: {(sourced ? "is sourced, not run" : "is not executable")}");
            }

            (int code, string output) = Repository.Execute("bash", "-n", file);
            if (code != 0)
            {
                findings.Add($"{file}: {output.Trim()}");
            }
        }

        findings.AssertNone();
    }

    [GeneratedRegex(@"^\[\d+(\.\d+){1,3}(-[\w.]+)?\]$")]
    private static partial Regex ExactVersion();

    [GeneratedRegex(@"^#!.*\b(ba)?sh$")]
    private static partial Regex ShellFirstLine();
}
