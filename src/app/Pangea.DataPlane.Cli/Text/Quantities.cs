using System.Globalization;

namespace Pangea.DataPlane.Cli.Text;

/// <summary>Numbers for people.</summary>
internal static class Quantities
{
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>A size with three or four telling digits, for example "1.50 GiB".</summary>
    public static string Size(long bytes)
    {
        if (bytes < 1024)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
        }

        double value = bytes;
        int unit = 0;
        while (value >= 1023.95 && unit < s_units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string format = value < 9.995 ? "0.00" : value < 99.95 ? "0.0" : "0";
        return value.ToString(format, CultureInfo.InvariantCulture) + " " + s_units[unit];
    }

    /// <summary>A size that may be unknown.</summary>
    public static string Size(long? bytes) => bytes is { } known ? Size(known) : "-";

    /// <summary>Millions of bytes a second.</summary>
    public static string Rate(long bytes, TimeSpan time)
    {
        double rate = bytes / 1e6 / Math.Max(time.TotalSeconds, 1e-6);
        return rate.ToString(rate < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " MB/s";
    }

    /// <summary>A measured time, for example "0.61 s" or "2 min 05 s".</summary>
    public static string Duration(TimeSpan time) => time.TotalSeconds < 60
        ? time.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture) + " s"
        : Uptime((long)time.TotalSeconds);

    /// <summary>Two largest units, for example "3 d 4 h".</summary>
    public static string Uptime(long seconds) => seconds switch
    {
        < 60 => $"{seconds} s",
        < 3600 => $"{seconds / 60} min {seconds % 60:00} s",
        < 86_400 => $"{seconds / 3600} h {seconds / 60 % 60:00} min",
        _ => $"{seconds / 86_400} d {seconds / 3600 % 24} h",
    };

    /// <summary>Local time to the second.</summary>
    public static string Time(DateTime utc) =>
        utc.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Count(long count) => count.ToString("#,0", CultureInfo.InvariantCulture);
}
