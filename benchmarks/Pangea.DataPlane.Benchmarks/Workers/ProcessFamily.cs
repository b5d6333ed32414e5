using System.Globalization;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>Processes that came of one (proc(5), task/TID/children).</summary>
internal static class ProcessFamily
{
    /// <summary>The process, its children and theirs.</summary>
    internal static IEnumerable<int> Of(int pid) =>
        Directory.GetDirectories($"/proc/{pid}/task")
            .SelectMany(ChildrenOf)
            .SelectMany(child => Of(int.Parse(child, CultureInfo.InvariantCulture)))
            .Prepend(pid);

    /// <summary>The one whose command line has the verb; null where there is none.</summary>
    internal static int? Find(int pid, string verb)
    {
        foreach (int each in Of(pid))
        {
            if (File.ReadAllText($"/proc/{each}/cmdline").Split('\0').Contains(verb))
            {
                return each;
            }
        }

        return null;
    }

    /// <summary>None of a thread that has ended since it was listed.</summary>
    private static string[] ChildrenOf(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "children"))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
