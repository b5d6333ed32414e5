using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Objects that recovery met and could not read because their key is not in the ring: nothing is
/// known of them but that they are there, so everything of theirs is left where it is. Noted in the
/// catalog, so that they outlive a checkpoint.
/// </summary>
internal sealed class KeptObjects(ObjectCatalog catalog)
{
    private const string Table = "kept";

    private readonly HashSet<ObjectId> _ids = [];

    public bool Contains(ObjectId id) => _ids.Count > 0 && _ids.Contains(id);

    /// <summary>Reads the notes; true where the key of one of them is here now.</summary>
    public bool Load(KeyRing keys)
    {
        _ids.Clear();
        bool anyReadable = false;
        byte[] after = [];
        while (catalog.ListNotes(Table, after, 256) is { Count: > 0 } page)
        {
            foreach (CatalogNote note in page)
            {
                _ids.Add(ObjectId.Read(note.Key));
                anyReadable |= keys.Find(KeyId.Read(note.Value)).IsOk;
            }

            after = page[^1].Key;
        }

        return anyReadable;
    }

    public void Add(ObjectId id, KeyId key)
    {
        if (_ids.Add(id))
        {
            var noteKey = new byte[ObjectId.Bytes];
            var value = new byte[KeyId.Bytes];
            id.Write(noteKey);
            key.Write(value);
            catalog.SetNote(Table, noteKey, value);
        }
    }
}
