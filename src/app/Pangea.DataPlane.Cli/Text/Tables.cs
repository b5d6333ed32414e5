using Spectre.Console;

namespace Pangea.DataPlane.Cli.Text;

/// <summary>
/// Tables without lines, as list commands print them. They keep their full width and end without
/// blanks, so that other programs can cut them; a terminal sees bold titles.
/// </summary>
internal static class Tables
{
    /// <summary>Wider than the longest row: a name has at most 1,024 bytes.</summary>
    private const int WidthMax = 8192;

    /// <summary>
    /// A table with these column titles; a title that begins with '&gt;' is right-aligned.
    /// </summary>
    public static Table Make(params string[] titles)
    {
        var table = new Table { Border = TableBorder.None };
        for (int i = 0; i < titles.Length; i++)
        {
            bool right = titles[i].StartsWith('>');
            var column = new TableColumn(
                new Markup("[bold]" + Markup.Escape(titles[i].TrimStart('>')) + "[/]"))
            {
                Alignment = right ? Justify.Right : Justify.Left,
                NoWrap = true,
                Padding = new Padding(0, 0, i == titles.Length - 1 ? 0 : 2, 0),
            };
            table.AddColumn(column);
        }

        return table;
    }

    /// <summary>Adds a row of plain text.</summary>
    public static void Add(this Table table, params string?[] cells) =>
        table.AddRow(cells.Select(c => new Spectre.Console.Text(FaultReport.Printable(c ?? "-"))));

    /// <summary>
    /// Prints the table to the command's output. A terminal that is too narrow breaks the lines by
    /// itself, which keeps them whole for copying; nothing is cut.
    /// </summary>
    public static void Print(Table table, TextWriter output)
    {
        bool styled = ReferenceEquals(output, Console.Out)
            && !Console.IsOutputRedirected
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        using var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = styled ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = WidthMax;
        console.Write(table);
        foreach (ReadOnlySpan<char> line in text.ToString().AsSpan().EnumerateLines())
        {
            if (!line.IsEmpty)
            {
                output.WriteLine(line.TrimEnd());
            }
        }
    }
}
