namespace Pangea.DataPlane.Catalog;

/// <summary>
/// The thread that writes checkpoints, so that the loop never waits for their flush. It is started
/// with the first one and sleeps between them.
/// </summary>
internal sealed class CheckpointThread : IDisposable
{
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Thread _thread;
    private Func<int>? _work;
    private TaskCompletionSource<int>? _completion;
    private volatile bool _ends;

    public CheckpointThread()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "catalog" };
        _thread.Start();
    }

    /// <summary>
    /// Runs one piece of work; the caller awaits it before it gives the next. The await resumes
    /// where the caller's synchronization context says.
    /// </summary>
    public Task<int> RunAsync(Func<int> work)
    {
        _completion = new TaskCompletionSource<int>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> task = _completion.Task;
        _work = work;
        _wake.Release();
        return task;
    }

    /// <summary>Waits for the work under way, which is finished, and ends the thread.</summary>
    public void Dispose()
    {
        _ends = true;
        _wake.Release();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _wake.Wait();
            if (_work is { } work)
            {
                _work = null;
                _completion!.SetResult(work());
            }
            else if (_ends)
            {
                return;
            }
        }
    }
}
