using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Where reads and recovery report shards that are missing or damaged, so that they are made anew.
/// Reporting is cheap, never fails and never waits. Loop thread only.
/// </summary>
internal interface IHealQueue
{
    /// <param name="id">The object version.</param>
    /// <param name="badPositions">Bit i: position i is missing or damaged.</param>
    void Report(ObjectId id, ulong badPositions);
}

/// <summary>
/// Keeps reports in memory, the bits of one object merged; bounded, because a scrub finds again
/// whatever is left out.
/// </summary>
internal sealed class MemoryHealQueue : IHealQueue
{
    private const int ObjectsMax = 4096;

    private readonly Dictionary<ObjectId, ulong> _reports = [];

    public IReadOnlyDictionary<ObjectId, ulong> Reports => _reports;

    public void Report(ObjectId id, ulong badPositions)
    {
        if (_reports.TryGetValue(id, out ulong known))
        {
            _reports[id] = known | badPositions;
        }
        else if (_reports.Count < ObjectsMax)
        {
            _reports.Add(id, badPositions);
        }
    }
}
