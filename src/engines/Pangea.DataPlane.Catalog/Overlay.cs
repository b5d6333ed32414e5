using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Everything that changed since some checkpoint. The active one takes changes on the loop; once
/// frozen it only gives answers, to the loop and to the thread that writes it.
/// </summary>
internal sealed class Overlay
{
    public OverlayTable<ObjectEntry> Objects { get; } = new();

    public OverlayTable<RemovedName> Removed { get; } = new();

    public OverlayTable<byte[]> Notes { get; } = new();

    /// <summary>Names of the versions in <see cref="Objects"/>.</summary>
    public Dictionary<ObjectId, ObjectName> Ids { get; } = [];

    /// <summary>
    /// Those of them that expire, by time. An element may be out of date: the entry decides.
    /// </summary>
    public SortedSet<(long ExpiresMs, ObjectId Id)> Expiring { get; } =
        new(Comparer<(long ExpiresMs, ObjectId Id)>.Create((x, y) =>
            x.ExpiresMs != y.ExpiresMs
                ? x.ExpiresMs.CompareTo(y.ExpiresMs)
                : x.Id.Value.CompareTo(y.Id.Value)));

    /// <summary>Changed keys: what a checkpoint of it has to write.</summary>
    public int Count => Objects.Count + Removed.Count + Notes.Count;

    public void Set(ReadOnlySpan<byte> key, ObjectEntry entry, ObjectEntry? previous)
    {
        Forget(previous);
        Objects.Set(key, entry);
        Ids[entry.Id] = entry.Name;
        if (entry.ExpiresMs != 0)
        {
            Expiring.Add((entry.ExpiresMs, entry.Id));
        }
    }

    public void Remove(ReadOnlySpan<byte> key, ObjectEntry previous)
    {
        Forget(previous);
        Objects.Set(key, null);
    }

    /// <summary>
    /// Forgets everything and keeps the room: two overlays take turns for the life of the catalog,
    /// so that their tables grow once and not with each checkpoint.
    /// </summary>
    public void Clear()
    {
        Objects.Clear();
        Removed.Clear();
        Notes.Clear();
        Ids.Clear();
        Expiring.Clear();
    }

    /// <summary>Takes over what an older overlay changed and this one did not.</summary>
    public void AddOlder(Overlay older)
    {
        Objects.AddOlder(older.Objects);
        Removed.AddOlder(older.Removed);
        Notes.AddOlder(older.Notes);
        foreach ((ObjectId id, ObjectName name) in older.Ids)
        {
            Ids.TryAdd(id, name); // Of a version that is gone since: the entry decides.
        }

        Expiring.UnionWith(older.Expiring);
    }

    // Without it an object that is rewritten again and again would leave a trace each time.
    private void Forget(ObjectEntry? previous)
    {
        if (previous is not null)
        {
            Ids.Remove(previous.Id);
            if (previous.ExpiresMs != 0)
            {
                Expiring.Remove((previous.ExpiresMs, previous.Id));
            }
        }
    }
}
