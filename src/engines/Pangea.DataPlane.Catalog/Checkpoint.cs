using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Writes a frozen overlay, the noted downloads and the new state in one transaction. Runs on the
/// checkpoint's own thread, which owns nothing else: it reads the frozen overlay, as the loop does.
/// </summary>
internal sealed class Checkpoint(
    LmdbEnvironment environment,
    Overlay overlay,
    IReadOnlyCollection<KeyValuePair<ObjectId, (ObjectName Name, ObjectStatistics Counts)>> gets,
    CatalogState state,
    ResidentPages resident)
{
    private const int ExpiryKeyBytes = sizeof(long) + ObjectId.Bytes;

    // Changes of the two indices, collected so that they are made in key order: neighbours in the
    // tree are then changed while their page is at hand.
    private readonly List<(ObjectId Id, ObjectName? Name)> _ids = [];
    private readonly List<(long ExpiresMs, ObjectId Id, ObjectName? Name)> _expiry = [];
    private readonly byte[] _buffer = new byte[EntryCodec.BytesMax];

    /// <summary>0 when everything is durable, else a code and nothing has changed.</summary>
    public int Run()
    {
        using var write = new LmdbWrite(environment);
        foreach ((byte[] key, ObjectEntry? entry) in InOrder(overlay.Objects))
        {
            WriteObject(write, key, entry);
        }

        WriteGets(write);
        WriteIds(write);
        WriteExpiry(write);
        foreach ((byte[] key, RemovedName? removed) in InOrder(overlay.Removed))
        {
            WriteOrDelete(
                write,
                CatalogTable.Tombstones,
                key,
                removed is null ? default : RemovedCodec.Write(removed, key, _buffer));
        }

        foreach ((byte[] key, byte[]? note) in InOrder(overlay.Notes))
        {
            WriteOrDelete(write, CatalogTable.Notes, key, note);
        }

        write.Put(CatalogTable.Meta, CatalogState.Key, state.Encode());
        return write.Commit();
    }

    private static KeyValuePair<byte[], T?>[] InOrder<T>(OverlayTable<T> table)
        where T : class
    {
        // The table's own order belongs to the loop, which may be listing.
        KeyValuePair<byte[], T?>[] changes = [.. table.Changes];
        Array.Sort(changes, (x, y) => ByteKeyComparer.Instance.Compare(x.Key, y.Key));
        return changes;
    }

    private static void WriteOrDelete(
        LmdbWrite write, CatalogTable table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            write.Delete(table, key);
        }
        else
        {
            write.Put(table, key, value);
        }
    }

    private void WriteObject(LmdbWrite write, byte[] key, ObjectEntry? entry)
    {
        resident.Note(environment, lookups: 1);
        ObjectStatistics statistics = entry?.Statistics ?? default;
        if (write.TryGet(CatalogTable.Objects, key, out ReadOnlySpan<byte> stored)
            && EntryCodec.TryReadIndexed(
                stored, out ObjectId id, out long expiresMs, out ObjectStatistics known))
        {
            if (entry?.Id == id)
            {
                // Whoever changes an entry may have read it before counts were written.
                statistics = statistics.Max(known);
            }
            else
            {
                _ids.Add((id, null));
            }

            if (expiresMs != 0 && (entry?.Id != id || entry.ExpiresMs != expiresMs))
            {
                _expiry.Add((expiresMs, id, null));
            }
        }

        if (entry is null)
        {
            write.Delete(CatalogTable.Objects, key);
            return;
        }

        write.Put(
            CatalogTable.Objects, key, EntryCodec.Write(entry, statistics, key, _buffer));
        _ids.Add((entry.Id, entry.Name));
        if (entry.ExpiresMs != 0)
        {
            _expiry.Add((entry.ExpiresMs, entry.Id, entry.Name));
        }
    }

    private void WriteGets(LmdbWrite write)
    {
        var ordered = gets.ToArray();
        Array.Sort(ordered, (x, y) => x.Value.Name.CompareTo(y.Value.Name));
        Span<byte> buffer = stackalloc byte[NameKey.BufferBytes];
        foreach ((ObjectId id, (ObjectName name, ObjectStatistics counts)) in ordered)
        {
            resident.Note(environment, lookups: 1);
            ReadOnlySpan<byte> key = buffer[..NameKey.Write(name.Text, buffer)];
            if (write.TryGet(CatalogTable.Objects, key, out ReadOnlySpan<byte> stored)
                && EntryCodec.Read(key, stored) is { } entry
                && entry.Id == id)
            {
                write.Put(
                    CatalogTable.Objects,
                    key,
                    EntryCodec.Write(entry, entry.Statistics.Plus(counts), key, _buffer));
            }
        }
    }

    private void WriteIds(LmdbWrite write)
    {
        _ids.Sort((x, y) => x.Id.Value.CompareTo(y.Id.Value));
        Span<byte> key = stackalloc byte[ObjectId.Bytes];
        Span<byte> name = stackalloc byte[Limits.ObjectNameBytesMax];
        foreach ((ObjectId id, ObjectName? named) in _ids)
        {
            resident.Note(environment, lookups: 1);
            id.Write(key);
            WriteOrDelete(write, CatalogTable.Ids, key, Utf8(named, name));
        }
    }

    private void WriteExpiry(LmdbWrite write)
    {
        _expiry.Sort((x, y) => x.ExpiresMs != y.ExpiresMs
            ? x.ExpiresMs.CompareTo(y.ExpiresMs)
            : x.Id.Value.CompareTo(y.Id.Value));
        Span<byte> key = stackalloc byte[ExpiryKeyBytes];
        Span<byte> name = stackalloc byte[Limits.ObjectNameBytesMax];
        foreach ((long expiresMs, ObjectId id, ObjectName? named) in _expiry)
        {
            resident.Note(environment, lookups: 1);

            // Big-endian, so that the order of the bytes is the order of the times.
            BinaryPrimitives.WriteInt64BigEndian(key, expiresMs);
            id.Write(key[sizeof(long)..]);
            WriteOrDelete(write, CatalogTable.Expiry, key, Utf8(named, name));
        }
    }

    private static ReadOnlySpan<byte> Utf8(ObjectName? name, Span<byte> buffer) =>
        name is { } known
            ? buffer[..System.Text.Encoding.UTF8.GetBytes(known.Text, buffer)]
            : default;
}
