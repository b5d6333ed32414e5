using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>What the compiler has to know besides the rules.</summary>
public sealed record CompileOptions
{
    /// <summary>Rules that expired before this moment are left out.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Index of each interface that exists.</summary>
    public IReadOnlyDictionary<string, uint> Interfaces { get; init; } =
        new Dictionary<string, uint>();

    /// <summary>The slots of the rules so far.</summary>
    public SlotTable Slots { get; init; } = SlotTable.Empty;

    /// <summary>
    /// The geometry in use. It is kept where the rules fit, and then a swap needs no new program.
    /// </summary>
    public PolicyGeometry? Geometry { get; init; }

    /// <summary>Number of the rule set, for whoever reads the image.</summary>
    public ulong Generation { get; init; } = 1;

    /// <summary>Features to have besides those that the rules need, such as bans.</summary>
    public PolicyFeature ExtraFeatures { get; init; }
}

/// <summary>A rule set as the data path reads it. Immutable.</summary>
public sealed class CompiledPolicy
{
    internal CompiledPolicy(byte[] image, PolicyGeometry geometry, RuleSet rules)
    {
        Image = image;
        Geometry = geometry;
        RuleSet = rules;
    }

    /// <summary>The bytes; an XDP map takes them as its value.</summary>
    public ReadOnlyMemory<byte> ImageBytes => Image;

    public PolicyGeometry Geometry { get; }

    /// <summary>What was compiled.</summary>
    public RuleSet RuleSet { get; }

    /// <summary>Rules in force, in the order in which they are tried.</summary>
    public required IReadOnlyList<Rule> Rules { get; init; }

    /// <summary>Slot of each of <see cref="Rules"/>.</summary>
    public required IReadOnlyList<uint> RuleSlots { get; init; }

    /// <summary>Slot of each pin of the rule set.</summary>
    public required IReadOnlyList<uint> PinSlots { get; init; }

    /// <summary>For the next compilation.</summary>
    public required SlotTable Slots { get; init; }

    /// <summary>Slots whose counters and rate states belong to nobody and must be
    /// cleared.</summary>
    public required IReadOnlyList<uint> FreshSlots { get; init; }

    /// <summary>
    /// What is not as the author may think: an interface that does not exist. One sentence each.
    /// </summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>When the next rule expires, and the set is to be compiled again.</summary>
    public DateTimeOffset? NextExpiry { get; init; }

    /// <summary>The latest end of a rule that was left out because it had expired.</summary>
    public DateTimeOffset? LastExpiry { get; init; }

    /// <summary>
    /// Whether other rules are in force at this moment than were compiled: one has expired, or the
    /// clock went back behind the end of one that was left out.
    /// </summary>
    public bool IsDue(DateTimeOffset now) => NextExpiry <= now || LastExpiry > now;

    /// <summary>What the image holds, for people.</summary>
    public required CompiledSizes Sizes { get; init; }

    internal byte[] Image { get; }

    /// <summary>The slot of a rule of the set; null where it has expired.</summary>
    public uint? SlotOf(Rule rule) =>
        Slots.Owners.TryGetValue(rule.Identity, out uint slot) ? slot : null;

    /// <summary>The rule at a slot, or null.</summary>
    public Rule? RuleAt(uint slot)
    {
        for (int i = 0; i < RuleSlots.Count; i++)
        {
            if (RuleSlots[i] == slot)
            {
                return Rules[i];
            }
        }

        return null;
    }
}

/// <summary>How much of each section a rule set uses.</summary>
public readonly record struct CompiledSizes(
    int Prefixes, int Nodes, int Results, int Classes, int ComplexRules, int PoliceRules,
    int Limits, int Slots);
