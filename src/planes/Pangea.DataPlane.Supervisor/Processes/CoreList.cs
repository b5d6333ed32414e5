using System.Globalization;
using System.Text;

namespace Pangea.DataPlane.Supervisor.Processes;

/// <summary>Core numbers as the kernel writes them: "0-1,4" (cpuset(7), list format).</summary>
internal static class CoreList
{
    private const int CoreMax = 8191;

    /// <summary>The numbers; what is not understood is left out.</summary>
    public static IEnumerable<int> Parse(string text)
    {
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = part.Split('-');
            bool valid = int.TryParse(ends[0], CultureInfo.InvariantCulture, out int first)
                & int.TryParse(ends[^1], CultureInfo.InvariantCulture, out int last);
            for (int core = first; valid && core <= Math.Min(last, CoreMax); core++)
            {
                yield return core;
            }
        }
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
}
