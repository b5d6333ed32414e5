namespace Pangea.DataPlane.Supervisor.Processes;

/// <summary>
/// Counts the deaths of a worker. One that dies again and again is not started for ever: each start
/// replays logs and fails its callers late, where a clear refusal would reach them at once.
/// </summary>
/// <param name="deathsMax">Deaths within a minute at which it opens.</param>
internal sealed class RestartBreaker(int deathsMax)
{
    private const long WindowMs = 60_000;

    private readonly Queue<long> _deaths = new();

    /// <summary>Deaths within a minute at which it opens.</summary>
    public int DeathsMax { get; set; } = deathsMax;

    /// <summary>Deaths within the last minute, as of the last one.</summary>
    public int Deaths => _deaths.Count;

    /// <summary>Notes a death; true where it was one too many.</summary>
    /// <param name="nowMs">Environment.TickCount64.</param>
    public bool Note(long nowMs)
    {
        _deaths.Enqueue(nowMs);
        while (_deaths.Peek() <= nowMs - WindowMs)
        {
            _deaths.Dequeue();
        }

        return _deaths.Count >= DeathsMax;
    }

    /// <summary>Somebody has looked at it and wants another try.</summary>
    public void Reset() => _deaths.Clear();
}
