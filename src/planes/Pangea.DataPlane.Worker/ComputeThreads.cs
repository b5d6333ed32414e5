using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The threads that compress, encrypt and code stripes beside the loop, each with a codec of its
/// own. With none, the loop computes by itself: right on one core, where a second thread would only
/// take turns.
/// </summary>
internal sealed class ComputeThreads : IDisposable
{
    private readonly Thread[] _threads;
    private readonly StripeCodec[] _codecs;
    private readonly Queue<IComputeJob> _jobs = new(StripeShares.All);
    private bool _stopping;

    private ComputeThreads(StripeCodec loopCodec, StripeCodec[] codecs)
    {
        LoopCodec = loopCodec;
        _codecs = codecs;
        _threads = new Thread[codecs.Length];
        for (int i = 0; i < codecs.Length; i++)
        {
            StripeCodec codec = codecs[i];
            _threads[i] =
                new Thread(() => Work(codec)) { IsBackground = true, Name = $"compute {i}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads beside the loop's.</summary>
    public int Count => _threads.Length;

    /// <summary>The codec of the loop's own thread.</summary>
    public StripeCodec LoopCodec { get; }

    /// <summary>
    /// Starts the threads; they inherit the affinity of the caller, so this comes before the loop
    /// pins itself.
    /// </summary>
    public static Result<ComputeThreads> Start(int count)
    {
        var codecs = new StripeCodec[count + 1];
        for (int i = 0; i < codecs.Length; i++)
        {
            Result<StripeCodec> codec = StripeCodec.Create();
            if (!codec.IsOk)
            {
                return codec.Fault;
            }

            codecs[i] = codec.Value;
        }

        return new ComputeThreads(codecs[0], codecs[1..]);
    }

    /// <summary>
    /// Hands a job over. The queue cannot overflow: each slot of each transfer has one job.
    /// </summary>
    public void Enqueue(IComputeJob job)
    {
        lock (_jobs)
        {
            _jobs.Enqueue(job);
            Monitor.Pulse(_jobs);
        }
    }

    public void Dispose()
    {
        lock (_jobs)
        {
            _stopping = true;
            Monitor.PulseAll(_jobs);
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }

        foreach (StripeCodec codec in _codecs)
        {
            codec.Dispose();
        }

        LoopCodec.Dispose();
    }

    private void Work(StripeCodec codec)
    {
        while (true)
        {
            IComputeJob? job;
            lock (_jobs)
            {
                while (!_jobs.TryDequeue(out job))
                {
                    if (_stopping)
                    {
                        return;
                    }

                    Monitor.Wait(_jobs);
                }
            }

            job.Run(codec);
        }
    }
}
