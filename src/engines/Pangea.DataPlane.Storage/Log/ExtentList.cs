namespace Pangea.DataPlane.Storage;

/// <summary>
/// Collects extents in stripe order and joins those that lie one after another.
/// </summary>
public sealed class ExtentList
{
    private readonly List<Extent> _extents = [];
    private long _end;

    public int Count => _extents.Count;

    /// <summary>Adds what follows the last stripe so far.</summary>
    /// <param name="extent">One or more stripes.</param>
    /// <param name="bytes">All of its frames together; 0 where that is not known, then nothing is
    /// joined to it.</param>
    public void Add(Extent extent, long bytes)
    {
        if (_extents.Count > 0 && _end > 0)
        {
            Extent last = _extents[^1];
            if (last.Segment == extent.Segment && _end == extent.Offset
                && last.FirstStripe + last.Stripes == extent.FirstStripe)
            {
                _extents[^1] = last with { Stripes = last.Stripes + extent.Stripes };
                _end = bytes > 0 ? _end + bytes : 0;
                return;
            }
        }

        _extents.Add(extent);
        _end = bytes > 0 ? extent.Offset + bytes : 0;
    }

    public Extent[] ToArray() => [.. _extents];

    public void Clear()
    {
        _extents.Clear();
        _end = 0;
    }
}
