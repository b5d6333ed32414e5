using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>
/// Sets of rules, each stored once under a number. A packet has one such set for each of its
/// fields; what they have in common is what matches it. Word 0 holds the police rules, the rest the
/// complex ones.
/// </summary>
internal sealed class ClassPool(int words)
{
    /// <summary>Numbers are stored in 16 bits.</summary>
    public const int ClassesMax = 65536;

    private readonly List<ulong[]> _sets = [];
    private readonly Dictionary<ulong[], int> _numbers = new(WordComparer.Instance);
    private readonly Dictionary<(int Class, int Bit), int> _grown = [];

    public int Count => _sets.Count;

    /// <summary>Number of 64-bit words of a set.</summary>
    public int Words => words;

    public ReadOnlySpan<ulong> this[int number] => _sets[number];

    /// <summary>The number of a set; the words are copied if they are new.</summary>
    public int Intern(ulong[] set)
    {
        if (!_numbers.TryGetValue(set, out int number))
        {
            number = _sets.Count;
            ulong[] copy = (ulong[])set.Clone();
            _sets.Add(copy);
            _numbers.Add(copy, number);
        }

        return number;
    }

    /// <summary>The set of rules for which <paramref name="holds"/>, by bit.</summary>
    public int Where(int bits, Func<int, bool> holds)
    {
        ulong[] set = new ulong[words];
        for (int bit = 0; bit < bits; bit++)
        {
            if (holds(bit))
            {
                set[bit >> 6] |= 1UL << bit;
            }
        }

        return Intern(set);
    }

    /// <summary>The set with one rule more.</summary>
    public int With(int number, int bit)
    {
        ulong[] set = _sets[number];
        if ((set[bit >> 6] & (1UL << bit)) != 0)
        {
            return number;
        }

        if (!_grown.TryGetValue((number, bit), out int grown))
        {
            ulong[] copy = (ulong[])set.Clone();
            copy[bit >> 6] |= 1UL << bit;
            grown = Intern(copy);
            _grown.Add((number, bit), grown);
        }

        return grown;
    }

    private sealed class WordComparer : IEqualityComparer<ulong[]>
    {
        public static readonly WordComparer Instance = new();

        public bool Equals(ulong[]? x, ulong[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(ulong[] set)
        {
            HashCode hash = default;
            hash.AddBytes(MemoryMarshal.AsBytes(set.AsSpan()));
            return hash.ToHashCode();
        }
    }
}
