using System.Diagnostics.CodeAnalysis;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Changes of one table that no checkpoint has written yet: key to new value, null for "removed".
/// A put costs one entry of a hash table; the order is made only when someone lists, by merging the
/// keys that are new since the last time.
/// </summary>
internal sealed class OverlayTable<T>
    where T : class
{
    private readonly Dictionary<byte[], T?> _changes = new(ByteKeyComparer.Instance);
    private readonly Dictionary<byte[], T?>.AlternateLookup<ReadOnlySpan<byte>> _bySpan;
    private readonly List<byte[]> _unsorted = [];
    private byte[][] _sorted = [];

    public OverlayTable() => _bySpan = _changes.GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>Changed keys.</summary>
    public int Count => _changes.Count;

    /// <summary>
    /// All changes in no order. Another thread may enumerate a table that nobody changes any more.
    /// </summary>
    public IReadOnlyCollection<KeyValuePair<byte[], T?>> Changes => _changes;

    /// <summary>True where the key was changed, to <paramref name="value"/>.</summary>
    public bool TryGet(ReadOnlySpan<byte> key, out T? value) =>
        _bySpan.TryGetValue(key, out value);

    public void Set(ReadOnlySpan<byte> key, T? value)
    {
        if (_bySpan.TryGetValue(key, out byte[]? known, out _))
        {
            _changes[known] = value;
            return;
        }

        byte[] added = key.ToArray();
        _changes.Add(added, value);
        _unsorted.Add(added);
    }

    /// <summary>Takes over what an older table changed and this one did not.</summary>
    public void AddOlder(OverlayTable<T> older)
    {
        foreach ((byte[] key, T? value) in older._changes)
        {
            if (_changes.TryAdd(key, value))
            {
                _unsorted.Add(key);
            }
        }
    }

    /// <summary>Forgets all changes and keeps the room that they took.</summary>
    public void Clear()
    {
        _changes.Clear();
        _unsorted.Clear();
        _sorted = [];
    }

    /// <summary>The changed keys in byte order; valid until the next change.</summary>
    public ReadOnlySpan<byte[]> SortedKeys()
    {
        if (_unsorted.Count > 0)
        {
            _unsorted.Sort(ByteKeyComparer.Instance);
            _sorted = Merge(_sorted, _unsorted);
            _unsorted.Clear();
            Invariant.Check(_sorted.Length == _changes.Count);
        }

        return _sorted;
    }

    public T? this[byte[] key] => _changes[key];

    private static byte[][] Merge(byte[][] left, List<byte[]> right)
    {
        byte[][] merged = new byte[left.Length + right.Count][];
        int l = 0;
        int r = 0;
        for (int i = 0; i < merged.Length; i++)
        {
            bool takeLeft = r == right.Count
                || (l < left.Length && left[l].AsSpan().SequenceCompareTo(right[r]) < 0);
            merged[i] = takeLeft ? left[l++] : right[r++];
        }

        return merged;
    }
}

/// <summary>Keys by content: equality and hash for the tables, byte order for listings.</summary>
internal sealed class ByteKeyComparer
    : IEqualityComparer<byte[]>,
        IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>,
        IComparer<byte[]>
{
    public static readonly ByteKeyComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) =>
        alternate.SequenceEqual(other);

    public int GetHashCode([DisallowNull] byte[] key) => GetHashCode(key.AsSpan());

    public int GetHashCode(ReadOnlySpan<byte> key)
    {
        // Names come from outside, so the hash is a seeded one.
        var hash = new HashCode();
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}
