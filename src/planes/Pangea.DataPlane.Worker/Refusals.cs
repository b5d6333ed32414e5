using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Puts and removals that were refused although some of their entries may have landed, because the
/// devices could not be told either. A checkpoint says that the logs were read up to there; what
/// they hold of such an operation would be forgotten then, and come up when the catalog is made
/// anew. So it is noted, and settled as soon as the devices take it: a put is voided, a removal is
/// completed. Few; kept in memory and as notes of the catalog. Loop thread only.
/// </summary>
internal sealed class Refusals(StorageService service)
{
    private const string Table = "refused";
    private const int PageNotes = 256;
    private const byte Put = 1;
    private const byte Removal = 2;

    /// <summary>Where the entries of a put may be: the ordinals of the devices.</summary>
    private readonly Dictionary<ObjectId, HashSet<byte>> _puts = [];

    /// <summary>Up to when a name is to be removed.</summary>
    private readonly Dictionary<string, (ObjectId Key, long RemovedMs)> _removals =
        new(StringComparer.Ordinal);

    private bool _isSettling;

    public int Count => _puts.Count + _removals.Count;

    /// <summary>True for a version that does not count, whatever the logs have of it.</summary>
    public bool HasPut(ObjectId id) => _puts.Count > 0 && _puts.ContainsKey(id);

    /// <summary>Reads the notes; once, after the catalog was opened or emptied.</summary>
    public void Load()
    {
        _puts.Clear();
        _removals.Clear();
        byte[] after = [];
        while (service.Catalog.ListNotes(Table, after, PageNotes) is { Count: > 0 } page)
        {
            foreach (CatalogNote note in page)
            {
                Read(ObjectId.Read(note.Key), note.Value);
            }

            after = page[^1].Key;
        }
    }

    /// <summary>
    /// The put of the version was refused; nothing is noted where all devices know of that.
    /// </summary>
    public void Note(ObjectCommit commit)
    {
        HashSet<byte>? devices = null;
        for (int position = 0; position < commit.Positions; position++)
        {
            if (commit.IsUnsettled(position))
            {
                _ = (devices ??= []).Add(service.Ordinals.Of(commit.DeviceOf(position)));
            }
        }

        if (devices is not null)
        {
            _puts[commit.Id] = devices;
            Save(commit.Id, devices);
        }
    }

    /// <summary>The removal of a name's versions up to a time was refused.</summary>
    public void Note(ObjectName name, long removedMs)
    {
        ObjectId key = _removals.TryGetValue(name.Text, out (ObjectId Key, long RemovedMs) known)
            ? known.Key
            : ObjectId.New();
        _removals[name.Text] = (key, Math.Max(removedMs, known.RemovedMs));
        var note = new byte[1 + sizeof(long) + Encoding.UTF8.GetByteCount(name.Text)];
        note[0] = Removal;
        BinaryPrimitives.WriteInt64LittleEndian(note.AsSpan(1), _removals[name.Text].RemovedMs);
        Encoding.UTF8.GetBytes(name.Text, note.AsSpan(1 + sizeof(long)));
        service.Catalog.SetNote(Table, KeyOf(key), note);
    }

    /// <summary>
    /// Tells the devices what became of everything; what they do not take stays noted. Nothing is
    /// done while another call does it.
    /// </summary>
    public async ValueTask SettleAsync()
    {
        if (_isSettling || Count == 0)
        {
            return;
        }

        _isSettling = true;
        foreach ((ObjectId id, HashSet<byte> devices) in _puts.ToArray())
        {
            await SettleAsync(id, devices);
        }

        foreach ((string name, (ObjectId key, long removedMs)) in _removals.ToArray())
        {
            _removals.Remove(name);
            service.Catalog.DeleteNote(Table, KeyOf(key));
            ObjectName parsed = ObjectName.Parse(name).Value;
            if (service.Catalog.Find(parsed) is { } entry && entry.CreatedMs <= removedMs)
            {
                // Refused again, it is noted again.
                _ = await ObjectRemoval.BuryAsync(service, entry, removedMs);
            }
        }

        _isSettling = false;
    }

    private async ValueTask SettleAsync(ObjectId id, HashSet<byte> devices)
    {
        int before = devices.Count;
        foreach (byte ordinal in devices.ToArray())
        {
            if (service.Ordinals.Find(ordinal)?.Log is { } log
                && (await log.AppendVoidAsync(id)).IsOk)
            {
                devices.Remove(ordinal);
            }
        }

        if (devices.Count == 0)
        {
            _puts.Remove(id);
            service.Catalog.DeleteNote(Table, KeyOf(id));
        }
        else if (devices.Count < before)
        {
            Save(id, devices);
        }
    }

    private void Save(ObjectId id, HashSet<byte> devices) =>
        service.Catalog.SetNote(Table, KeyOf(id), [Put, .. devices.Order()]);

    private void Read(ObjectId key, ReadOnlySpan<byte> note)
    {
        if (note.Length > 1 && note[0] == Put)
        {
            _puts[key] = [.. note[1..]];
        }
        else if (note.Length > 1 + sizeof(long) && note[0] == Removal)
        {
            _removals[Encoding.UTF8.GetString(note[(1 + sizeof(long))..])] =
                (key, BinaryPrimitives.ReadInt64LittleEndian(note[1..]));
        }
    }

    private static byte[] KeyOf(ObjectId id)
    {
        var key = new byte[ObjectId.Bytes];
        id.Write(key);
        return key;
    }
}
