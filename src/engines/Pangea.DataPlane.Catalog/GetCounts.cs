using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Downloads that were noted and not written yet, by version. Bounded: where it is full, further
/// objects are not counted until the next writing, and <see cref="Dropped"/> says so.
/// </summary>
internal sealed class GetCounts(CatalogOptions options)
{
    private Dictionary<ObjectId, (ObjectName Name, ObjectStatistics Counts)> _counts = [];
    private Dictionary<ObjectId, (ObjectName Name, ObjectStatistics Counts)> _frozen = [];
    private long _firstMs;
    private long _lastMs;

    /// <summary>Notes that found no room.</summary>
    public long Dropped { get; private set; }

    /// <summary>
    /// True where the oldest note is old enough to be written, until all that were there are.
    /// </summary>
    public bool IsDue =>
        _counts.Count > 0 && _lastMs - _firstMs >= options.StatisticsIntervalMs;

    public bool IsEmpty => _counts.Count == 0;

    public void Note(ObjectEntry entry, long bytes, long nowMs)
    {
        if (_counts.Count == 0)
        {
            _firstMs = nowMs;
        }

        _lastMs = nowMs;
        if (_counts.Count >= options.StatisticsMax && !_counts.ContainsKey(entry.Id))
        {
            Dropped++;
            return;
        }

        ref (ObjectName Name, ObjectStatistics Counts) noted =
            ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, entry.Id, out _);
        noted = (entry.Name, noted.Counts.Plus(new ObjectStatistics(1, bytes, nowMs)));
    }

    /// <summary>What is noted and not in the file.</summary>
    public ObjectStatistics Of(ObjectId id) =>
        _counts.GetValueOrDefault(id).Counts.Plus(_frozen.GetValueOrDefault(id).Counts);

    /// <summary>Hands notes to a checkpoint, which must be settled.</summary>
    /// <param name="all">Not only as many as one checkpoint usually takes.</param>
    public IReadOnlyCollection<KeyValuePair<ObjectId, (ObjectName Name, ObjectStatistics Counts)>>
        Freeze(bool all)
    {
        Invariant.Check(_frozen.Count == 0);
        if (all || _counts.Count <= options.StatisticsPerCheckpoint)
        {
            (_frozen, _counts) = (_counts, _frozen);
            return _frozen;
        }

        foreach ((ObjectId id, (ObjectName Name, ObjectStatistics Counts) noted) in _counts)
        {
            _frozen.Add(id, noted);
            if (_frozen.Count == options.StatisticsPerCheckpoint)
            {
                break;
            }
        }

        foreach (ObjectId id in _frozen.Keys)
        {
            _counts.Remove(id);
        }

        return _frozen;
    }

    /// <summary>The checkpoint ended; where it failed its notes come back.</summary>
    public void Settle(bool written)
    {
        if (!written)
        {
            foreach ((ObjectId id, (ObjectName name, ObjectStatistics counts)) in _frozen)
            {
                _counts[id] = (name, counts.Plus(_counts.GetValueOrDefault(id).Counts));
            }
        }

        _frozen.Clear();
    }

    public void Clear()
    {
        _counts.Clear();
        _frozen.Clear();
    }
}
