using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>The threads and buffers that work on one object.</summary>
internal sealed class StripeTeam : IDisposable
{
    /// <summary>
    /// Buffers for each thread: one to work on, and one that waits for its turn meanwhile.
    /// </summary>
    public const int BuffersPerThread = 2;

    /// <summary>
    /// Threads for each one asked for where they wait for the device: one computes meanwhile.
    /// </summary>
    public const int ThreadsPerDirect = 2;

    private readonly StripePool _pool;
    private readonly List<StripeBuffers> _buffers = [];
    private readonly int _threads;

    private StripeTeam(StripePool pool, int threads)
    {
        _pool = pool;
        _threads = threads;
    }

    public IReadOnlyCollection<StripeBuffers> Buffers => _buffers;

    /// <summary>Takes from the pool what that many stripes need: a short object needs
    /// few.</summary>
    public static Result<StripeTeam> Gather(
        StripePool pool, in StripeGeometry geometry, int headerStride, long stripes, int threads)
    {
        threads = (int)Math.Clamp(threads, 1, Math.Max(stripes, 1));
        var team = new StripeTeam(pool, threads);
        for (int i = 0; i < Math.Clamp(BuffersPerThread * threads, 1, Math.Max(stripes, 1)); i++)
        {
            Result<StripeBuffers> buffers = pool.Rent(geometry, headerStride);
            if (!buffers.IsOk)
            {
                team.Dispose();
                return buffers.Fault;
            }

            team._buffers.Add(buffers.Value);
        }

        return team;
    }

    /// <summary>Works with all threads, of which the caller's is one, until the line is
    /// done.</summary>
    public Result Work(StripeLine line, Func<ObjectCipher> newCipher)
    {
        var others = new Thread[_threads - 1];
        for (int i = 0; i < others.Length; i++)
        {
            StripeCodec codec = _buffers[i + 1].Codec;
            others[i] = new Thread(() => Work(line, codec, newCipher)) { IsBackground = true };
            others[i].Start();
        }

        Work(line, _buffers[0].Codec, newCipher);
        foreach (Thread other in others)
        {
            other.Join();
        }

        return line.Fault is null ? Result.Ok : line.Fault;
    }

    public void Dispose() => _buffers.ForEach(_pool.Return);

    // A thread keeps to one codec, whosever buffers it works on: its tables stay in the cache.
    private static void Work(StripeLine line, StripeCodec codec, Func<ObjectCipher> newCipher)
    {
        using var thread = new StripeThread(codec, newCipher());
        Result done = FileFaults.Guard(() => line.Work(thread));
        if (!done.IsOk)
        {
            line.Fail(done.Fault);
        }
    }
}
