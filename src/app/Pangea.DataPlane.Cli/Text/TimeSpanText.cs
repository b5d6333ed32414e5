using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Cli.Text;

/// <summary>Times that a person types: <c>90</c>, <c>90s</c>, <c>15m</c>, <c>12h</c>,
/// <c>7d</c>.</summary>
internal static class TimeSpanText
{
    /// <summary>Seconds, at least one.</summary>
    /// <param name="text">As typed.</param>
    /// <param name="field">The parameter at fault where it is none.</param>
    /// <param name="what">What it should have been.</param>
    public static Result<long> ParseSeconds(
        string text, string field = "ttl", string what = "time to live")
    {
        long unit = text.Length > 0 ? UnitOf(text[^1]) : 0;
        string digits = unit > 0 ? text[..^1] : text;
        return long.TryParse(
                digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && number > 0 && number <= Limits.TtlSecondsMax / Math.Max(unit, 1)
            ? number * Math.Max(unit, 1)
            : Fault.InvalidParameter(
                field,
                $"\"{text}\" is no {what}",
                "write seconds, or a number with s, m, h or d, such as 12h");
    }

    private static long UnitOf(char letter) => letter switch
    {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => 0,
    };
}
