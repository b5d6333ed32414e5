using System.Numerics;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>Two 64-bit hashes side by side over the fields that make a rule itself.</summary>
internal struct RuleIdentity
{
    private ulong _high;
    private ulong _low;

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

    private readonly (ulong High, ulong Low) End() => (_high, _low);

    /// <summary>The finalizer of MurmurHash3, with different constants in the two halves.</summary>
    private void Add(ulong value)
    {
        _high = Mix((_high ^ value) + 0x9e3779b97f4a7c15);
        _low = Mix(BitOperations.RotateLeft(_low, 23) + (value * 0xd6e8feb86659fd93) + 1);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
        value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
        return value ^ (value >> 33);
    }

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
