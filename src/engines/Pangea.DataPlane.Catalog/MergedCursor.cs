namespace Pangea.DataPlane.Catalog;

/// <summary>
/// One table as it is now, in byte order of its keys: the active changes over the frozen ones over
/// the file. Starting costs a search, each step O(1).
/// </summary>
internal ref struct MergedCursor<T>
    where T : class
{
    private readonly OverlayTable<T> _active;
    private readonly OverlayTable<T>? _frozen;
    private readonly ReadOnlySpan<byte[]> _activeKeys;
    private readonly ReadOnlySpan<byte[]> _frozenKeys;
    private LmdbCursor _stored;
    private int _activeIndex;
    private int _frozenIndex;
    private bool _storedIsValid;

    /// <param name="environment">The file.</param>
    /// <param name="table">Its table.</param>
    /// <param name="active">Changes since the last checkpoint began.</param>
    /// <param name="frozen">Changes that a checkpoint is writing.</param>
    /// <param name="start">First key of interest; empty: from the beginning.</param>
    public MergedCursor(
        LmdbEnvironment environment,
        CatalogTable table,
        OverlayTable<T> active,
        OverlayTable<T>? frozen,
        scoped ReadOnlySpan<byte> start)
    {
        _active = active;
        _frozen = frozen;
        _activeKeys = active.SortedKeys();
        _frozenKeys = frozen is null ? default : frozen.SortedKeys();
        _activeIndex = FirstNotBelow(_activeKeys, start);
        _frozenIndex = FirstNotBelow(_frozenKeys, start);
        _stored = environment.OpenCursor(table);
        _storedIsValid = _stored.Seek(start);
    }

    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>The value where it was changed; null where <see cref="Stored"/> has it.</summary>
    public T? Changed { get; private set; }

    public ReadOnlySpan<byte> Stored { get; private set; }

    /// <summary>Goes to the next key that is there; false at the end.</summary>
    public bool MoveNext()
    {
        while (true)
        {
            // Keys are never empty, so an empty one stands for "no more here".
            ReadOnlySpan<byte> active = KeyAt(_activeKeys, _activeIndex);
            ReadOnlySpan<byte> frozen = KeyAt(_frozenKeys, _frozenIndex);
            ReadOnlySpan<byte> stored = _storedIsValid ? _stored.Key : default;
            ReadOnlySpan<byte> lowest = Lower(Lower(active, frozen), stored);
            if (lowest.IsEmpty)
            {
                return false;
            }

            Key = lowest;
            if (Take(
                active.SequenceEqual(lowest),
                frozen.SequenceEqual(lowest),
                stored.SequenceEqual(lowest)))
            {
                return true;
            }
        }
    }

    public void Dispose() => _stored.Dispose();

    /// <summary>
    /// Steps over the key in every layer that has it; the uppermost one says what it is. False
    /// where it was removed.
    /// </summary>
    private bool Take(bool isActive, bool isFrozen, bool isStored)
    {
        Changed = isActive ? _active[_activeKeys[_activeIndex]]
            : isFrozen ? _frozen![_frozenKeys[_frozenIndex]]
            : null;
        bool isFromFile = !isActive && !isFrozen;
        Stored = isFromFile ? _stored.Value : default;
        _activeIndex += isActive ? 1 : 0;
        _frozenIndex += isFrozen ? 1 : 0;
        if (isStored)
        {
            _storedIsValid = _stored.Next();
        }

        return isFromFile || Changed is not null;
    }

    private static ReadOnlySpan<byte> Lower(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        right.IsEmpty ? left
        : left.IsEmpty || right.SequenceCompareTo(left) < 0 ? right
        : left;

    private static ReadOnlySpan<byte> KeyAt(ReadOnlySpan<byte[]> keys, int index) =>
        index < keys.Length ? keys[index] : default;

    private static int FirstNotBelow(
        ReadOnlySpan<byte[]> keys, scoped ReadOnlySpan<byte> start)
    {
        int low = 0;
        int high = keys.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (keys[middle].AsSpan().SequenceCompareTo(start) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
