using System.Threading.Tasks.Sources;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The computing of one stripe slot: sealing it or restoring it, on whichever thread has time. One
/// job belongs to one slot and is used again for every stripe that passes through it, so that
/// starting a job allocates nothing. Started and awaited on the loop's thread, run anywhere.
/// </summary>
internal sealed class StripeJob : IComputeJob, IValueTaskSource<Result>, IDisposable
{
    private readonly StripeSlot _slot;
    private readonly IReactor _reactor;
    private readonly Action _complete;
    private readonly ObjectCipher _cipher;
    private readonly StripeGeometry _geometry;
    private ManualResetValueTaskSourceCore<Result> _core;
    private bool _sealing;
    private CompressionLevel _level;
    private Result _result;

    /// <param name="cipher">This job's own, owned: a cipher serves one thread at a time.</param>
    public StripeJob(
        StripeSlot slot, IReactor reactor, ObjectCipher cipher, in StripeGeometry geometry)
    {
        _slot = slot;
        _reactor = reactor;
        _cipher = cipher;
        _geometry = geometry;
        _complete = () => _core.SetResult(_result);
    }

    /// <summary>
    /// The stripe: before restoring what the manifest says of it, after sealing what was made.
    /// </summary>
    public StripeInfo Stripe { get; private set; }

    /// <summary>Makes the shards of the slot's plain bytes.</summary>
    public ValueTask<Result> SealAsync(
        ComputeThreads threads, long stripeIndex, bool isLast, CompressionLevel level)
    {
        _sealing = true;
        _level = level;
        Stripe = new StripeInfo((ulong)stripeIndex, isLast, _slot.PlainBytes, 0, 0, default);
        return StartAsync(threads);
    }

    /// <summary>Restores the slot's plain bytes from the shards that are there.</summary>
    public ValueTask<Result> OpenAsync(ComputeThreads threads, in StripeInfo stripe)
    {
        _sealing = false;
        Stripe = stripe;
        return StartAsync(threads);
    }

    /// <summary>
    /// Does the work and lets the loop know. Called once per start, by a compute thread.
    /// </summary>
    public void Run(StripeCodec codec)
    {
        Compute(codec);
        _reactor.Post(_complete);
    }

    public void Dispose() => _cipher.Dispose();

    Result IValueTaskSource<Result>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<Result>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<Result>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompletedOnLoop(continuation, state, token, flags);

    private ValueTask<Result> StartAsync(ComputeThreads threads)
    {
        if (threads.Count == 0)
        {
            Compute(threads.LoopCodec);
            return ValueTask.FromResult(_result);
        }

        _core.Reset();
        threads.Enqueue(this);
        return new ValueTask<Result>(this, _core.Version);
    }

    private void Compute(StripeCodec codec)
    {
        if (_sealing)
        {
            Stripe = codec.Encode(
                _cipher, _geometry, Stripe.StripeIndex, Stripe.IsLast,
                _slot.Plain(_slot.PlainBytes), _level,
                _slot.Headers, StripeSlot.HeaderStride, _slot.Payload);
            _result = Result.Ok;
        }
        else
        {
            _result = codec.Decode(
                _cipher, _geometry, Stripe, _slot.Headers, StripeSlot.HeaderStride, _slot.Payload,
                _slot.Shards, _slot.Plain(_geometry.StripeBytes));
        }
    }
}
