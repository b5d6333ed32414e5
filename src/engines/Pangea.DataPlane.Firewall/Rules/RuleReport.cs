namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>A rule that an earlier one keeps from ever deciding.</summary>
/// <param name="Rule">The rule that never decides.</param>
/// <param name="By">The earlier rule that matches all it matches.</param>
/// <param name="Contradicts">The two do different things; else the later one is
/// superfluous.</param>
public sealed record ShadowedRule(Rule Rule, Rule By, bool Contradicts);

/// <summary>
/// Finds rules that never decide. A rule is reported where one earlier rule alone covers it; what
/// several cover only together is not found. Rules with one address list and nothing else are
/// looked up by prefix, so 100 000 of them take well under a second.
/// </summary>
public static class RuleReport
{
    /// <summary>Rules of a set that are shadowed at a moment, in their order.</summary>
    public static IReadOnlyList<ShadowedRule> Shadowed(RuleSet set, DateTimeOffset now)
    {
        List<ShadowedRule> shadowed = [];
        PrefixCovers from = new();
        PrefixCovers to = new();
        List<(Rule Rule, IpPrefix[]? From, IpPrefix[]? To)> others = [];
        foreach (Rule rule in set.InForce(now))
        {
            IpPrefix[]? sources = Prefixes(set, rule.From);
            IpPrefix[]? destinations = Prefixes(set, rule.To);
            Rule? by = rule.Action == RuleAction.Limit
                ? null
                : from.Covering(sources) ?? to.Covering(destinations);
            by ??= others.Find(other => Covers(
                other.Rule, other.From, other.To, rule, sources, destinations)).Rule;
            if (by is not null)
            {
                bool differ = by.Action != rule.Action
                    || (by.Limit is null) != (rule.Limit is null);
                shadowed.Add(new ShadowedRule(rule, by, differ));
            }
            else if (rule.IsSimple && sources is not null)
            {
                from.Add(sources, rule);
            }
            else if (rule.IsSimple && destinations is not null)
            {
                to.Add(destinations, rule);
            }
            else
            {
                others.Add((rule, sources, destinations));
            }
        }

        return shadowed;
    }

    private static IpPrefix[]? Prefixes(RuleSet set, AddressList? list) =>
        list is null ? null : [.. set.PrefixesOf(list)];

    /// <summary>Whether each field of the earlier rule takes all that the later one's
    /// takes.</summary>
    private static bool Covers(
        Rule by, IpPrefix[]? byFrom, IpPrefix[]? byTo, Rule rule, IpPrefix[]? from, IpPrefix[]? to)
        => (by.Action == RuleAction.Limit) == (rule.Action == RuleAction.Limit)
        && (by.Protocol is null || by.Protocol == rule.Protocol)
        && (by.Family is null || by.Family == rule.Family)
        && (!by.Syn || rule.Syn)
        && (by.Fragment == FragmentMatch.Unset || by.Fragment == rule.Fragment
            || (by.Fragment == FragmentMatch.Any
                && rule.Fragment is FragmentMatch.First or FragmentMatch.Later))
        && (by.Vlan is null || by.Vlan == rule.Vlan)
        && (by.InnerVlan is null || by.InnerVlan == rule.InnerVlan)
        && Covers(by.IcmpTypes, rule.IcmpTypes)
        && Covers(by.Interfaces, rule.Interfaces)
        && Covers(by.SourcePorts, rule.SourcePorts)
        && Covers(by.DestinationPorts, rule.DestinationPorts)
        && Covers(byFrom, from)
        && Covers(byTo, to);

    private static bool Covers(IReadOnlyList<IcmpType> by, IReadOnlyList<IcmpType> types) =>
        by.Count == 0 || (types.Count > 0
            && types.All(type => by.Any(wide => wide.Covers(type))));

    private static bool Covers<T>(IReadOnlyList<T> by, IReadOnlyList<T> values) =>
        by.Count == 0 || (values.Count > 0 && values.All(by.Contains));

    private static bool Covers(IReadOnlyList<PortRange> by, IReadOnlyList<PortRange> ranges) =>
        by.Count == 0 || (ranges.Count > 0 && ranges.All(range =>
            by.Any(wide => wide.First <= range.First && wide.Last >= range.Last)));

    private static bool Covers(IpPrefix[]? by, IpPrefix[]? prefixes) =>
        by is null || (prefixes is not null
            && prefixes.All(prefix => by.Any(wide => wide.Contains(prefix))));

    /// <summary>The first rule of each prefix, found by its own prefixes one by one.</summary>
    private sealed class PrefixCovers
    {
        private readonly Dictionary<IpPrefix, Rule> _rules = [];
        private readonly SortedSet<int> _lengths4 = [];
        private readonly SortedSet<int> _lengths6 = [];

        public void Add(IpPrefix[] prefixes, Rule rule)
        {
            foreach (IpPrefix prefix in prefixes)
            {
                _rules.TryAdd(prefix, rule);
                (prefix.IsV6 ? _lengths6 : _lengths4).Add(prefix.Bits);
            }
        }

        /// <summary>Some rule around, if each of the prefixes has one; null for no list.</summary>
        public Rule? Covering(IpPrefix[]? prefixes)
        {
            Rule? last = null;
            foreach (IpPrefix prefix in prefixes ?? [])
            {
                last = Around(prefix);
                if (last is null)
                {
                    return null;
                }
            }

            return last;
        }

        private Rule? Around(IpPrefix prefix)
        {
            foreach (int bits in prefix.IsV6 ? _lengths6 : _lengths4)
            {
                if (bits > prefix.Bits)
                {
                    break;
                }

                IpPrefix wide = new(prefix.Top & IpPrefix.Mask(bits), (byte)bits, prefix.IsV6);
                if (_rules.TryGetValue(wide, out Rule? rule))
                {
                    return rule;
                }
            }

            return null;
        }
    }
}
