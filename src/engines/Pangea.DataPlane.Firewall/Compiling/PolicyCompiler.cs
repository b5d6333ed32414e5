using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>
/// Makes the policy image of a rule set. Nothing of the set in use is touched: a set that cannot be
/// compiled is a fault and changes nothing.
/// </summary>
public sealed class PolicyCompiler
{
    private const int PoliceBits = (int)PolicyConstants.PoliceEntries;

    private readonly RuleSet _set;
    private readonly CompileOptions _options;
    private readonly List<Rule> _rules;
    private readonly List<string> _warnings = [];
    private readonly Dictionary<uint, (List<string> Names, bool Deny)> _interfaces = [];

    /// <summary>Rules by their bit; see <see cref="FieldTables"/>.</summary>
    private readonly List<Rule?> _byBit = [];
    private readonly List<uint> _complexOrders = [];
    private readonly List<int> _policeOrders = [];
    private readonly Dictionary<Rule, int> _bits = new(ReferenceEqualityComparer.Instance);
    private readonly AddressTable[] _tables = [new(), new(), new(), new()];
    private readonly ResultPool _results = new();
    private readonly TrieBuilder _tries = new();
    private readonly uint[][] _roots = new uint[4][];
    private uint[] _slots = [];
    private PolicyLimit[] _limits = [];
    private ushort[] _slotLimits = [];
    private ClassPool _classes = new(1);
    private int _policeCount;
    private PolicyFeature _features;
    private (int Source, int Destination)[] _any = [];

    private PolicyCompiler(RuleSet set, CompileOptions options)
    {
        _set = set;
        _options = options;
        _rules = set.InForce(options.Now);
    }

    public static Result<CompiledPolicy> Compile(RuleSet set, CompileOptions options) =>
        new PolicyCompiler(set, options).Run();

    private Result<CompiledPolicy> Run()
    {
        if (TooMany() is Fault tooMany)
        {
            return tooMany;
        }

        if (ResolveInterfaces() is Fault interfaces)
        {
            return interfaces;
        }

        if (ChooseBits() is Fault bits)
        {
            return bits;
        }

        List<(ulong, ulong)> identities = new(_rules.Count + _set.Pins.Count);
        identities.AddRange(_rules.Select(rule => rule.Identity));
        identities.AddRange(_set.Pins.Select(PinIdentity));
        SlotTable slots = _options.Slots.Next(identities, out _slots, out List<uint> fresh);
        CollectLimits(slots.Count);
        CollectAddresses();
        ResolveAddresses();
        FieldTables fields = new([.. _byBit], _classes);
        ImageWriter.Fields contents = new(fields, _byBit, _policeCount, _complexOrders);
        ImageWriter writer = new(_classes, _results, _tries, contents)
        {
            Header = Header(fields),
            Interfaces = _interfaces,
            Roots = _roots,
            Any = _any,
            Decisions = Decision,
            PoliceDecisions = number => Decision(_policeOrders[number]),
            SlotLimits = _slotLimits,
            Limits = _limits,
        };
        Result<(byte[] Image, PolicyGeometry Geometry)> image =
            writer.Write(_features | Extra(), slots.Count, _options.Geometry);
        if (!image.IsOk)
        {
            return image.Fault;
        }

        return new CompiledPolicy(image.Value.Image, image.Value.Geometry, _set)
        {
            Rules = _rules,
            RuleSlots = _slots[.._rules.Count],
            PinSlots = _slots[_rules.Count..],
            Slots = slots,
            FreshSlots = fresh,
            Warnings = _warnings,
            NextExpiry = _rules.Min(rule => rule.Expires),
            LastExpiry = _set.Rules.Max(
                rule => rule.Expires <= _options.Now ? rule.Expires : null),
            Sizes = new CompiledSizes(
                _tables.Sum(table => table.EntryCount), _tries.NodeCount, _results.Results.Count,
                _classes.Count, _complexOrders.Count, _policeCount, _limits.Length - 1,
                (int)slots.Count),
        };
    }

    private static (ulong, ulong) PinIdentity(Pin pin)
    {
        Rule likeness = new()
        {
            Action = RuleAction.Allow,
            From = pin.Direction == Direction.From ? pin.Addresses : null,
            To = pin.Direction == Direction.To ? pin.Addresses : null,
        };

        // Not the identity of a rule with the same addresses.
        return (likeness.Identity.High ^ 0x70696e, likeness.Identity.Low);
    }

    private Fault? TooMany()
    {
        if (_rules.Count > Limits.FirewallRulesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"the policy has {_rules.Count} rules, at most {Limits.FirewallRulesMax}",
                "prefixes with the same rule belong into one set");
        }

        long prefixes = _rules.Sum(rule => Count(rule.From) + Count(rule.To))
            + _set.Pins.Sum(pin => Count(pin.Addresses));
        return prefixes <= Limits.FirewallPrefixesMax
            ? null
            : new Fault(
                FaultCode.TooLarge,
                $"the rules name {prefixes} prefixes, at most {Limits.FirewallPrefixesMax}");
    }

    private long Count(AddressList? list) => list is null
        ? 0
        : list.Prefixes.Count + list.SetNames.Sum(
            name => (long)_set.Sets[name].Prefixes.Count + _set.Sets[name].Included.Count);

    private Fault? ResolveInterfaces()
    {
        IEnumerable<string> named = _rules.SelectMany(rule => rule.Interfaces)
            .Concat(_set.InterfaceDefaults.Keys).Distinct().Order(StringComparer.Ordinal);
        foreach (string name in named)
        {
            if (!_options.Interfaces.TryGetValue(name, out uint index))
            {
                _warnings.Add($"there is no interface '{name}'; what is said of it waits for it");
                continue;
            }

            bool deny = _set.InterfaceDefaults.TryGetValue(name, out RuleAction action)
                ? action == RuleAction.Deny
                : _set.Default == RuleAction.Deny;
            if (_interfaces.TryGetValue(index, out (List<string> Names, bool Deny) known))
            {
                // Two names of one interface: the stricter default.
                known.Names.Add(name);
                _interfaces[index] = (known.Names, known.Deny || deny);
            }
            else
            {
                _interfaces.Add(index, ([name], deny));
            }
        }

        _features |= _interfaces.Count > 0 ? PolicyFeature.Interface : 0;
        return _interfaces.Count <= Limits.FirewallInterfacesMax
            ? null
            : new Fault(
                FaultCode.TooLarge,
                $"the rules name {_interfaces.Count} interfaces, "
                + $"at most {Limits.FirewallInterfacesMax}");
    }

    private Fault? ChooseBits()
    {
        List<Rule> police = [];
        List<Rule> complex = [];
        for (int i = 0; i < _rules.Count; i++)
        {
            Rule rule = _rules[i];
            if (rule.Action == RuleAction.Limit)
            {
                police.Add(rule);
                _policeOrders.Add(i);
            }
            else if (!rule.IsSimple)
            {
                complex.Add(rule);
                _complexOrders.Add((uint)i);
            }
        }

        if (police.Count > Limits.FirewallLimitRulesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"{police.Count} rules only limit, at most {Limits.FirewallLimitRulesMax}");
        }

        if (complex.Count > Limits.FirewallComplexRulesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"{complex.Count} rules match more than the addresses of one direction, "
                + $"at most {Limits.FirewallComplexRulesMax}",
                "join their prefixes, ports or interfaces in fewer rules");
        }

        _policeCount = police.Count;
        _byBit.AddRange(police);
        _byBit.AddRange(Enumerable.Repeat<Rule?>(null, PoliceBits - police.Count));
        _byBit.AddRange(complex);
        for (int bit = 0; bit < _byBit.Count; bit++)
        {
            if (_byBit[bit] is Rule rule)
            {
                _bits.TryAdd(rule, bit);
                _features |= FieldTables.FeaturesOf(rule);
            }
        }

        _features |= police.Count > 0 ? PolicyFeature.Police : 0;
        _features |= complex.Count > 0 ? PolicyFeature.Complex : 0;
        _classes = new ClassPool(1 + Math.Max(1, (complex.Count + 63) / 64));
        return null;
    }

    /// <summary>
    /// Bans outlive the rule set that made them: a program that looked at them is followed by one
    /// that does.
    /// </summary>
    private PolicyFeature Extra() => _options.ExtraFeatures
        | ((_options.Geometry?.Features ?? PolicyFeature.None) & PolicyFeature.Bans);

    private uint Decision(int order) => Decision(_rules[order], _slots[order]);

    private static uint Decision(Rule rule, uint slot) =>
        slot
        | (rule.Action == RuleAction.Deny ? PolicyConstants.DecisionDeny : 0)
        | (rule.Monitor ? PolicyConstants.DecisionMonitor : 0)
        | (rule.Limit is not null ? PolicyConstants.DecisionLimit : 0);

    private void CollectLimits(uint slotCount)
    {
        Dictionary<PolicyLimit, ushort> numbers = [];
        List<PolicyLimit> limits = [default];
        _slotLimits = new ushort[slotCount];
        for (int i = 0; i < _rules.Count; i++)
        {
            if (_rules[i].Limit is not RuleLimit limit)
            {
                continue;
            }

            PolicyLimit units = limit.ToImage();
            if (!numbers.TryGetValue(units, out ushort number))
            {
                number = checked((ushort)limits.Count);
                limits.Add(units);
                numbers.Add(units, number);
            }

            // Of two rules that match the same only the first is ever used.
            if (_slotLimits[_slots[i]] == 0)
            {
                _slotLimits[_slots[i]] = number;
            }

            _features |= PolicyFeature.Limits;
            _features |= limit.Ban is null
                ? 0
                : PolicyFeature.Violations | PolicyFeature.Bans;
        }

        _limits = [.. limits];
    }

    private void CollectAddresses()
    {
        for (int i = 0; i < _rules.Count; i++)
        {
            Rule rule = _rules[i];
            if (rule.IsSimple)
            {
                if ((rule.From ?? rule.To) is AddressList list)
                {
                    Add(rule.From is null, list, new AddressEntry(
                        default, 0, (uint)i, Decision(i), -1, -1, 0));
                }

                continue;
            }

            int bit = _bits[rule];
            AddressEntry member = new(
                default, 0, PolicyConstants.OrderNone, 0, bit, -1, 0);
            if (rule.From is not null)
            {
                Add(false, rule.From, member);
            }

            if (rule.To is not null)
            {
                Add(true, rule.To, member);
            }
        }

        for (int i = 0; i < _set.Pins.Count; i++)
        {
            Pin pin = _set.Pins[i];
            Add(pin.Direction == Direction.To, pin.Addresses, new AddressEntry(
                default, 0, PolicyConstants.OrderNone, 0, -1, i, _slots[_rules.Count + i]));
        }
    }

    private void Add(bool isDestination, AddressList list, AddressEntry entry)
    {
        int direction = isDestination ? 1 : 0;
        foreach (IpPrefix prefix in _set.PrefixesOf(list))
        {
            _tables[direction + (prefix.IsV6 ? 2 : 0)].Add(
                entry with { Top = prefix.Top, Bits = prefix.Bits });
        }
    }

    private void ResolveAddresses()
    {
        AddressMeaning source = new(
            PolicyConstants.OrderNone, 0,
            _classes.Where(_byBit.Count, bit => _byBit[bit] is { From: null }), -1, 0);
        AddressMeaning destination = new(
            PolicyConstants.OrderNone, 0,
            _classes.Where(_byBit.Count, bit => _byBit[bit] is { To: null }), -1, 0);

        // The first rule that matches everything counts as one about sources.
        int all = _rules.FindIndex(rule => rule.IsSimple && rule.From is null && rule.To is null);
        if (all >= 0)
        {
            source = source with { Order = (uint)all, Decision = Decision(all) };
        }

        PolicyFeature[] features =
        [
            PolicyFeature.Source4, PolicyFeature.Destination4, PolicyFeature.Source6,
            PolicyFeature.Destination6,
        ];
        for (int i = 0; i < _tables.Length; i++)
        {
            _tables[i].Resolve((i & 1) == 0 ? source : destination, _classes, _results);
            if (_tables[i].Prefixes.Count > 0)
            {
                _features |= features[i];
                _roots[i] = new uint[PolicyConstants.RootEntries];
                _tries.Build(
                    System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tables[i].Prefixes),
                    (uint)_tables[i].Any,
                    _roots[i]);
            }
        }

        _any =
        [
            (_tables[0].Any, _tables[1].Any),
            (_tables[2].Any, _tables[3].Any),
            (_results.Intern(source), _results.Intern(destination)),
        ];
        _features |= _results.HasPins ? PolicyFeature.Pins : 0;
    }

    private PolicyHeader Header(FieldTables fields) => new()
    {
        Magic = PolicyConstants.ImageMagic,
        Version = PolicyConstants.ImageVersion,
        Generation = _options.Generation,
        Features = _features,
        Flags = _set.Monitor ? PolicyConstants.FlagMonitor : 0,
        MalformedDrop = _set.MalformedDrop,
        DefaultDeny = _set.Default == RuleAction.Deny ? 1u : 0,
        SourcePortNone = fields.SourcePortNone,
        DestinationPortNone = fields.DestinationPortNone,
        IcmpNone = fields.IcmpNone,
        InterfaceOther = fields.Where(rule => rule.Interfaces.Count == 0),
        ComplexCount = (uint)_complexOrders.Count,
        PoliceCount = (uint)_policeCount,
        ComplexOrderMin =
            _complexOrders.Count > 0 ? _complexOrders[0] : PolicyConstants.OrderNone,
    };
}
