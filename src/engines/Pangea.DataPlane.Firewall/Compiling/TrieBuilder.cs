using System.Diagnostics;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>A prefix and the result of the addresses whose longest match it is.</summary>
internal readonly record struct TriePrefix(UInt128 Top, byte Bits, uint Result);

/// <summary>
/// Builds address tries: a root of 2^16 entries over the first 16 bits, then branches of four bits
/// and skips over runs where all prefixes agree. Nodes of all tries share one section.
/// </summary>
internal sealed class TrieBuilder
{
    private const int RootBits = 16;
    private const int NodeWords = (int)PolicyConstants.NodeBytes / 4;
    private const int SkipBitsMax = 60;

    /// <summary>A shorter run is as dear as a branch.</summary>
    private const int SkipBitsMin = 8;

    private uint[] _words = new uint[256 * NodeWords];

    public int NodeCount { get; private set; }

    /// <summary>All nodes, in the byte order of the image.</summary>
    public ReadOnlySpan<uint> Words => _words.AsSpan(0, NodeCount * NodeWords);

    /// <summary>Fills a root table.</summary>
    /// <param name="prefixes">Sorted, distinct, longer than 0.</param>
    /// <param name="any">Result outside of all prefixes.</param>
    /// <param name="root">The table, 2^16 entries.</param>
    public void Build(ReadOnlySpan<TriePrefix> prefixes, uint any, Span<uint> root)
    {
        root.Fill(PolicyConstants.EntryLeaf | any);
        foreach (TriePrefix prefix in prefixes)
        {
            if (prefix.Bits <= RootBits)
            {
                int first = (int)(prefix.Top >> (128 - RootBits));
                root.Slice(first, 1 << (RootBits - prefix.Bits))
                    .Fill(PolicyConstants.EntryLeaf | prefix.Result);
            }
        }

        for (int start = 0; start < prefixes.Length;)
        {
            uint index = (uint)(prefixes[start].Top >> (128 - RootBits));
            int end = start + 1;
            while (end < prefixes.Length
                && (uint)(prefixes[end].Top >> (128 - RootBits)) == index)
            {
                end++;
            }

            ReadOnlySpan<TriePrefix> group = prefixes[start..end];
            start = end;
            while (group.Length > 0 && group[0].Bits <= RootBits)
            {
                group = group[1..];
            }

            if (group.Length > 0)
            {
                root[(int)index] = Entry(group, RootBits, root[(int)index]);
            }
        }
    }

    /// <summary>
    /// The entry for addresses that agree in their first <paramref name="depth"/> bits.
    /// </summary>
    /// <param name="prefixes">Those that are longer than the depth and agree in these bits.</param>
    /// <param name="depth">A multiple of 4.</param>
    /// <param name="outside">The leaf for addresses that no prefix takes.</param>
    private uint Entry(ReadOnlySpan<TriePrefix> prefixes, int depth, uint outside)
    {
        // A prefix of exactly this length covers the rest, and stands first.
        if (prefixes.Length > 0 && prefixes[0].Bits == depth)
        {
            outside = PolicyConstants.EntryLeaf | prefixes[0].Result;
            prefixes = prefixes[1..];
        }

        if (prefixes.Length == 0)
        {
            return outside;
        }

        // What the first and the last have in common, all have; and if some prefix is shorter than
        // that, it covers the others, and the order puts it first.
        UInt128 differing = prefixes[0].Top ^ prefixes[^1].Top;
        int common = Math.Min((int)UInt128.LeadingZeroCount(differing), prefixes[0].Bits);
        int run = Math.Min((common - depth) & ~3, SkipBitsMax);
        return run >= SkipBitsMin
            ? Skip(prefixes, depth, run, outside)
            : Branch(prefixes, depth, outside);
    }

    private uint Skip(ReadOnlySpan<TriePrefix> prefixes, int depth, int run, uint outside)
    {
        int node = Take();
        uint match = Entry(prefixes, depth + run, outside);
        ulong want = (ulong)((prefixes[0].Top << depth) >> 64);
        Span<PolicySkip> skip = MemoryMarshal.Cast<uint, PolicySkip>(Node(node));
        skip[0].Want = want & (ulong.MaxValue << (64 - run));
        skip[0].BitCount = (uint)run;
        skip[0].Match = match;
        skip[0].Miss = outside;
        return PolicyConstants.EntrySkip | (uint)node;
    }

    private uint Branch(ReadOnlySpan<TriePrefix> prefixes, int depth, uint outside)
    {
        Span<uint> children = stackalloc uint[16];
        Span<int> starts = stackalloc int[17];
        children.Fill(outside);
        int shift = 128 - depth - 4;
        int position = 0;
        for (int nibble = 0; nibble < 16; nibble++)
        {
            starts[nibble] = position;
            while (position < prefixes.Length
                && ((int)(prefixes[position].Top >> shift) & 15) == nibble)
            {
                // Those that end within this branch stand before the longer ones of their first
                // child, outer before inner.
                int bits = prefixes[position].Bits;
                if (bits < depth + 4)
                {
                    children.Slice(nibble, 1 << (depth + 4 - bits))
                        .Fill(PolicyConstants.EntryLeaf | prefixes[position].Result);
                }

                position++;
            }
        }

        Debug.Assert(position == prefixes.Length, "sorted prefixes");
        starts[16] = position;
        int node = Take();
        for (int nibble = 0; nibble < 16; nibble++)
        {
            ReadOnlySpan<TriePrefix> inner = prefixes[starts[nibble]..starts[nibble + 1]];
            while (inner.Length > 0 && inner[0].Bits < depth + 4)
            {
                inner = inner[1..];
            }

            children[nibble] = Entry(inner, depth + 4, children[nibble]);
        }

        children.CopyTo(Node(node));
        return (uint)node;
    }

    private Span<uint> Node(int node) => _words.AsSpan(node * NodeWords, NodeWords);

    private int Take()
    {
        if ((NodeCount + 1) * NodeWords > _words.Length)
        {
            Array.Resize(ref _words, _words.Length * 2);
        }

        return NodeCount++;
    }
}
