using Pangea.DataPlane.Cli.Commands;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Cli.Firewalling;

/// <summary>What became of the packets of a capture, in all.</summary>
internal sealed class TestSummary
{
    private readonly Dictionary<(string Verdict, string By), long> _counts = [];

    public long Packets { get; private set; }

    public long Drops { get; private set; }

    public void Add(FirewallTestVerdict verdict)
    {
        string by = FirewallStatsCommands.By(
            verdict.Reason, verdict.Malformed, verdict.Number, verdict.Name);
        _counts[(verdict.Verdict, by)] = _counts.GetValueOrDefault((verdict.Verdict, by)) + 1;
        Packets++;
        Drops += verdict.Verdict == "drop" ? 1 : 0;
    }

    public void Write(TextWriter output)
    {
        output.WriteLine();
        output.WriteLine(
            $"{Quantities.Count(Packets)} packet{(Packets == 1 ? "" : "s")}: "
                + $"{Quantities.Count(Packets - Drops)} pass, {Quantities.Count(Drops)} drop");
        foreach (((string verdict, string by), long count) in _counts
            .OrderByDescending(pair => pair.Value)
            .ThenBy(pair => pair.Key.By, StringComparer.Ordinal))
        {
            output.WriteLine(FaultReport.Printable(
                $"{Quantities.Count(count),10}  {verdict,-9}  {by}"));
        }
    }
}
