using System.Collections.Concurrent;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// Stands for the worker's loop: what an await resumes with waits here until the one thread that
/// uses the catalog lets it run.
/// </summary>
internal sealed class LoopContext : SynchronizationContext, IDisposable
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _posted = [];
    private readonly SynchronizationContext? _before = Current;

    public LoopContext() => SetSynchronizationContext(this);

    public override void Post(SendOrPostCallback d, object? state) => _posted.Add((d, state));

    /// <summary>Runs what was posted so far.</summary>
    public void Pump()
    {
        while (_posted.TryTake(out (SendOrPostCallback Callback, object? State) posted))
        {
            posted.Callback(posted.State);
        }
    }

    /// <summary>Runs what is posted until the task has ended.</summary>
    public T Wait<T>(Task<T> task)
    {
        while (!task.IsCompleted)
        {
            (SendOrPostCallback callback, object? state) = _posted.Take();
            callback(state);
        }

        return task.GetAwaiter().GetResult();
    }

    public void Dispose() => SetSynchronizationContext(_before);
}
