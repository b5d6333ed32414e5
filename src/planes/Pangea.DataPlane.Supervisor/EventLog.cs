using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// Changes of state, one line each on standard error: time, event id, fields. Never per call. Used
/// from the loop's thread only.
/// </summary>
public static class EventLog
{
    /// <summary>
    /// Writes <c>2026-01-31T12:00:00.000Z area.event name=value ...</c>; null values are left out.
    /// </summary>
    public static void Write(string id, params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        using OwnedFd standardError = OwnedFd.Borrow(2);

        // One write per line, so that lines of several processes on one stream do not mix. A log
        // that cannot be written has nowhere to complain.
        _ = Files.Write(standardError, Encoding.UTF8.GetBytes(Format(DateTime.UtcNow, id, fields)));
    }

    /// <summary>Reports a fault with its code, message and hint.</summary>
    public static void Write(string id, Fault fault) =>
        Write(id, ("code", fault.Code), ("message", fault.Message), ("hint", fault.Hint));

    internal static string Format(
        DateTime utc, string id, ReadOnlySpan<(string Name, object? Value)> fields)
    {
        var line = new StringBuilder(160);
        line.Append(utc.ToString("yyyy-MM-ddTHH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        line.Append(' ').Append(id);
        foreach ((string name, object? value) in fields)
        {
            if (value is not null)
            {
                line.Append(' ').Append(name).Append('=');
                AppendValue(line, Convert.ToString(value, CultureInfo.InvariantCulture) ?? "");
            }
        }

        return line.Append('\n').ToString();
    }

    /// <summary>
    /// Plain where it is one word; in quotes with escapes otherwise, so that a line stays one.
    /// </summary>
    private static void AppendValue(StringBuilder line, string value)
    {
        bool plain = value.Length > 0;
        foreach (char c in value)
        {
            plain &= c > ' ' && c != '"' && c != '=' && !char.IsControl(c);
        }

        if (plain)
        {
            line.Append(value);
            return;
        }

        line.Append('"');
        foreach (char c in value)
        {
            if (char.IsControl(c))
            {
                line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                line.Append(c is '"' or '\\' ? "\\" : "").Append(c);
            }
        }

        line.Append('"');
    }
}
