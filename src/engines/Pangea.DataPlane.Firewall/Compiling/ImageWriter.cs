using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>Lays the parts of a compiled rule set into one image.</summary>
internal sealed class ImageWriter(
    ClassPool classes, ResultPool results, TrieBuilder tries, ImageWriter.Fields contents)
{
    private byte[] _image = [];
    private PolicyGeometry _geometry;

    /// <summary>The complex and police rules.</summary>
    /// <param name="Tables">Their classes by field.</param>
    /// <param name="ByBit">The rules by bit.</param>
    /// <param name="PoliceCount">Police rules, from bit 0 on.</param>
    /// <param name="ComplexOrders">Order of each complex rule, from bit 64 on.</param>
    internal sealed record Fields(
        FieldTables Tables, List<Rule?> ByBit, int PoliceCount, List<uint> ComplexOrders);

    public required PolicyHeader Header { get; init; }

    public required Dictionary<uint, (List<string> Names, bool Deny)> Interfaces { get; init; }

    /// <summary>Sources and destinations of IPv4, then IPv6; null where there is no
    /// prefix.</summary>
    public required uint[]?[] Roots { get; init; }

    /// <summary>Results by family where no prefix matches.</summary>
    public required (int Source, int Destination)[] Any { get; init; }

    /// <summary>Decision word by order.</summary>
    public required Func<int, uint> Decisions { get; init; }

    public required ushort[] SlotLimits { get; init; }

    public required PolicyLimit[] Limits { get; init; }

    /// <param name="features">What the image must have.</param>
    /// <param name="slotCount">Slots in use.</param>
    /// <param name="current">The geometry to keep if everything fits.</param>
    public Result<(byte[] Image, PolicyGeometry Geometry)> Write(
        PolicyFeature features, uint slotCount, PolicyGeometry? current)
    {
        // Tables first: they make classes, and the number of classes decides the geometry. A table
        // that the geometry has but the rules do not use adds at most a class per table.
        bool keep = current is PolicyGeometry && Sizes(features, slotCount, 8).Fit(current.Value);
        PolicyFeature all = keep ? current!.Value.Features : features;
        Tables tables = MakeTables(all);
        if (classes.Count > ClassPool.ClassesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"the rules divide the packets into {classes.Count} classes, "
                + $"at most {ClassPool.ClassesMax}",
                "let fewer rules name many prefixes that overlap in part");
        }

        ImageSizes sizes = Sizes(all, slotCount, 0);
        _geometry = keep && sizes.Fit(current!.Value) ? current.Value : sizes.Geometry();
        _image = GC.AllocateArray<byte>((int)_geometry.ImageBytes, pinned: true);
        WriteHeader(tables);
        WriteTables(tables);
        WriteAddresses();
        WriteClasses();
        WriteRules();
        return (_image, _geometry);
    }

    private ImageSizes Sizes(PolicyFeature features, uint slotCount, int spareClasses) => new(
        features,
        tries.NodeCount,
        results.Results.Count,
        (features & (PolicyFeature.Complex | PolicyFeature.Police)) == 0
            ? 0
            : classes.Count + spareClasses,
        (contents.ComplexOrders.Count + 63) / 64,
        Limits.Length,
        slotCount);

    private sealed record Tables(
        ushort[]? SourcePort, ushort[]? DestinationPort, ushort[]? Protocol, ushort[]? Icmp,
        ushort[]? Vlan, ushort[]? InnerVlan, ushort[]? Shape, Dictionary<uint, ushort> Interfaces);

    private delegate void Fill(Span<ushort> table);

    private Tables MakeTables(PolicyFeature features)
    {
        ushort[]? Make(PolicyFeature feature, uint entries, Fill fill)
        {
            if ((features & feature) == 0)
            {
                return null;
            }

            ushort[] table = new ushort[entries];
            fill(table);
            return table;
        }

        FieldTables fields = contents.Tables;
        return new Tables(
            Make(PolicyFeature.SourcePort, PolicyConstants.PortEntries,
                table => fields.FillPorts(table, rule => rule.SourcePorts)),
            Make(PolicyFeature.DestinationPort, PolicyConstants.PortEntries,
                table => fields.FillPorts(table, rule => rule.DestinationPorts)),
            Make(PolicyFeature.Protocol, PolicyConstants.ProtocolEntries, fields.FillProtocols),
            Make(PolicyFeature.Icmp, PolicyConstants.IcmpEntries, fields.FillIcmp),
            Make(PolicyFeature.Vlan, PolicyConstants.VlanEntries,
                table => fields.FillVlans(table, rule => rule.Vlan)),
            Make(PolicyFeature.InnerVlan, PolicyConstants.VlanEntries,
                table => fields.FillVlans(table, rule => rule.InnerVlan)),
            Make(PolicyFeature.Shape, PolicyConstants.ShapeEntries, fields.FillShapes),
            Interfaces.ToDictionary(
                pair => pair.Key,
                pair => fields.Where(rule => rule.Interfaces.Count == 0
                    || rule.Interfaces.Any(pair.Value.Names.Contains))));
    }

    private Span<T> Section<T>(uint offset)
        where T : struct => MemoryMarshal.Cast<byte, T>(_image.AsSpan((int)offset));

    private void WriteHeader(Tables tables)
    {
        PolicyHeader header = Header with { ImageBytes = _geometry.ImageBytes };
        for (int family = 0; family < Any.Length; family++)
        {
            header.SourceAny[family] = (uint)Any[family].Source;
            header.DestinationAny[family] = (uint)Any[family].Destination;
        }

        if (_geometry.Interfaces != 0)
        {
            header.InterfaceMultiplier = Multiplier(Interfaces.Keys);
            Span<PolicyInterface> places = Section<PolicyInterface>(_geometry.Interfaces);
            foreach ((uint index, (_, bool deny)) in Interfaces)
            {
                places[(int)((index * header.InterfaceMultiplier) >> 22)] = new PolicyInterface
                {
                    Ifindex = index,
                    Vector = tables.Interfaces[index],
                    Deny = (byte)(deny ? 1 : 0),
                };
            }
        }

        Section<PolicyHeader>(0)[0] = header;
    }

    /// <summary>
    /// An odd number that gives each interface a place of its own. At 64 interfaces among 1024
    /// places one number in eight does, so the search is short.
    /// </summary>
    private static uint Multiplier(IReadOnlyCollection<uint> interfaces)
    {
        HashSet<uint> places = [];
        for (uint multiplier = 0x9e3779b1; ; multiplier = (multiplier * 1664525) + 1013904224)
        {
            places.Clear();
            if (interfaces.All(index => places.Add((index * multiplier) >> 22)))
            {
                return multiplier;
            }
        }
    }

    private void WriteTables(Tables tables)
    {
        Copy(tables.SourcePort, _geometry.SourcePort);
        Copy(tables.DestinationPort, _geometry.DestinationPort);
        Copy(tables.Protocol, _geometry.Protocol);
        Copy(tables.Icmp, _geometry.Icmp);
        Copy(tables.Vlan, _geometry.Vlan);
        Copy(tables.InnerVlan, _geometry.InnerVlan);
        Copy(tables.Shape, _geometry.Shape);
    }

    private void Copy(ushort[]? table, uint offset) =>
        table?.CopyTo(Section<ushort>(offset));

    private void WriteAddresses()
    {
        uint[] offsets =
        [
            _geometry.Source4, _geometry.Destination4, _geometry.Source6, _geometry.Destination6,
        ];
        for (int i = 0; i < offsets.Length; i++)
        {
            if (offsets[i] == 0)
            {
                continue;
            }

            Span<uint> root = Section<uint>(offsets[i])[..(int)PolicyConstants.RootEntries];
            if (Roots[i] is uint[] filled)
            {
                filled.CopyTo(root);
            }
            else
            {
                (int source, int destination) = Any[i >> 1];
                int any = (i & 1) == 0 ? source : destination;
                root.Fill(PolicyConstants.EntryLeaf | (uint)any);
            }
        }

        tries.Words.CopyTo(Section<uint>(_geometry.Nodes));
        CollectionsMarshal.AsSpan(results.Results)
            .CopyTo(Section<PolicyResult>(_geometry.Results));
    }

    private void WriteClasses()
    {
        bool hasComplex = _geometry.Vectors != 0;
        bool hasPolice = _geometry.Police != 0;
        int words = (int)_geometry.VectorWords;
        for (int number = 0; (hasComplex || hasPolice) && number < classes.Count; number++)
        {
            ReadOnlySpan<ulong> set = classes[number];
            if (hasPolice)
            {
                Section<ulong>(_geometry.Police)[number] = set[0];
            }

            if (hasComplex)
            {
                set[1..].CopyTo(Section<ulong>(_geometry.Vectors)[(number * words)..]);
            }

            if (_geometry.Summaries != 0)
            {
                int summary = 0;
                for (int word = 1; word < set.Length; word++)
                {
                    summary |= set[word] != 0 ? 1 << (word - 1) : 0;
                }

                Section<ushort>(_geometry.Summaries)[number] = (ushort)summary;
            }
        }
    }

    private void WriteRules()
    {
        if (_geometry.ComplexRules != 0)
        {
            Span<PolicyRule> rules = Section<PolicyRule>(_geometry.ComplexRules);
            for (int i = 0; i < contents.ComplexOrders.Count; i++)
            {
                uint order = contents.ComplexOrders[i];
                rules[i] = new PolicyRule { Order = order, Decision = Decisions((int)order) };
            }
        }

        if (_geometry.PoliceRules != 0)
        {
            Span<PolicyRule> rules = Section<PolicyRule>(_geometry.PoliceRules);
            for (int i = 0; i < contents.PoliceCount; i++)
            {
                rules[i] = new PolicyRule { Decision = PoliceDecisions(i) };
            }
        }

        if (_geometry.Limits != 0)
        {
            Limits.CopyTo(Section<PolicyLimit>(_geometry.Limits));
            SlotLimits.CopyTo(Section<ushort>(_geometry.SlotLimits));
        }
    }

    /// <summary>Decision word of a police rule, by its bit.</summary>
    public required Func<int, uint> PoliceDecisions { get; init; }
}
