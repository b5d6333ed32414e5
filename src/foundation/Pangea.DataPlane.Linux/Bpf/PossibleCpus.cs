using System.Globalization;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>CPUs that this kernel may ever have, which programs may run on.</summary>
public static class PossibleCpus
{
    /// <summary>The highest number plus one; /sys/devices/system/cpu/possible is "0-7".</summary>
    public static int Count { get; } = Read();

    private static int Read()
    {
        try
        {
            string text = File.ReadAllText("/sys/devices/system/cpu/possible").Trim();
            string last = text.Split('-', ',')[^1];
            return int.Parse(last, CultureInfo.InvariantCulture) + 1;
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            return Math.Max(Environment.ProcessorCount, 1);
        }
    }
}
