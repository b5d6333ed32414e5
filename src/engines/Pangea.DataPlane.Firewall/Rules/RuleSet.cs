using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>
/// A named list of prefixes. What it includes is named as the text names it; the prefixes from
/// there are in <see cref="Included"/>.
/// </summary>
public sealed record PrefixSet(
    string Name,
    IReadOnlyList<IpPrefix> Prefixes,
    IReadOnlyList<string> Includes,
    IReadOnlyList<IpPrefix> Included)
{
    public IEnumerable<IpPrefix> All => Included.Count == 0 ? Prefixes : Prefixes.Concat(Included);
}

/// <summary>Which address of a packet is meant.</summary>
public enum Direction : byte
{
    From,
    To,
}

/// <summary>Addresses that always pass: the control plane's own traffic and peers.</summary>
public sealed record Pin(Direction Direction, AddressList Addresses, string? Comment = null);

/// <summary>A whole policy: everything that a packet is judged by, except bans.</summary>
public sealed record RuleSet
{
    /// <summary>Every kind of malformed packet.</summary>
    public const uint MalformedAll = ((1u << ((int)MalformedKind.FragmentBounds + 1)) - 1) & ~1u;

    public static RuleSet Empty { get; } = new();

    public RuleAction Default { get; init; } = RuleAction.Allow;

    /// <summary>By name; <see cref="RuleAction.Allow"/> or deny.</summary>
    public IReadOnlyDictionary<string, RuleAction> InterfaceDefaults { get; init; } =
        new Dictionary<string, RuleAction>();

    /// <summary>Bit 1 &lt;&lt; kind: packets malformed in this way drop.</summary>
    public uint MalformedDrop { get; init; } = MalformedAll;

    /// <summary>Nothing drops; what would is counted.</summary>
    public bool Monitor { get; init; }

    public IReadOnlyDictionary<string, PrefixSet> Sets { get; init; } =
        new Dictionary<string, PrefixSet>();

    public IReadOnlyList<Pin> Pins { get; init; } = [];

    /// <summary>In the order in which equal priorities are tried.</summary>
    public IReadOnlyList<Rule> Rules { get; init; } = [];

    /// <summary>
    /// The same with the prefixes of included files in the sets themselves: its text depends on no
    /// file.
    /// </summary>
    public RuleSet WithoutIncludes() => Sets.Values.All(set => set.Includes.Count == 0)
        ? this
        : this with
        {
            Sets = Sets.Values.ToDictionary(
                set => set.Name, set => new PrefixSet(set.Name, [.. set.All], [], [])),
        };

    /// <summary>The prefixes of a list, those of its sets among them.</summary>
    public IEnumerable<IpPrefix> PrefixesOf(AddressList list) =>
        list.SetNames.Count == 0
            ? list.Prefixes
            : list.Prefixes.Concat(list.SetNames.SelectMany(name => Sets[name].All));

    /// <summary>Rules that are in force at a moment, in the order in which they are
    /// tried.</summary>
    internal List<Rule> InForce(DateTimeOffset now)
    {
        List<Rule> rules = new(Rules.Count);
        bool sorted = true;
        foreach (Rule rule in Rules)
        {
            if (rule.Expires is null || rule.Expires > now)
            {
                sorted &= rules.Count == 0 || rules[^1].Priority <= rule.Priority;
                rules.Add(rule);
            }
        }

        // OrderBy keeps the order of equal priorities.
        return sorted ? rules : [.. rules.OrderBy(rule => rule.Priority)];
    }
}
