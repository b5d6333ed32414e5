using System.Diagnostics;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>Keeps a background copy at a bounded rate.</summary>
/// <param name="reactor">The loop.</param>
/// <param name="bytesPerSecond">0 for no bound.</param>
internal sealed class CopyPace(IReactor reactor, long bytesPerSecond)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private double _bytes;

    /// <summary>Waits until so many more bytes are due.</summary>
    internal async ValueTask SpendAsync(long bytes)
    {
        if (bytesPerSecond <= 0)
        {
            return;
        }

        _bytes += bytes;
        TimeSpan due = TimeSpan.FromSeconds(_bytes / bytesPerSecond);
        TimeSpan ahead = due - Stopwatch.GetElapsedTime(_start);
        if (ahead > TimeSpan.FromMilliseconds(1))
        {
            await reactor.DelayAsync(ahead);
        }
    }
}
