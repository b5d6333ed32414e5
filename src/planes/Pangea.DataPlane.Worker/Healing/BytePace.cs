using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Bounds the bytes a second of background work. Time that was not used is lost but for a tenth of
/// a second, so that a pause is not followed by a burst. Loop thread only.
/// </summary>
/// <param name="reactor">The loop.</param>
/// <param name="bytesPerSecond">0 for no bound.</param>
internal sealed class BytePace(IReactor reactor, long bytesPerSecond)
{
    private const double BurstSeconds = 0.1;

    private long _freeAt = Environment.TickCount64;

    /// <summary>0 for no bound; may change at any time.</summary>
    public long BytesPerSecond { get; set; } = bytesPerSecond;

    /// <summary>Waits until so many bytes more are due.</summary>
    public async ValueTask PassAsync(long bytes, CancellationToken cancellation = default)
    {
        long waitMs = ReserveMs(bytes, Environment.TickCount64);
        if (waitMs > 0)
        {
            _ = await reactor.DelayAsync(TimeSpan.FromMilliseconds(waitMs), cancellation);
        }
    }

    /// <summary>Books the bytes; how long to wait before moving them.</summary>
    internal long ReserveMs(long bytes, long nowMs)
    {
        Invariant.Check(bytes >= 0);
        if (BytesPerSecond <= 0)
        {
            return 0;
        }

        _freeAt = Math.Max(_freeAt, nowMs - (long)(BurstSeconds * 1000));
        long waitMs = Math.Max(0, _freeAt - nowMs);
        _freeAt += (long)Math.Ceiling(bytes * 1000.0 / BytesPerSecond);
        return waitMs;
    }
}
