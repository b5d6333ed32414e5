using Pangea.DataPlane.Cli.Text;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Pangea.DataPlane.Cli.Transfer;

/// <summary>
/// Bytes moved and their rate, in the same units as everything else the tool prints; the columns
/// that come with the library call 1,024 * 1,024 bytes a MB.
/// </summary>
internal sealed class TransferredColumn : ProgressColumn
{
    protected override bool NoWrap => true;

    public override IRenderable Render(
        RenderOptions options, ProgressTask task, TimeSpan deltaTime)
    {
        string moved = Quantities.Size((long)task.Value);
        string total = task.IsIndeterminate ? "" : $" of {Quantities.Size((long)task.MaxValue)}";
        string rate = task.Speed is { } speed
            ? Quantities.Rate((long)speed, TimeSpan.FromSeconds(1))
            : "";
        return new Spectre.Console.Text($"{moved}{total} {rate}");
    }
}
