using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Judging;

// HOT PATH. A packet costs two trie look-ups (root, up to four nodes for IPv4, one result each)
// and, where complex rules exist, one 16-bit load per field and an AND over the classes.

/// <summary>Which rules of an image match a packet; reads bytes, changes nothing.</summary>
internal sealed class ImageReader
{
    private const int FieldsMax = 10;
    private readonly byte[] _image;
    private readonly PolicyGeometry _geometry;
    private readonly PolicyHeader _header;
    private readonly PolicyFeature _fields;

    public ImageReader(CompiledPolicy policy)
    {
        Policy = policy;
        _image = policy.Image;
        _geometry = policy.Geometry;
        _header = MemoryMarshal.Read<PolicyHeader>(_image);

        // The rules may use less than the geometry has room for.
        _fields = _header.Features;
    }

    public CompiledPolicy Policy { get; }

    public ref readonly PolicyHeader Header => ref _header;

    public bool Has(PolicyFeature feature) => (_fields & feature) != 0;

    public PolicyResult Source(in PacketKey key)
    {
        bool isV6 = key.Family == PacketFamily.Ipv6;
        uint root = isV6 ? _geometry.Source6 : _geometry.Source4;
        return root == 0 || key.Family == PacketFamily.Other
            ? Result(_header.SourceAny[(int)key.Family])
            : LookUp(root, isV6, key.SourceHigh, key.SourceLow);
    }

    public PolicyResult Destination(in PacketKey key)
    {
        bool isV6 = key.Family == PacketFamily.Ipv6;
        uint root = isV6 ? _geometry.Destination6 : _geometry.Destination4;
        return root == 0 || key.Family == PacketFamily.Other
            ? Result(_header.DestinationAny[(int)key.Family])
            : LookUp(root, isV6, key.DestinationHigh, key.DestinationLow);
    }

    public PolicyInterface Interface(uint ifindex)
    {
        if (_geometry.Interfaces != 0)
        {
            uint place = (ifindex * _header.InterfaceMultiplier) >> 22;
            PolicyInterface found = Read<PolicyInterface>(_geometry.Interfaces + (place * 8));
            if (found.Ifindex == ifindex && ifindex != 0)
            {
                return found;
            }
        }

        return new PolicyInterface
        {
            Vector = _header.InterfaceOther,
            Deny = (byte)_header.DefaultDeny,
        };
    }

    /// <summary>Collects the class of each field that some rule uses.</summary>
    public Classes ClassesOf(
        in PacketKey key, ushort source, ushort destination, ushort @interface)
    {
        Classes classes = default;
        int count = 2;
        classes[0] = source;
        classes[1] = destination;
        if (Has(PolicyFeature.DestinationPort))
        {
            classes[count++] = key.HasPorts
                ? At(_geometry.DestinationPort, key.DestinationPort)
                : _header.DestinationPortNone;
        }

        if (Has(PolicyFeature.SourcePort))
        {
            classes[count++] = key.HasPorts
                ? At(_geometry.SourcePort, key.SourcePort)
                : _header.SourcePortNone;
        }

        if (Has(PolicyFeature.Protocol))
        {
            classes[count++] = At(_geometry.Protocol, key.Protocol);
        }

        if (Has(PolicyFeature.Icmp))
        {
            classes[count++] = key.Icmp < PolicyConstants.IcmpNone
                ? At(_geometry.Icmp, ((uint)key.Icmp << 8) | key.IcmpCode)
                : _header.IcmpNone;
        }

        if (Has(PolicyFeature.Shape))
        {
            uint shape = (uint)key.Family
                | ((uint)key.Fragment << (int)PolicyConstants.ShapeFragmentShift)
                | (key.Syn ? PolicyConstants.ShapeSyn : 0);
            classes[count++] = At(_geometry.Shape, shape);
        }

        if (Has(PolicyFeature.Vlan))
        {
            classes[count++] = At(_geometry.Vlan, key.Vlan);
        }

        if (Has(PolicyFeature.InnerVlan))
        {
            classes[count++] = At(_geometry.InnerVlan, key.InnerVlan);
        }

        if (Has(PolicyFeature.Interface))
        {
            classes[count++] = @interface;
        }

        classes.Count = count;
        return classes;
    }

    /// <summary>Number of the first police rule that matches, or -1.</summary>
    public int FirstPolice(in Classes classes)
    {
        ReadOnlySpan<ulong> police = Words(_geometry.Police);
        ulong all = ulong.MaxValue;
        for (int i = 0; i < classes.Count; i++)
        {
            all &= police[classes[i]];
        }

        return all == 0 ? -1 : BitOperations.TrailingZeroCount(all);
    }

    public PolicyRule PoliceRule(int number) =>
        Read<PolicyRule>(_geometry.PoliceRules + ((uint)number * 8));

    /// <summary>The first complex rule, if it stands before an order.</summary>
    public PolicyRule FirstComplex(in Classes classes, uint before)
    {
        PolicyRule none = new() { Order = PolicyConstants.OrderNone };
        int words = (int)_geometry.VectorWords;
        ReadOnlySpan<ulong> vectors = Words(_geometry.Vectors);
        if (words < Vector256<ulong>.Count)
        {
            for (int word = 0; word < words; word++)
            {
                ulong all = ulong.MaxValue;
                for (int i = 0; i < classes.Count; i++)
                {
                    all &= vectors[(classes[i] * words) + word];
                }

                if (all != 0)
                {
                    return ComplexRule((word * 64) + BitOperations.TrailingZeroCount(all));
                }
            }

            return none;
        }

        for (int word = 0; word < words; word += Vector256<ulong>.Count)
        {
            // The orders ascend, so a block that begins behind the best so far cannot win; what is
            // behind the last rule has order 0 and classes without bits.
            if (word * 64 >= _header.ComplexCount || ComplexRule(word * 64).Order > before)
            {
                return none;
            }

            Vector256<ulong> all = Vector256<ulong>.AllBitsSet;
            for (int i = 0; i < classes.Count; i++)
            {
                all &= Vector256.Create(vectors.Slice((classes[i] * words) + word, 4));
            }

            if (all != Vector256<ulong>.Zero)
            {
                for (int lane = 0; ; lane++)
                {
                    if (all[lane] != 0)
                    {
                        int bit = BitOperations.TrailingZeroCount(all[lane]);
                        return ComplexRule(((word + lane) * 64) + bit);
                    }
                }
            }
        }

        return none;
    }

    /// <summary>The limit of a decision that has one.</summary>
    public PolicyLimit Limit(uint slot)
    {
        uint number = At(_geometry.SlotLimits, slot);
        return Read<PolicyLimit>(_geometry.Limits + (number * 64));
    }

    private PolicyResult LookUp(uint root, bool isV6, ulong high, ulong low)
    {
        uint index;
        ulong rest;
        ulong rest2 = 0;
        if (isV6)
        {
            index = (uint)(high >> 48);
            rest = (high << 16) | (low >> 48);
            rest2 = low << 16;
        }
        else
        {
            index = (uint)(low >> 16);
            rest = low << 48;
        }

        ReadOnlySpan<byte> image = _image;
        uint entry = Read<uint>(image, root + (index * 4));
        for (int step = 0; step < (int)PolicyConstants.TrieStepsMax; step++)
        {
            if ((int)entry < 0)
            {
                break;
            }

            uint node = _geometry.Nodes
                + ((entry & PolicyConstants.EntryIndex) * PolicyConstants.NodeBytes);
            int bits = 4;
            if ((entry & PolicyConstants.EntrySkip) != 0)
            {
                ulong want = Read<ulong>(image, node);
                bits = (int)Read<uint>(image, node + 8);
                bool matches = (rest ^ want) >> (64 - bits) == 0;
                entry = Read<uint>(image, node + (matches ? 12u : 16u));
            }
            else
            {
                entry = Read<uint>(image, node + (uint)((rest >> 60) << 2));
            }

            rest = (rest << bits) | (rest2 >> (64 - bits));
            rest2 <<= bits;
        }

        return Result(entry & ~PolicyConstants.EntryLeaf);
    }

    private PolicyRule ComplexRule(int number) =>
        Read<PolicyRule>(_geometry.ComplexRules + ((uint)number * 8));

    private PolicyResult Result(uint index) =>
        Read<PolicyResult>(_geometry.Results + ((index & _geometry.ResultMask) * 16));

    private ushort At(uint table, uint index) => Read<ushort>(table + (index * 2));

    private ReadOnlySpan<ulong> Words(uint offset) =>
        MemoryMarshal.Cast<byte, ulong>(_image.AsSpan((int)offset));

    private T Read<T>(uint offset)
        where T : struct => Read<T>(_image, offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Read<T>(ReadOnlySpan<byte> image, uint offset)
        where T : struct => MemoryMarshal.Read<T>(image[(int)offset..]);

    /// <summary>The classes of a packet's fields.</summary>
    internal struct Classes
    {
        private Numbers _numbers;

        public int Count;

        public ushort this[int index]
        {
            readonly get => _numbers[index];
            set => _numbers[index] = value;
        }

        [InlineArray(FieldsMax)]
        private struct Numbers
        {
            private ushort _number;
        }
    }
}
