namespace Pangea.DataPlane.Catalog;

/// <summary>
/// What lately was looked up in the file, by name, one per slot, the later one wins. An object that
/// is asked for again and again costs neither a search nor a new object on the heap, and the
/// several questions about one new name cost one search. Holds only answers of the file: whoever
/// changes a name drops it here.
/// </summary>
internal sealed class RecentLookups<T>
    where T : class
{
    private const int Slots = 4096; // about 2.5 MiB when all hold an entry

    private readonly (string? Name, T? Found)[] _slots = new (string? Name, T? Found)[Slots];

    /// <summary>True where the answer is known; null: there is none in the file.</summary>
    public bool TryGet(string name, out T? found)
    {
        (string? known, found) = _slots[SlotOf(name)];
        return known == name;
    }

    public void Note(string name, T? found) => _slots[SlotOf(name)] = (name, found);

    public void Drop(string name) => _slots[SlotOf(name)] = default;

    public void Clear() => Array.Clear(_slots);

    private static int SlotOf(string name) => (int)((uint)name.GetHashCode() % Slots);
}
