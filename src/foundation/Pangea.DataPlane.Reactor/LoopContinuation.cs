// HOT PATH: once for each await of a pooled job; a static call without allocation.

using System.Threading.Tasks.Sources;

namespace Pangea.DataPlane.Reactor;

/// <summary>How the loop's own value task sources take a continuation.</summary>
public static class LoopContinuation
{
    /// <summary>
    /// <see cref="IValueTaskSource{T}.OnCompleted"/> of a source whose result is set on the loop's
    /// thread: the continuation runs there at once, and not by way of the scheduling context, which
    /// would send it through the loop a second time.
    /// </summary>
    public static void OnCompletedOnLoop<T>(
        this ref ManualResetValueTaskSourceCore<T> core,
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        core.OnCompleted(
            continuation,
            state,
            token,
            flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
}
