using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Which objects exist: one current version per name, in the order of the names' UTF-8 bytes. It is
/// derived from the devices when the worker starts and lives in its memory; the devices are the
/// truth (decision A11). One thread.
/// </summary>
public sealed class ObjectCatalog
{
    private readonly Dictionary<string, ObjectEntry> _byName = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _names = new(
        Comparer<string>.Create(ObjectName.CompareUtf8));

    public int Count => _byName.Count;

    /// <summary>Sum of the contents' lengths.</summary>
    public long Bytes { get; private set; }

    /// <summary>Sum of what the objects occupy on all devices.</summary>
    public long StoredBytes { get; private set; }

    public ObjectEntry? Find(ObjectName name) => _byName.GetValueOrDefault(name.Text);

    /// <summary>
    /// Makes the entry its name's current version; returns the one it replaces, if any.
    /// </summary>
    public ObjectEntry? Set(ObjectEntry entry)
    {
        ObjectEntry? previous = Remove(entry.Name);
        _byName.Add(entry.Name.Text, entry);
        _names.Add(entry.Name.Text);
        Bytes += entry.Bytes;
        StoredBytes += entry.StoredBytes;
        return previous;
    }

    public ObjectEntry? Remove(ObjectName name)
    {
        if (!_byName.Remove(name.Text, out ObjectEntry? entry))
        {
            return null;
        }

        _names.Remove(name.Text);
        Bytes -= entry.Bytes;
        StoredBytes -= entry.StoredBytes;
        Invariant.Check(_names.Count == _byName.Count);
        return entry;
    }

    /// <summary>
    /// One page of the names that start with <paramref name="prefix"/> and come after
    /// <paramref name="after"/> (exclusive; null starts at the beginning).
    /// </summary>
    /// <param name="more">True where the page is full and at least one further entry
    /// follows.</param>
    public List<ObjectEntry> List(string prefix, string? after, int limit, out bool more)
    {
        Invariant.Check(limit is > 0 and <= Limits.ListPageMax);
        more = false;
        var page = new List<ObjectEntry>(Math.Min(limit, 64));
        if (_names.Count == 0)
        {
            return page;
        }

        string from = after is not null && ObjectName.CompareUtf8(after, prefix) > 0
            ? after
            : prefix;
        string last = _names.Max!;
        if (ObjectName.CompareUtf8(from, last) > 0)
        {
            return page;
        }

        foreach (string name in _names.GetViewBetween(from, last))
        {
            if (!name.StartsWith(prefix, StringComparison.Ordinal))
            {
                break; // Names with one prefix are neighbours in byte order.
            }

            if (name == after)
            {
                continue;
            }

            if (page.Count == limit)
            {
                more = true;
                break;
            }

            page.Add(_byName[name]);
        }

        return page;
    }
}
