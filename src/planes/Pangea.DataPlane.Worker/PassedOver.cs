using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Versions that are on the devices beside the visible ones: a newer one of which too little is
/// here, or an older one that the newer is not yet whole enough to do without. They wait for
/// devices to come back and go with the next put or removal of their name. Few; kept in memory and
/// as notes of the catalog, so that they outlive a checkpoint.
/// </summary>
internal sealed class PassedOver(ObjectCatalog catalog)
{
    private const string Table = "passed-over";

    private readonly Dictionary<string, List<ObjectEntry>> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<ObjectId, ObjectEntry> _byId = [];

    public int Count => _byId.Count;

    /// <summary>Reads the notes; once, after the catalog was opened or emptied.</summary>
    public void Load()
    {
        _byName.Clear();
        _byId.Clear();
        byte[] after = [];
        while (catalog.ListNotes(Table, after, 256) is { Count: > 0 } page)
        {
            foreach (CatalogNote note in page)
            {
                if (NoteCodec.TryReadEntry(note.Value, out ObjectEntry? entry))
                {
                    Insert(entry);
                }
            }

            after = page[^1].Key;
        }
    }

    public ObjectEntry? Find(ObjectId id) => Count > 0 ? _byId.GetValueOrDefault(id) : null;

    /// <summary>All entries, for looking through them once.</summary>
    public IReadOnlyList<ObjectEntry> All => [.. _byId.Values];

    /// <summary>Creation time of the newest of a name; 0 for none.</summary>
    public long NewestMs(ObjectName name)
    {
        long newest = 0;
        if (Count > 0 && _byName.TryGetValue(name.Text, out List<ObjectEntry>? entries))
        {
            foreach (ObjectEntry entry in entries)
            {
                newest = Math.Max(newest, entry.CreatedMs);
            }
        }

        return newest;
    }

    /// <summary>Notes a version, or what is known of it now.</summary>
    public void Set(ObjectEntry entry)
    {
        Remove(entry.Name, entry.Id);
        Insert(entry);
        catalog.SetNote(Table, KeyOf(entry.Id), NoteCodec.WriteEntry(entry));
    }

    public bool Remove(ObjectName name, ObjectId id)
    {
        if (Count == 0 || !_byName.TryGetValue(name.Text, out List<ObjectEntry>? entries)
            || entries.RemoveAll(entry => entry.Id == id) == 0)
        {
            return false;
        }

        _byId.Remove(id);
        catalog.DeleteNote(Table, KeyOf(id));
        if (entries.Count == 0)
        {
            _byName.Remove(name.Text);
        }

        return true;
    }

    /// <summary>Takes out the name's versions created up to a time.</summary>
    public IReadOnlyList<ObjectEntry> Take(ObjectName name, long upToMs)
    {
        if (Count == 0 || !_byName.TryGetValue(name.Text, out List<ObjectEntry>? entries))
        {
            return [];
        }

        List<ObjectEntry> taken = entries.FindAll(entry => entry.CreatedMs <= upToMs);
        foreach (ObjectEntry entry in taken)
        {
            Remove(name, entry.Id);
        }

        return taken;
    }

    private void Insert(ObjectEntry entry)
    {
        if (!_byName.TryGetValue(entry.Name.Text, out List<ObjectEntry>? entries))
        {
            _byName.Add(entry.Name.Text, entries = []);
        }

        entries.Add(entry);
        _byId[entry.Id] = entry;
    }

    private static byte[] KeyOf(ObjectId id)
    {
        var key = new byte[ObjectId.Bytes];
        id.Write(key);
        return key;
    }
}
