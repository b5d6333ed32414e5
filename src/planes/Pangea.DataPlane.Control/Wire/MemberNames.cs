// HOT PATH: each line of the control socket, in two processes; no allocation for lines as usual.

using System.Text;
using System.Text.Json;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// The members seen so far of each object that is open while a text is walked through. Few and
/// unescaped ones, as every sensible line has them, are compared where they stand in the text; an
/// object with more, or with an escape in a name, gets a set of strings.
/// </summary>
internal ref struct MemberNames
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly Span<(int Start, int Bytes)> _names;
    private readonly Span<int> _firsts;
    private Dictionary<int, HashSet<string>>? _sets;
    private int _count;
    private int _depth;

    /// <param name="text">That the reader reads.</param>
    /// <param name="names">Room for the members of all objects that are open at once.</param>
    /// <param name="firsts">Room for one more than the nesting that the reader allows.</param>
    public MemberNames(
        ReadOnlySpan<byte> text, Span<(int Start, int Bytes)> names, Span<int> firsts)
    {
        _text = text;
        _names = names;
        _firsts = firsts;
    }

    /// <summary>An object or array begins.</summary>
    public void Open() => _firsts[++_depth] = _count;

    /// <summary>It ends.</summary>
    public void Close()
    {
        _sets?.Remove(_depth);
        _count = _firsts[_depth--];
    }

    /// <summary>False where the object that is open has the reader's member already.</summary>
    public bool TryAdd(scoped in Utf8JsonReader reader)
    {
        HashSet<string>? set = null;
        if (_sets?.TryGetValue(_depth, out set) == true)
        {
            return set!.Add(reader.GetString()!);
        }

        if (reader.ValueIsEscaped || _count == _names.Length)
        {
            return ToSet().Add(reader.GetString()!);
        }

        foreach ((int start, int bytes) in _names[_firsts[_depth].._count])
        {
            if (_text.Slice(start, bytes).SequenceEqual(reader.ValueSpan))
            {
                return false;
            }
        }

        // Behind the quotation mark.
        _names[_count++] = ((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        return true;
    }

    private HashSet<string> ToSet()
    {
        var set = new HashSet<string>(StringComparer.Ordinal);
        foreach ((int start, int bytes) in _names[_firsts[_depth].._count])
        {
            set.Add(Encoding.UTF8.GetString(_text.Slice(start, bytes)));
        }

        _sets ??= [];
        _sets.Add(_depth, set);
        return set;
    }
}
