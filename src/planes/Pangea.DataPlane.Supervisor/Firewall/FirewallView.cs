using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// What the firewall is at a moment, for calls that only read: it stays whole while a change is
/// made beside it. Used on the loop's thread.
/// </summary>
internal sealed record FirewallView
{
    private Rule?[]? _ruleOfSlot;
    private Dictionary<Rule, int>? _numbers;
    private Dictionary<Rule, Rule>? _shadows;

    public required CompiledPolicy Policy { get; init; }

    public required ulong Generation { get; init; }

    public required DateTimeOffset? ConfirmBefore { get; init; }

    /// <summary>"none", "file", "state" or "call".</summary>
    public required string RulesFrom { get; init; }

    public required IReadOnlyList<ShadowedRule> Shadowed { get; init; }

    public required IReadOnlyList<Guarded> Interfaces { get; init; }

    /// <summary>By name, those of the machine.</summary>
    public required IReadOnlyDictionary<string, uint> Present { get; init; }

    /// <summary>Null while no program is loaded.</summary>
    public required XdpFilter? Filter { get; init; }

    /// <summary>The rule whose counters are at a slot.</summary>
    public Rule? RuleAt(uint slot)
    {
        if (_ruleOfSlot is null)
        {
            _ruleOfSlot = new Rule?[Policy.Slots.Count];
            for (int i = 0; i < Policy.Rules.Count; i++)
            {
                _ruleOfSlot[Policy.RuleSlots[i]] ??= Policy.Rules[i];
            }
        }

        return slot < _ruleOfSlot.Length ? _ruleOfSlot[slot] : null;
    }

    /// <summary>The place of a rule in the set from 1 on; null where it is in none.</summary>
    public int? NumberOf(Rule? rule)
    {
        if (rule is null)
        {
            return null;
        }

        if (_numbers is null)
        {
            IReadOnlyList<Rule> rules = Policy.RuleSet.Rules;
            _numbers = new Dictionary<Rule, int>(rules.Count, ReferenceEqualityComparer.Instance);
            for (int i = 0; i < rules.Count; i++)
            {
                _numbers[rules[i]] = i + 1;
            }
        }

        return _numbers.TryGetValue(rule, out int number) ? number : null;
    }

    /// <summary>The earlier rule that leaves nothing to this one; null without.</summary>
    public Rule? ShadowOf(Rule rule)
    {
        if (_shadows is null)
        {
            _shadows = new Dictionary<Rule, Rule>(
                Shadowed.Count, ReferenceEqualityComparer.Instance);
            foreach (ShadowedRule each in Shadowed)
            {
                _shadows[each.Rule] = each.By;
            }
        }

        return _shadows.GetValueOrDefault(rule);
    }

    /// <summary>The name of an interface by its number.</summary>
    public string? NameOf(uint ifindex)
    {
        foreach ((string name, uint index) in Present)
        {
            if (index == ifindex)
            {
                return name;
            }
        }

        return null;
    }
}
