using System.Text.Json;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// Fills one page of <c>object.list</c>: it ends at the asked number of entries or before its line
/// would exceed <see cref="Limits.RpcLineBytesMax"/>, whichever comes first, since 1,000 names of
/// 1,024 bytes each do not fit one line.
/// </summary>
public sealed class ObjectListPage
{
    // Room for everything of an entry but its name: id 32, two integers, two times, member names;
    // measured at about 235 bytes. The rest of the line (envelope, next) fits the last eighth.
    private const int EntryBytes = 272;
    private const int PageBytesMax = Limits.RpcLineBytesMax / 8 * 7;

    private readonly List<ObjectEntry> _entries = [];
    private readonly int _limit;
    private int _bytes;
    private bool _more;

    /// <param name="limit">Entries asked for; null means <see cref="Limits.ListPageMax"/>.</param>
    public ObjectListPage(int? limit) => _limit = Math.Clamp(
        limit ?? Limits.ListPageMax, 1, Limits.ListPageMax);

    /// <summary>
    /// Takes the entry, or refuses it because the page is full; the caller then stops. Offer every
    /// entry in name order until the end or the first refusal.
    /// </summary>
    public bool TryAdd(ObjectEntry entry)
    {
        int bytes = EntryBytes + JsonEncodedText.Encode(
            entry.Name, ControlJsonText.Encoder).EncodedUtf8Bytes.Length;
        if (_entries.Count == _limit || _bytes + bytes > PageBytesMax)
        {
            _more = true;
            return false;
        }

        _bytes += bytes;
        _entries.Add(entry);
        return true;
    }

    public ObjectListResult Build() =>
        new() { Objects = _entries, Next = _more ? _entries[^1].Name : null };
}
