using System.Globalization;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The last confirmed rules as the state directory keeps them: one file, so that rules and slots
/// are of one moment. It is a rule file like any other; what only the supervisor needs stands in
/// comments that begin with <c>#!</c>.
/// </summary>
internal sealed record FirewallState
{
    /// <summary>In the state directory.</summary>
    public const string FileName = "firewall.rules";

    private const string Mark = "#!";

    public required RuleSet Set { get; init; }

    /// <summary>Which counters belong to which rule.</summary>
    public required SlotTable Slots { get; init; }

    public required ulong Generation { get; init; }

    /// <summary>Of the configured file when it was applied last; null: never.</summary>
    public string? FileDigest { get; init; }

    /// <summary>Interfaces that calls attached, beside those of the configuration.</summary>
    public required IReadOnlyList<GuardedInterface> Attached { get; init; }

    public byte[] Write()
    {
        StringBuilder text = new();
        void Line(FormattableString line) =>
            text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        Line($"# The firewall's confirmed rules, written by the supervisor.");
        Line($"{Mark} generation {Generation}");
        if (FileDigest is not null)
        {
            Line($"{Mark} file {FileDigest}");
        }

        foreach (GuardedInterface each in Attached)
        {
            string mode = FirewallSettings.NameOf(each.Choice);
            Line($"{Mark} interface {each.Name} {mode} {(each.Force ? "force" : "-")}");
        }

        foreach (((ulong high, ulong low), uint slot) in Slots.Owners)
        {
            Line($"{Mark} slot {high:x16} {low:x16} {slot}");
        }

        text.Append(RuleText.Print(Set.WithoutIncludes()));
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    public static Result<FirewallState> Parse(string text)
    {
        Dictionary<(ulong High, ulong Low), uint> owners = [];
        List<GuardedInterface> attached = [];
        ulong generation = 0;
        string? digest = null;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (!line.StartsWith(Mark))
            {
                continue;
            }

            switch (line.ToString().Split(' '))
            {
                case [_, "generation", { } number]:
                    _ = ulong.TryParse(number, CultureInfo.InvariantCulture, out generation);
                    break;
                case [_, "file", { } value]:
                    digest = value;
                    break;
                case [_, "interface", { } name, { } mode, { } force]
                    when FirewallSettings.ParseChoice(mode) is { IsOk: true } choice:
                    attached.Add(new GuardedInterface(name, choice.Value, force == "force"));
                    break;
                case [_, "slot", { } high, { } low, { } slot]
                    when TryHex(high, out ulong first) && TryHex(low, out ulong second)
                        && uint.TryParse(slot, CultureInfo.InvariantCulture, out uint at)
                        && at < Limits.FirewallRulesMax:
                    owners[(first, second)] = at;
                    break;
                default:
                    return new Fault(FaultCode.Corrupt, $"{FileName}: \"{line}\" is not ours");
            }
        }

        RuleTextResult rules = RuleText.Parse(text, FileName);
        return rules.Set is { } set
            ? new FirewallState
            {
                Set = set,
                Slots = SlotTable.Restore(owners),
                Generation = generation,
                FileDigest = digest,
                Attached = attached,
            }
            : new Fault(FaultCode.Corrupt, string.Join('\n', rules.Errors));
    }

    private static bool TryHex(string text, out ulong value) => ulong.TryParse(
        text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
