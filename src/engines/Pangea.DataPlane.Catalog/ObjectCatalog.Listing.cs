using System.Buffers.Binary;
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

// Listings: of names by prefix, of what expires.
public sealed partial class ObjectCatalog
{
    // Entries of a listing that map about as many pages as one lookup with its neighbours.
    private const int EntriesPerLookup = 64;

    /// <summary>
    /// One page of the names that start with <paramref name="prefix"/> and come after
    /// <paramref name="after"/> (exclusive; null starts at the beginning; it need not exist). Costs
    /// a search and the page, however many objects there are. Among names of more than 511 bytes
    /// that share their first 447 the order is another, yet every page goes on where the last one
    /// ended; a prefix of more than 447 bytes looks at all names that share those.
    /// </summary>
    /// <param name="more">True where the page is full and at least one further entry
    /// follows.</param>
    public List<ObjectEntry> List(string prefix, string? after, int limit, out bool more)
    {
        Invariant.Check(limit is > 0 and <= Limits.ListPageMax);
        more = false;
        var page = new List<ObjectEntry>(Math.Min(limit, 64));
        byte[] prefixBytes = Encoding.UTF8.GetBytes(prefix);
        if (_environment is not { } environment || prefixBytes.Length > Limits.ObjectNameBytesMax)
        {
            return page; // No name is that long.
        }

        ReadOnlySpan<byte> common = prefixBytes.AsSpan(
            0, Math.Min(prefixBytes.Length, NameKey.PrefixBytes));
        byte[] afterKey = after is null ? [] : NameKey.Of(after);
        ReadOnlySpan<byte> start = afterKey.AsSpan().SequenceCompareTo(common) > 0
            ? afterKey
            : common;
        int visited = 0;
        using var cursor = new MergedCursor<ObjectEntry>(
            environment, CatalogTable.Objects, _active.Objects, _frozen?.Objects, start);
        while (cursor.MoveNext() && cursor.Key.StartsWith(common))
        {
            visited++;
            if (cursor.Key.SequenceEqual(afterKey)
                || (cursor.Changed ?? ReadEntry(cursor.Key, cursor.Stored)) is not { } entry
                || (prefixBytes.Length > common.Length
                    && !entry.Name.Text.StartsWith(prefix, StringComparison.Ordinal)))
            {
                continue;
            }

            if (page.Count == limit)
            {
                more = true;
                break;
            }

            page.Add(entry);
        }

        _resident.Note(environment, 1 + (visited / EntriesPerLookup));
        return page;
    }

    /// <summary>
    /// Objects whose time has come, those in the file first by time. The caller removes them, so
    /// that the next call finds the next.
    /// </summary>
    public List<ObjectEntry> Expired(long nowMs, int limit)
    {
        Invariant.Check(limit > 0);
        var expired = new List<ObjectEntry>();
        var known = new HashSet<ObjectId>();
        if (_environment is null)
        {
            return expired;
        }

        AddExpired(_active);
        if (_frozen is not null)
        {
            AddExpired(_frozen);
        }

        AddExpiredStored(_environment, nowMs, limit, expired, known);
        return expired;

        void AddExpired(Overlay overlay)
        {
            foreach ((long expiresMs, ObjectId id) in overlay.Expiring)
            {
                if (expiresMs > nowMs || expired.Count >= limit)
                {
                    return;
                }

                if (Find(id) is { } entry && HasExpired(entry, nowMs) && known.Add(id))
                {
                    expired.Add(entry);
                }
            }
        }
    }

    private static bool HasExpired(ObjectEntry entry, long nowMs) =>
        entry.ExpiresMs != 0 && entry.ExpiresMs <= nowMs;

    private void AddExpiredStored(
        LmdbEnvironment environment,
        long nowMs,
        int limit,
        List<ObjectEntry> expired,
        HashSet<ObjectId> known)
    {
        int visited = 0;
        using LmdbCursor cursor = environment.OpenCursor(CatalogTable.Expiry);
        for (bool any = cursor.Seek([]); any && expired.Count < limit; any = cursor.Next())
        {
            visited++;
            if (cursor.Key.Length != sizeof(long) + ObjectId.Bytes
                || EntryCodec.ReadName(cursor.Value) is not { } name)
            {
                NoteDamage("an entry of the expiry index is not sound");
                break;
            }

            if (BinaryPrimitives.ReadInt64BigEndian(cursor.Key) > nowMs)
            {
                break;
            }

            // The overlays may have moved or removed it since; the entry decides.
            if (Find(name) is { } entry
                && entry.Id == ObjectId.Read(cursor.Key[sizeof(long)..])
                && HasExpired(entry, nowMs)
                && known.Add(entry.Id))
            {
                expired.Add(entry);
            }
        }

        _resident.Note(environment, visited / EntriesPerLookup);
    }
}
