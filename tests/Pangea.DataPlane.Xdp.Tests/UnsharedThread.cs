using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// A thread with a network and a table of mounts of its own; both vanish with it, and all that was
/// made in them. Sockets opened there stay in that network. Tests and benchmarks use it alike.
/// </summary>
internal partial class UnsharedThread : IDisposable
{
    private const int CLONE_NEWNS = 0x20000;
    private const int CLONE_FS = 0x200;
    private const int CLONE_NEWNET = 0x40000000;

    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    protected UnsharedThread()
    {
        _thread = new Thread(Live) { IsBackground = true, Name = "namespace" };
        _thread.Start();
        IsMade = Run(() =>
        {
            ThreadId = gettid();
            return unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_FS) == 0;
        });
    }

    internal int ThreadId { get; private set; }

    /// <summary>False where namespaces cannot be made; the thread is like any other then.</summary>
    protected bool IsMade { get; }

    /// <summary>Does something on the thread, and waits for it.</summary>
    internal void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    /// <inheritdoc cref="Run(Action)"/>
    internal T Run<T>(Func<T> function)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        using ManualResetEventSlim done = new();
        _work.Add(() =>
        {
            try
            {
                result = function();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            done.Set();
        });
        done.Wait();
        failure?.Throw();
        return result;
    }

    /// <summary>Does something on the thread and does not wait.</summary>
    internal void Begin(Action action) => _work.Add(action);

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    private void Live()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc")]
    private static partial int gettid();
}
