using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Entries of the file that were looked up lately, one per slot, the later one wins: an object that
/// is asked for again and again costs neither a search in the file nor a new object on the heap.
/// Holds nothing that an overlay has: whoever changes a name drops it here.
/// </summary>
internal sealed class RecentEntries
{
    private const int Slots = 4096; // about 2.5 MiB when all are taken

    private readonly ObjectEntry?[] _entries = new ObjectEntry?[Slots];

    public ObjectEntry? Find(ObjectName name) =>
        _entries[SlotOf(name)] is { } entry && entry.Name == name ? entry : null;

    public void Add(ObjectEntry entry) => _entries[SlotOf(entry.Name)] = entry;

    public void Drop(ObjectName name) => _entries[SlotOf(name)] = null;

    public void Clear() => Array.Clear(_entries);

    private static int SlotOf(ObjectName name) =>
        (int)((uint)string.GetHashCode(name.Text) % Slots);
}
