using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Reactor;

/// <summary>
/// A few threads that run file operations for the plain executor, one at a time each. They start
/// with the first operation, so that a process without files has none.
/// </summary>
internal sealed class IoThreads : IDisposable
{
    private readonly Action<Operation> _execute;
    private readonly Action _signal;
    private readonly Thread[] _threads;
    private readonly Queue<Operation> _queue;
    private readonly Queue<Operation> _finished;
    private readonly object _queueLock = new();
    private readonly Lock _finishedLock = new();
    private bool _isClosed;
    private bool _isStarted;

    /// <param name="count">How many threads.</param>
    /// <param name="capacity">Operations at once; the reactor's table bounds them already.</param>
    /// <param name="execute">Runs the operation and stores its result.</param>
    /// <param name="signal">Wakes the loop: something is finished.</param>
    internal IoThreads(int count, int capacity, Action<Operation> execute, Action signal)
    {
        Invariant.Check(count > 0);
        _execute = execute;
        _signal = signal;
        _threads = new Thread[count];
        _queue = new Queue<Operation>(capacity);
        _finished = new Queue<Operation>(capacity);
    }

    internal void Enqueue(Operation operation)
    {
        if (!_isStarted)
        {
            Start();
        }

        lock (_queueLock)
        {
            _queue.Enqueue(operation);
            Monitor.Pulse(_queueLock);
        }
    }

    /// <summary>Moves what is finished to the loop's own queue.</summary>
    internal void TakeFinished(Queue<Operation> destination)
    {
        lock (_finishedLock)
        {
            while (_finished.TryDequeue(out Operation? operation))
            {
                destination.Enqueue(operation);
            }
        }
    }

    /// <summary>
    /// Ends the threads. One that hangs in a dead disk is left behind; it is a background one.
    /// </summary>
    public void Dispose()
    {
        lock (_queueLock)
        {
            _isClosed = true;
            Monitor.PulseAll(_queueLock);
        }

        const int joinMsMax = 1000;
        foreach (Thread thread in _threads)
        {
            thread?.Join(joinMsMax);
        }
    }

    private void Start()
    {
        _isStarted = true;
        const int stackBytes = 256 * 1024;
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work, stackBytes)
            {
                IsBackground = true,
                Name = $"pangea-io-{i}",
            };
            _threads[i].Start();
        }
    }

    private void Work()
    {
        while (true)
        {
            Operation? operation;
            lock (_queueLock)
            {
                while (!_queue.TryDequeue(out operation))
                {
                    if (_isClosed)
                    {
                        return;
                    }

                    Monitor.Wait(_queueLock);
                }
            }

            _execute(operation);
            bool wasEmpty;
            lock (_finishedLock)
            {
                wasEmpty = _finished.Count == 0;
                _finished.Enqueue(operation);
            }

            if (wasEmpty)
            {
                _signal();
            }
        }
    }
}
