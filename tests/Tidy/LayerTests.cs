using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Pangea.DataPlane.Tidy;

/// <summary>
/// The layer graph. <c>docs/architecture.md</c> lists for every project what it may reference; the
/// project files must say exactly the same. The rules behind that list are checked on their own, so
/// that a wrong list does not pass by being copied.
/// </summary>
public partial class LayerTests
{
    private static readonly string[] s_layers = ["foundation", "engines", "planes", "app"];

    [Fact]
    public void Projects_reference_what_the_architecture_lists()
    {
        Findings findings = new("references");
        Dictionary<string, string[]> listed = ListedReferences();
        foreach (string project in SourceProjects())
        {
            string name = ShortName(project);
            if (!listed.Remove(name, out string[]? allowed))
            {
                findings.Add($"docs/architecture.md does not list the references of {name}");
                continue;
            }

            string[] actual = [.. References(project).Select(ShortName)];
            foreach (string extra in actual.Except(allowed))
            {
                findings.Add($"{project} references {extra}, which is not listed");
            }

            foreach (string stale in allowed.Except(actual))
            {
                findings.Add($"{name} -> {stale} is listed, the project has no such reference");
            }
        }

        foreach (string stale in listed.Keys)
        {
            findings.Add($"docs/architecture.md lists {stale}, which is no project");
        }

        findings.AssertNone();
    }

    [Fact]
    public void Projects_reference_only_layers_below_their_own()
    {
        Findings findings = new("layers");
        foreach (string project in SourceProjects())
        {
            int layer = LayerOf(project);
            foreach (string reference in References(project))
            {
                bool sameLayerMayMeet = s_layers[layer] is "foundation" or "planes" or "app";
                int other = LayerOf(reference);
                if (other > layer || (other == layer && !sameLayerMayMeet))
                {
                    findings.Add($"{project} references {reference}: not in a layer below");
                }
            }
        }

        findings.AssertNone();
    }

    [Fact]
    public void The_supervisor_does_not_know_the_worker()
    {
        string supervisor = SourceProjects().Single(project => ShortName(project) == "Supervisor");
        Assert.DoesNotContain("Worker", References(supervisor).Select(ShortName));
    }

    [Fact]
    public void Core_and_Erasure_reference_nothing()
    {
        foreach (string project in SourceProjects().Where(p => ShortName(p) is "Core" or "Erasure"))
        {
            Assert.Empty(References(project));
        }
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        Findings findings = new("solution");
        string solution = Repository.Text("Pangea.DataPlane.sln").Replace('\\', '/');
        foreach (string project in Repository.Under("", ".csproj"))
        {
            if (!solution.Contains(project, StringComparison.Ordinal)
                && !findings.IsExcepted(project))
            {
                findings.Add($"{project} is not in Pangea.DataPlane.sln");
            }
        }

        findings.AssertNone();
    }

    /// <summary>"- Storage: Core, Linux" below the heading "References"; "nothing" for an empty
    /// list.</summary>
    private static Dictionary<string, string[]> ListedReferences()
    {
        string section = Repository.Text("docs/architecture.md").Split("\n## References", 2)[1];
        section = section.Split("\n## ", 2)[0];
        return ListedLine().Matches(section).ToDictionary(
            match => match.Groups["name"].Value,
            match => match.Groups["list"].Value
                .Split([',', ' '], StringSplitOptions.RemoveEmptyEntries)
                .Where(word => word != "nothing")
                .ToArray());
    }

    [GeneratedRegex(@"^- (?<name>\w+): (?<list>[\w, ]+)$", RegexOptions.Multiline)]
    private static partial Regex ListedLine();

    private static IEnumerable<string> SourceProjects() => Repository.Under("src/", ".csproj");

    private static string ShortName(string project) =>
        Path.GetFileNameWithoutExtension(project).Replace("Pangea.DataPlane.", "");

    private static int LayerOf(string project) => Array.IndexOf(s_layers, project.Split('/')[1]);

    private static IEnumerable<string> References(string project) =>
        XDocument.Parse(Repository.Text(project)).Descendants("ProjectReference")
            .Select(reference => (string)reference.Attribute("Include")!)
            .Select(include => Path.GetRelativePath(
                Repository.Top,
                Path.GetFullPath(Path.Combine(
                    Path.GetDirectoryName(Repository.FullPath(project))!, include))));
}
