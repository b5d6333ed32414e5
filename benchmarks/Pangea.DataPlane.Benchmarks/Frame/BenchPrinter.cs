using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// Prints rows as they come: a table for people, or one JSON object a line for programs. The table
/// does not wait for the last row, hence its columns have fixed widths.
/// </summary>
public sealed class BenchPrinter(TextWriter output, string area, bool json)
{
    /// <summary>The lines are read by programs and people, never put into a web page.</summary>
    private static readonly JsonWriterOptions s_jsonOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private bool _headerWritten;

    public int Rows { get; private set; }

    public int GoalsMet { get; private set; }

    public int GoalsMissed { get; private set; }

    public void Write(BenchRow row)
    {
        Rows++;
        GoalsMet += row.Met == true ? 1 : 0;
        GoalsMissed += row.Met == false ? 1 : 0;
        if (json)
        {
            output.WriteLine(ToJson(row));
        }
        else
        {
            WriteTableRow(row);
        }

        output.Flush();
    }

    /// <summary>The closing line of a table; JSON has none, so that every line is a row.</summary>
    public void Finish()
    {
        if (!json)
        {
            output.WriteLine();
            int without = Rows - GoalsMet - GoalsMissed;
            output.WriteLine(
                $"{Rows} cases, {GoalsMet} goals met, {GoalsMissed} missed, {without} without");
        }
    }

    private void WriteTableRow(BenchRow row)
    {
        if (!_headerWritten)
        {
            _headerWritten = true;
            output.WriteLine(
                Line("case", "ours", "rival", "unit", "ratio", "goal", "met", "rival, note"));
            output.WriteLine(new string('-', 118));
        }

        string remark = row switch
        {
            { RivalName: "", Note: null } => "",
            { RivalName: "" } => row.Note,
            { Note: null } => row.RivalName,
            _ => $"{row.RivalName}; {row.Note}",
        };
        output.WriteLine(Line(
            row.Case,
            Figure(row.Ours),
            row.HasRival ? Figure(row.Rival) : "-",
            row.Unit,
            row.HasRival ? row.Ratio.ToString("0.00", CultureInfo.InvariantCulture) : "-",
            Goal(row),
            row.Met switch { true => "yes", false => "NO", null => "-" },
            remark));
    }

    private static string Line(
        string name,
        string ours,
        string rival,
        string unit,
        string ratio,
        string goal,
        string met,
        string note) =>
        $"{name,-46} {ours,9} {rival,9} {unit,-9} {ratio,6} {goal,-12} {met,-3} {note}".TrimEnd();

    private static string Goal(BenchRow row)
    {
        if (row.Goal is not double goal)
        {
            return "-";
        }

        string sign = row.HigherIsBetter ? ">=" : "<=";
        string figure = goal.ToString("0.##", CultureInfo.InvariantCulture);
        return row.GoalIsAbsolute ? $"{sign} {figure} {row.Unit}" : $"{sign} {figure} x";
    }

    /// <summary>Three significant digits where the figure is small, whole numbers where it is
    /// large.</summary>
    private static string Figure(double value)
    {
        double magnitude = Math.Abs(value);
        string format = magnitude switch
        {
            >= 1000 => "0",
            >= 100 => "0.0",
            >= 0.1 or 0 => "0.00",
            _ => "0.0000",
        };
        return value.ToString(format, CultureInfo.InvariantCulture);
    }

    private string ToJson(BenchRow row)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, s_jsonOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("area", area);
            writer.WriteString("case", row.Case);
            WriteNumber(writer, "ours", row.Ours);
            WriteNumber(writer, "rival", row.Rival);
            writer.WriteString("unit", row.Unit);
            WriteNumber(writer, "ratio", row.Ratio);
            WriteNumber(writer, "goal", row.Goal ?? double.NaN);
            string kind = row.GoalIsAbsolute ? "absolute" : "ratio";
            writer.WriteString("goalKind", row.Goal is null ? null : kind);
            writer.WriteBoolean("higherIsBetter", row.HigherIsBetter);
            if (row.Met is bool met)
            {
                writer.WriteBoolean("met", met);
            }
            else
            {
                writer.WriteNull("met");
            }

            writer.WriteString("rivalName", row.RivalName);
            writer.WriteString("note", row.Note);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>JSON knows no NaN; what is not a number is null.</summary>
    private static void WriteNumber(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, Math.Round(value, 6));
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
