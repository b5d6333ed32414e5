using System.Text.Json;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Tests;

public class BenchPrinterTests
{
    private static readonly BenchRow s_row =
        new("encode 8+4, 4 KiB", 120.5, 30.1, "GB/s", 3.9, "ISA-L", Note: "warm");

    [Fact]
    public void Table_says_case_figures_goal_and_whether_it_was_met()
    {
        string table = Print(json: false, s_row, BenchRow.Alone("memory", 210, "MiB", 200, false));

        string[] lines = table.Split('\n');
        Assert.StartsWith("case ", lines[0]);
        Assert.Matches(@"^encode 8\+4, 4 KiB +120\.5 +30\.10 GB/s +4\.00 >= 3\.9 x +yes", lines[2]);
        Assert.EndsWith("ISA-L; warm", lines[2]);
        Assert.Matches(@"^memory +210\.0 +- MiB +- <= 200 MiB +NO$", lines[3]);
        Assert.Contains("2 cases, 1 goals met, 1 missed, 0 without", table);
    }

    [Fact]
    public void Json_is_one_object_a_line_and_nothing_else()
    {
        string text = Print(json: true, s_row, BenchRow.Alone("memory", 210, "MiB", null));

        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        JsonElement first = JsonDocument.Parse(lines[0]).RootElement;
        Assert.Equal("area", first.GetProperty("area").GetString());
        Assert.Equal(3.9, first.GetProperty("goal").GetDouble());
        Assert.Equal("ratio", first.GetProperty("goalKind").GetString());
        Assert.True(first.GetProperty("met").GetBoolean());
        JsonElement second = JsonDocument.Parse(lines[1]).RootElement;
        Assert.Equal(JsonValueKind.Null, second.GetProperty("rival").ValueKind);
        Assert.Equal(JsonValueKind.Null, second.GetProperty("met").ValueKind);
    }

    private static string Print(bool json, params BenchRow[] rows)
    {
        StringWriter output = new() { NewLine = "\n" };
        BenchPrinter printer = new(output, "area", json);
        foreach (BenchRow row in rows)
        {
            printer.Write(row);
        }

        printer.Finish();
        return output.ToString();
    }
}
