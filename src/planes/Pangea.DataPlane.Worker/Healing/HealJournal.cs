using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What healing remembers: damage that the catalog does not show, failures and when to try again,
/// and how far large objects have come. Kept in memory and as notes of the catalog. Bounded: what
/// does not fit is found again by the next scrub. Loop thread only.
/// </summary>
internal sealed class HealJournal(ObjectCatalog catalog)
{
    public const int NotesMax = 16_384;

    private const string Table = "heal";

    private readonly Dictionary<ObjectId, HealNote> _notes = [];

    public int Count => _notes.Count;

    public IEnumerable<HealNote> All => _notes.Values;

    /// <summary>Reads the notes; once, after the catalog was opened or emptied.</summary>
    public void Load()
    {
        _notes.Clear();
        byte[] after = [];
        while (true)
        {
            List<CatalogNote> page = catalog.ListNotes(Table, after, 256);
            foreach (CatalogNote note in page)
            {
                if (note.Key.Length == ObjectId.Bytes
                    && HealNote.TryDecode(ObjectId.Read(note.Key), note.Value, out var known))
                {
                    _notes[known.Id] = known;
                }
            }

            if (page.Count == 0)
            {
                return;
            }

            after = page[^1].Key;
        }
    }

    public HealNote? Find(ObjectId id) => _notes.GetValueOrDefault(id);

    /// <summary>False where there is no room for another note.</summary>
    public bool Set(HealNote note)
    {
        if (!_notes.ContainsKey(note.Id) && _notes.Count >= NotesMax)
        {
            return false;
        }

        byte[] encoded = note.Encode();
        if (encoded.Length > ObjectCatalog.NoteBytesMax)
        {
            return false;
        }

        _notes[note.Id] = note;
        catalog.SetNote(Table, KeyOf(note.Id), encoded);
        return true;
    }

    public void Remove(ObjectId id)
    {
        if (_notes.Remove(id))
        {
            catalog.DeleteNote(Table, KeyOf(id));
        }
    }

    private static byte[] KeyOf(ObjectId id)
    {
        byte[] key = new byte[ObjectId.Bytes];
        id.Write(key);
        return key;
    }
}
