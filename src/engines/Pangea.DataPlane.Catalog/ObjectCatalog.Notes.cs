using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

// Removed names, and what the worker keeps beside the objects.
public sealed partial class ObjectCatalog
{
    /// <summary>
    /// Remembers that the name is gone up to a time. A later time replaces an earlier one and its
    /// devices; the same time adds devices; an earlier one changes nothing.
    /// </summary>
    /// <param name="name">The object's name.</param>
    /// <param name="removedMs">Milliseconds since 1970.</param>
    /// <param name="deviceMask">Bit i: the device with ordinal i has it durably.</param>
    public void NoteRemoved(string name, long removedMs, ulong deviceMask)
    {
        CheckUsable();
        RemovedName? known = FindRemoved(name);
        if (known is not null && known.RemovedMs > removedMs)
        {
            return;
        }

        ulong others = known?.RemovedMs == removedMs ? known.DeviceMask : 0;
        var removed = new RemovedName(name, removedMs, deviceMask | others);
        if (removed != known)
        {
            _recentRemoved.Drop(name);
            _active.Removed.Set(NameKey.Of(name), removed);
        }
    }

    /// <summary>Up to when the name is gone; 0 where nothing is remembered.</summary>
    public long RemovedMs(string name) => FindRemoved(name)?.RemovedMs ?? 0;

    public RemovedName? FindRemoved(string name)
    {
        if (_recentRemoved.TryGet(name, out RemovedName? removed))
        {
            return removed;
        }

        // Asked for each put, so without a buffer on the heap; no name is longer.
        if (Encoding.UTF8.GetByteCount(name) > NameKey.BufferBytes)
        {
            return null;
        }

        Span<byte> buffer = stackalloc byte[NameKey.BufferBytes];
        ReadOnlySpan<byte> key = buffer[..NameKey.Write(name, buffer)];
        if (_active.Removed.TryGet(key, out removed)
            || _frozen?.Removed.TryGet(key, out removed) == true)
        {
            return removed;
        }

        removed = TryGetStored(CatalogTable.Tombstones, key, out ReadOnlySpan<byte> stored)
            ? ReadRemoved(key, stored)
            : null;
        if (NeedsRebuild is null)
        {
            _recentRemoved.Note(name, removed);
        }

        return removed;
    }

    /// <summary>Every device knows of the removal and no older segment is left.</summary>
    public void ForgetTombstone(string name)
    {
        CheckUsable();
        if (FindRemoved(name) is not null)
        {
            _recentRemoved.Drop(name);
            _active.Removed.Set(NameKey.Of(name), null);
        }
    }

    /// <summary>Remembered removals in key order, after a name (null: from the first).</summary>
    public List<RemovedName> ListRemoved(string? after, int limit)
    {
        Invariant.Check(limit > 0);
        var page = new List<RemovedName>();
        if (_environment is not { } environment)
        {
            return page;
        }

        byte[] afterKey = after is null ? [] : NameKey.Of(after);
        using var cursor = new MergedCursor<RemovedName>(
            environment, CatalogTable.Tombstones, _active.Removed, _frozen?.Removed, afterKey);
        while (page.Count < limit && cursor.MoveNext())
        {
            if (!cursor.Key.SequenceEqual(afterKey)
                && (cursor.Changed ?? ReadRemoved(cursor.Key, cursor.Stored)) is { } removed)
            {
                page.Add(removed);
            }
        }

        _resident.Note(environment, 1 + (page.Count / EntriesPerLookup));
        return page;
    }

    /// <summary>A note's value; null where there is none.</summary>
    /// <param name="table">A short ASCII word that separates the notes of one purpose.</param>
    /// <param name="key">At most <see cref="NoteKeyBytesMax"/> bytes.</param>
    public ReadOnlyMemory<byte>? GetNote(string table, ReadOnlySpan<byte> key)
    {
        byte[] full = NoteKey(table, key);
        if (_active.Notes.TryGet(full, out byte[]? value)
            || _frozen?.Notes.TryGet(full, out value) == true)
        {
            return value is null
                ? default(ReadOnlyMemory<byte>?)
                : value.AsMemory(ValueWriter.HeaderBytes);
        }

        return TryGetStored(CatalogTable.Notes, full, out ReadOnlySpan<byte> stored)
            ? ReadNote(stored)
            : null;
    }

    /// <summary>Keeps a copy of the value; durable with the next checkpoint.</summary>
    public void SetNote(string table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        CheckUsable();
        Invariant.Check(value.Length <= NoteBytesMax);
        byte[] stored = new byte[ValueWriter.HeaderBytes + value.Length];
        var writer = new ValueWriter(stored);
        writer.WriteBytes(value);
        _ = writer.Seal();
        _active.Notes.Set(NoteKey(table, key), stored);
    }

    public void DeleteNote(string table, ReadOnlySpan<byte> key)
    {
        CheckUsable();
        byte[] full = NoteKey(table, key);
        bool isPending = _active.Notes.TryGet(full, out _)
            || _frozen?.Notes.TryGet(full, out _) == true;
        if (isPending || TryGetStored(CatalogTable.Notes, full, out _))
        {
            _active.Notes.Set(full, null);
        }
    }

    /// <summary>
    /// Notes of one table in key order that come after a key (exclusive; empty: from the first).
    /// </summary>
    public List<CatalogNote> ListNotes(string table, ReadOnlySpan<byte> after, int limit)
    {
        Invariant.Check(limit > 0);
        var page = new List<CatalogNote>();
        if (_environment is not { } environment)
        {
            return page;
        }

        byte[] start = NoteKey(table, after);
        int tableBytes = start.Length - after.Length;
        using var cursor = new MergedCursor<byte[]>(
            environment, CatalogTable.Notes, _active.Notes, _frozen?.Notes, start);
        while (page.Count < limit
            && cursor.MoveNext()
            && cursor.Key.StartsWith(start.AsSpan(0, tableBytes)))
        {
            ReadOnlyMemory<byte>? value = cursor.Changed is { } changed
                ? changed.AsMemory(ValueWriter.HeaderBytes)
                : ReadNote(cursor.Stored);
            if (value is { } note && (after.IsEmpty || !cursor.Key.SequenceEqual(start)))
            {
                page.Add(new CatalogNote(cursor.Key[tableBytes..].ToArray(), note.ToArray()));
            }
        }

        _resident.Note(environment, 1 + (page.Count / EntriesPerLookup));
        return page;
    }

    /// <summary>Of a note's key.</summary>
    public const int NoteKeyBytesMax = 400;

    /// <summary>Of a note's value.</summary>
    public const int NoteBytesMax = 1024 * 1024;

    private static byte[] NoteKey(string table, ReadOnlySpan<byte> key)
    {
        Invariant.Check(key.Length <= NoteKeyBytesMax);
        byte[] full = new byte[table.Length + 1 + key.Length];
        int bytes = Encoding.ASCII.GetBytes(table, full);
        Invariant.Check(bytes == table.Length && full.Length <= LmdbEnvironment.KeyBytesMax);
        key.CopyTo(full.AsSpan(bytes + 1)); // A zero byte ends the table's name.
        return full;
    }

    private RemovedName? ReadRemoved(ReadOnlySpan<byte> key, ReadOnlySpan<byte> stored)
    {
        RemovedName? removed = RemovedCodec.Read(key, stored);
        if (removed is null)
        {
            NoteDamage($"the removal of \"{Encoding.UTF8.GetString(key)}\" is not sound");
        }

        return removed;
    }

    private ReadOnlyMemory<byte>? ReadNote(ReadOnlySpan<byte> stored)
    {
        if (new ValueReader(stored).IsSound)
        {
            return stored[ValueWriter.HeaderBytes..].ToArray();
        }

        NoteDamage("a note is not sound");
        return null;
    }
}
