using System.Globalization;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>Numbers with units: "10k", "500ms", "100/s".</summary>
internal static class RuleUnits
{
    private static readonly (string Suffix, ulong Factor)[] s_counts =
        [("g", 1_000_000_000), ("m", 1_000_000), ("k", 1_000)];

    private static readonly (string Suffix, TimeSpan Unit)[] s_times =
    [
        ("d", TimeSpan.FromDays(1)), ("h", TimeSpan.FromHours(1)), ("m", TimeSpan.FromMinutes(1)),
        ("ms", TimeSpan.FromMilliseconds(1)), ("s", TimeSpan.FromSeconds(1)),
    ];

    public static bool TryCount(ReadOnlySpan<char> text, out ulong count)
    {
        ulong factor = 1;
        foreach ((string suffix, ulong value) in s_counts)
        {
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                factor = value;
                text = text[..^1];
                break;
            }
        }

        if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count)
            || count > (1UL << 50) / factor)
        {
            return false;
        }

        count *= factor;
        return true;
    }

    public static string Count(ulong count)
    {
        foreach ((string suffix, ulong factor) in s_counts)
        {
            if (count != 0 && count % factor == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{count / factor}{suffix}");
            }
        }

        return count.ToString(CultureInfo.InvariantCulture);
    }

    public static bool TryTime(ReadOnlySpan<char> text, out TimeSpan time)
    {
        foreach ((string suffix, TimeSpan unit) in s_times)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal) && uint.TryParse(
                text[..^suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture,
                out uint count) && count <= TimeSpan.MaxValue.Ticks / unit.Ticks)
            {
                time = unit * count;
                return true;
            }
        }

        time = default;
        return false;
    }

    public static string Time(TimeSpan time)
    {
        foreach ((string suffix, TimeSpan unit) in s_times.OrderByDescending(pair => pair.Unit))
        {
            if (time.Ticks % unit.Ticks == 0)
            {
                return string.Create(
                    CultureInfo.InvariantCulture, $"{time.Ticks / unit.Ticks}{suffix}");
            }
        }

        return string.Create(
            CultureInfo.InvariantCulture, $"{(long)time.TotalMilliseconds}ms");
    }

    public static bool TryPeriod(ReadOnlySpan<char> text, out TimeSpan period)
    {
        period = text switch
        {
            "s" => TimeSpan.FromSeconds(1),
            "m" => TimeSpan.FromMinutes(1),
            "h" => TimeSpan.FromHours(1),
            _ => default,
        };
        return period != default;
    }

    public static string Period(TimeSpan period) =>
        period.TotalSeconds switch { 1 => "s", 60 => "m", _ => "h" };
}
