using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How long an object that could not be healed is left alone: the first pause, doubled by each
/// further failure, up to the longest (60 s x 2^n, at most 32 minutes, unless configured).
/// </summary>
/// <param name="FirstMs">After the first failure.</param>
/// <param name="MostMs">After any number of them.</param>
internal readonly record struct HealBackoff(long FirstMs, long MostMs)
{
    /// <summary>
    /// After so many failures it waits for a change (a device that comes or goes, a new finding,
    /// <c>heal.start</c>) instead of the clock: the same try would end the same way.
    /// </summary>
    public const int AttemptsMax = 12;

    /// <param name="failures">At least 1.</param>
    public long PauseMs(int failures)
    {
        Invariant.Check(failures > 0);
        int doublings = failures - 1;
        return doublings >= 62 || FirstMs > (MostMs >> doublings)
            ? MostMs
            : FirstMs << doublings;
    }

    /// <summary>When to try again, ms since 1970; 0: not before something changes.</summary>
    public long NextMs(int failures, long nowMs) =>
        failures >= AttemptsMax ? 0 : nowMs + PauseMs(failures);
}
