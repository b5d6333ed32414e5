using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// A position in one table of the loop's read transaction, in key order. Key and value stay valid
/// until the read transaction moves on, also after the cursor did.
/// </summary>
internal unsafe ref struct LmdbCursor
{
    private readonly LmdbEnvironment _environment;
    private nint _cursor;
    private Lmdb.Value _key;
    private Lmdb.Value _value;

    internal LmdbCursor(LmdbEnvironment environment, nint cursor)
    {
        _environment = environment;
        _cursor = cursor;
    }

    public readonly ReadOnlySpan<byte> Key => _key.Span;

    public readonly ReadOnlySpan<byte> Value => _value.Span;

    /// <summary>
    /// Goes to the first key that is not below <paramref name="key"/>; empty: the first of all.
    /// </summary>
    public bool Seek(scoped ReadOnlySpan<byte> key)
    {
        Invariant.Check(key.Length <= LmdbEnvironment.KeyBytesMax);
        // SAFETY: the key is pinned for the call, which replaces the pointer in _key by one into
        // the map.
        fixed (byte* pointer = key)
        {
            _key = new Lmdb.Value { Bytes = (nuint)key.Length, Data = pointer };
            return Move(key.IsEmpty ? Lmdb.CursorFirst : Lmdb.CursorSetRange);
        }
    }

    public bool Next() => Move(Lmdb.CursorNext);

    public void Dispose()
    {
        if (_cursor != 0)
        {
            // SAFETY: our own cursor, closed once, before its transaction moves on.
            Lmdb.mdb_cursor_close(_cursor);
            _cursor = 0;
        }
    }

    private bool Move(int operation)
    {
        if (_cursor == 0)
        {
            return false;
        }

        // SAFETY: an open cursor of a live read transaction; both values are on this frame.
        Lmdb.Value key = _key;
        Lmdb.Value value;
        bool found = _environment.Found(
            Lmdb.mdb_cursor_get(_cursor, &key, &value, operation));
        _key = found ? key : default;
        _value = found ? value : default;
        return found;
    }
}
