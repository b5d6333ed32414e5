namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>The hash of the fields that make a rule itself.</summary>
internal struct RuleIdentity
{
    private TwinHash _hash;

    public static (ulong High, ulong Low) Of(Rule rule)
    {
        RuleIdentity hash = default;
        if (rule.Name is string name)
        {
            hash.Add(1);
            hash.Add(name);
            return hash.End();
        }

        hash.Add(2);
        hash.Add((ulong)rule.Action | ((ulong)rule.Fragment << 8) | (rule.Syn ? 1UL << 16 : 0));
        hash.Add(rule.Family is null ? 99UL : (ulong)rule.Family);
        hash.Add(rule.Protocol ?? 999UL);
        hash.Add((ulong)(rule.Vlan ?? -1));
        hash.Add((ulong)(rule.InnerVlan ?? -1));
        hash.Add(rule.From);
        hash.Add(rule.To);
        hash.Add((ulong)rule.IcmpTypes.Count);
        foreach (IcmpType type in rule.IcmpTypes)
        {
            hash.Add(type.Type | (type.Code is byte code ? (code + 1UL) << 8 : 0));
        }

        hash.Add(rule.SourcePorts);
        hash.Add(rule.DestinationPorts);
        hash.Add((ulong)rule.Interfaces.Count);
        foreach (string name2 in rule.Interfaces)
        {
            hash.Add(name2);
        }

        return hash.End();
    }

    private readonly (ulong High, ulong Low) End() => (_hash.High, _hash.Low);

    private void Add(ulong value) => _hash.Add(value);

    private void Add(string text)
    {
        Add((ulong)text.Length);
        foreach (char c in text)
        {
            Add(c);
        }
    }

    private void Add(AddressList? list)
    {
        Add(list is null ? ulong.MaxValue : (ulong)list.Prefixes.Count);
        if (list is null)
        {
            return;
        }

        for (int i = 0; i < list.Prefixes.Count; i++)
        {
            IpPrefix prefix = list.Prefixes[i];
            Add((ulong)(prefix.Top >> 64));
            Add((ulong)prefix.Top);
            Add(prefix.Bits | (prefix.IsV6 ? 256UL : 0));
        }

        foreach (string name in list.SetNames)
        {
            Add(name);
        }
    }

    private void Add(IReadOnlyList<PortRange> ranges)
    {
        Add((ulong)ranges.Count);
        foreach (PortRange range in ranges)
        {
            Add(range.First | ((ulong)range.Last << 16));
        }
    }
}
