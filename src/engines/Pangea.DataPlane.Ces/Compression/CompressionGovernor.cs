namespace Pangea.DataPlane.Ces;

/// <summary>
/// Lets the level of a put give way while compressing is what everything waits for (<c>compression:
/// adaptive</c>), and come back when it is not. Owned by one put; no clock, so that it can be
/// simulated.
/// </summary>
public sealed class CompressionGovernor
{
    /// <summary>Stripes that must be late in a row before the level gives way.</summary>
    public const int LateStripes = 2;

    /// <summary>
    /// Stripes that must be early in a row before it comes back: more, because a level too low for
    /// some stripes costs a little space and one too high makes the put wait.
    /// </summary>
    public const int EarlyStripes = 8;

    /// <summary>
    /// After a climb that had to be taken back the next one waits twice as long, up to this: trying
    /// a level that is too slow costs some late stripes each time.
    /// </summary>
    public const int EarlyStripesMax = 512;

    private static readonly CompressionLevel[] s_ladder =
    [
        CompressionLevel.Skip,
        CompressionLevel.Fast,
        CompressionLevel.Balanced,
        CompressionLevel.Binary,
        CompressionLevel.Dense,
    ];

    private int _step = s_ladder.Length - 1;
    private int _earlyNeeded = EarlyStripes;
    private int _sinceClimb = EarlyStripes;
    private int _late;
    private int _early;

    /// <summary>The level for the next stripe: what is wanted, or less.</summary>
    public CompressionLevel Limit(CompressionLevel wanted) =>
        wanted.Zstd <= s_ladder[_step].Zstd ? wanted : s_ladder[_step];

    /// <summary>Call after every stripe.</summary>
    /// <param name="isInputWaiting">More input was ready before this stripe was finished.</param>
    /// <param name="isOutputIdle">All earlier stripes were written before this one was
    /// finished.</param>
    public void Observe(bool isInputWaiting, bool isOutputIdle)
    {
        // Only where both neighbours wait is compression the narrow place; a slow disk behind it
        // means that the time is there to compress well.
        bool isLate = isInputWaiting && isOutputIdle;
        _sinceClimb = Math.Min(_sinceClimb + 1, EarlyStripes);
        _late = isLate ? _late + 1 : 0;
        _early = isLate ? 0 : _early + 1;
        if (_late == LateStripes)
        {
            _step = Math.Max(_step - 1, 0);

            // What has queued up meanwhile is late too; the new level gets time to work it off.
            _late = -2 * LateStripes;
            if (_sinceClimb < EarlyStripes)
            {
                _earlyNeeded = Math.Min(2 * _earlyNeeded, EarlyStripesMax);
            }
        }
        else if (_early == _earlyNeeded)
        {
            _step = Math.Min(_step + 1, s_ladder.Length - 1);
            _early = 0;
            _sinceClimb = 0;
        }
    }
}
