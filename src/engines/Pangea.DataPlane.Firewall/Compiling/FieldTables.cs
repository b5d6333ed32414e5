using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>
/// The tables of all fields but the addresses: for each value of a field, the class of rules that
/// allow it. A rule is a bit: police rules 0..63, complex rules from 64 on.
/// </summary>
internal sealed class FieldTables
{
    private readonly Rule?[] _rules;
    private readonly ClassPool _classes;

    /// <param name="rules">By bit; null where no rule has the bit.</param>
    /// <param name="classes">Where the classes are kept.</param>
    public FieldTables(Rule?[] rules, ClassPool classes)
    {
        _rules = rules;
        _classes = classes;
        SourcePortNone = Where(rule => rule.SourcePorts.Count == 0);
        DestinationPortNone = Where(rule => rule.DestinationPorts.Count == 0);
        IcmpNone = Where(rule => rule.IcmpTypes.Count == 0);
    }

    /// <summary>Of packets that are neither ICMP nor ICMPv6.</summary>
    public ushort IcmpNone { get; }

    public ushort SourcePortNone { get; }

    public ushort DestinationPortNone { get; }

    /// <summary>Features whose tables tell rules apart.</summary>
    public static PolicyFeature FeaturesOf(Rule rule)
    {
        PolicyFeature features = PolicyFeature.None;
        features |= rule.SourcePorts.Count > 0 ? PolicyFeature.SourcePort : 0;
        features |= rule.DestinationPorts.Count > 0 ? PolicyFeature.DestinationPort : 0;
        features |= rule.Protocol is not null ? PolicyFeature.Protocol : 0;
        features |= rule.IcmpTypes.Count > 0 ? PolicyFeature.Icmp : 0;
        features |= rule.Vlan is not null ? PolicyFeature.Vlan : 0;
        features |= rule.InnerVlan is not null ? PolicyFeature.InnerVlan : 0;
        features |= rule.Interfaces.Count > 0 ? PolicyFeature.Interface : 0;
        bool shaped = rule.Family is not null || rule.Syn || rule.Fragment != FragmentMatch.Unset;
        return features | (shaped ? PolicyFeature.Shape : 0);
    }

    public ushort Where(Func<Rule, bool> holds) =>
        (ushort)_classes.Where(_rules.Length, bit => _rules[bit] is Rule rule && holds(rule));

    public void FillProtocols(Span<ushort> table)
    {
        ushort others = Where(rule => rule.Protocol is null);
        table.Fill(others);
        foreach (int protocol in Values(rule => rule.Protocol is byte p ? [(int)p] : []))
        {
            table[protocol] = Where(rule => rule.Protocol is null || rule.Protocol == protocol);
        }
    }

    public void FillIcmp(Span<ushort> table)
    {
        table.Fill(IcmpNone);
        foreach (int type in Values(rule => rule.IcmpTypes.Select(each => IcmpOf(rule, each))))
        {
            table.Slice(type << 8, 256).Fill(WhereIcmp(type, null));
        }

        foreach (int index in Values(rule => rule.IcmpTypes.Where(each => each.Code is not null)
            .Select(each => (IcmpOf(rule, each) << 8) | each.Code!.Value)))
        {
            table[index] = WhereIcmp(index >> 8, (byte)index);
        }
    }

    /// <summary>Rules that allow a type with a code; null: one that no rule names.</summary>
    private ushort WhereIcmp(int type, byte? code) => Where(rule => rule.IcmpTypes.Count == 0
        || rule.IcmpTypes.Any(each => IcmpOf(rule, each) == type
            && (each.Code is null || each.Code == code)));

    public void FillVlans(Span<ushort> table, Func<Rule, int?> field)
    {
        table.Fill(Where(rule => field(rule) is null));
        foreach (int vlan in Values(rule => field(rule) is int id ? [id] : []))
        {
            table[vlan] = Where(rule => field(rule) is null || field(rule) == vlan);
        }
    }

    public void FillShapes(Span<ushort> table)
    {
        for (int shape = 0; shape < table.Length; shape++)
        {
            var family = (PacketFamily)(shape & 3);
            var fragment = (FragmentKind)((shape >> 2) & 3);
            bool syn = (shape & (int)PolicyConstants.ShapeSyn) != 0;
            table[shape] = Where(rule => (rule.Family is null || rule.Family == family)
                && RuleMatch.Fragment(rule.Fragment, fragment)
                && (!rule.Syn || syn));
        }
    }

    /// <summary>Sweeps over the ports; between two borders of ranges the class is the
    /// same.</summary>
    public void FillPorts(Span<ushort> table, Func<Rule, IReadOnlyList<PortRange>> field)
    {
        SortedSet<int> borders = [0, table.Length];
        foreach (Rule? rule in _rules)
        {
            foreach (PortRange range in rule is null ? [] : field(rule))
            {
                borders.Add(range.First);
                borders.Add(range.Last + 1);
            }
        }

        int start = 0;
        foreach (int border in borders)
        {
            if (border > start)
            {
                ushort port = (ushort)start;
                table[start..border].Fill(Where(rule => field(rule).Count == 0
                    || field(rule).Any(range => range.Contains(port))));
                start = border;
            }
        }
    }

    private static int IcmpOf(Rule rule, IcmpType type) =>
        type.Type + (rule.Protocol == RuleMatch.IcmpV6 ? (int)PolicyConstants.IcmpV6 : 0);

    private SortedSet<int> Values(Func<Rule, IEnumerable<int>> field)
    {
        SortedSet<int> values = [];
        foreach (Rule? rule in _rules)
        {
            if (rule is not null)
            {
                values.UnionWith(field(rule));
            }
        }

        return values;
    }
}
