using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux;

/// <summary>Core numbers as the kernel writes them: "0-1,4" (cpuset(7), list format).</summary>
public static class CoreList
{
    private const int CoreMax = 8191;

    /// <summary>
    /// The numbers, of a text by the kernel; what is not understood is left out.
    /// </summary>
    public static IEnumerable<int> Parse(string text)
    {
        foreach (string part in text.Split(
            ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (TryRange(part, out int first, out int last))
            {
                for (int core = first; core <= last; core++)
                {
                    yield return core;
                }
            }
        }
    }

    /// <summary>
    /// The numbers, ascending, of a text by people: everything must be understood and no number may
    /// come twice.
    /// </summary>
    public static Result<IReadOnlyList<int>> Read(string text)
    {
        var cores = new SortedSet<int>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!TryRange(part, out int first, out int last))
            {
                return Fault.InvalidParameter(
                    "cores",
                    $"\"{text}\" is no list of cores such as 2-3,6",
                    "\"auto\" chooses by itself");
            }

            for (int core = first; core <= last; core++)
            {
                if (!cores.Add(core))
                {
                    return Fault.InvalidParameter(
                        "cores", $"\"{text}\" names core {core} twice", "name each core once");
                }
            }
        }

        return cores.ToArray();
    }

    public static string Format(IEnumerable<int> ascending)
    {
        var text = new StringBuilder();
        int[] cores = [.. ascending];
        for (int i = 0; i < cores.Length; i++)
        {
            int last = i;
            while (last + 1 < cores.Length && cores[last + 1] == cores[last] + 1)
            {
                last++;
            }

            text.Append(text.Length > 0 ? "," : "").Append(cores[i]);
            if (last > i)
            {
                text.Append('-').Append(cores[last]);
            }

            i = last;
        }

        return text.ToString();
    }

    private static bool TryRange(string part, out int first, out int last)
    {
        string[] ends = part.Split('-');
        last = 0;
        return int.TryParse(
                ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out first)
            & int.TryParse(
                ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out last)
            && ends.Length <= 2 && first <= last && last <= CoreMax;
    }
}
