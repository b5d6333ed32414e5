// HOT PATH: one stripe, no allocation but where the geometry changes.
using System.Numerics;
using System.Threading.Tasks.Sources;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Room for one stripe that is being checked or healed, and its computing, on whichever thread has
/// time. Used again for every stripe. Started and awaited on the loop's thread.
/// </summary>
internal sealed class HealLane : IComputeJob, IValueTaskSource<Result>
{
    private readonly IReactor _reactor;
    private readonly Action _complete;
    private ManualResetValueTaskSourceCore<Result> _core;
    private StripeSlot? _slot;
    private StripeGeometry _geometry;
    private Manifest _manifest = null!;
    private MasterKey? _key;
    private ObjectCipher? _cipher;
    private StripeInfo _stripe;
    private ulong _wanted;
    private bool _rebuilds;
    private Result _result;

    public HealLane(IReactor reactor)
    {
        _reactor = reactor;
        _complete = () => _core.SetResult(_result);
    }

    public StripeSlot Slot => _slot!;

    /// <summary>
    /// Bit i: shard i of the stripe was read and is damaged, forged or of something else.
    /// </summary>
    public ulong BadShards { get; private set; }

    /// <summary>Takes a slab for the next stripe, all shards missing.</summary>
    public void Begin(BufferPool pool, BufferLease lease, Manifest manifest, MasterKey? key)
    {
        if (_slot is null || _slot.Lease != lease || _geometry != manifest.Geometry)
        {
            _slot = new StripeSlot(pool, lease, manifest.Geometry, hasPlain: false);
            _geometry = manifest.Geometry;
        }

        Array.Clear(_slot.Shards);
        if (_cipher is null || _key != key || _cipher.ObjectId != manifest.ObjectId)
        {
            _cipher?.Dispose();
            _cipher = key is null ? null : ObjectCipher.Create(key, manifest.ObjectId);
        }

        _manifest = manifest;
        _key = key;
        BadShards = 0;
    }

    /// <summary>
    /// Judges the shards that were read. Where all are there and contradict each other, the key
    /// tells which one is forged; Corrupt where it is not here or does not help.
    /// </summary>
    public ValueTask<Result> JudgeAsync(ComputeThreads threads, in StripeInfo stripe) =>
        StartAsync(threads, stripe, wanted: 0, rebuilds: false);

    /// <summary>
    /// Makes the wanted shards anew where they are missing or damaged, once those that are there
    /// have proved to be good: k of them by the stripe's tag, more by agreeing with each other.
    /// Others may be made as well.
    /// </summary>
    public ValueTask<Result> RebuildAsync(
        ComputeThreads threads, in StripeInfo stripe, ulong wanted) =>
        StartAsync(threads, stripe, wanted, rebuilds: true);

    public void Run(StripeCodec codec)
    {
        _result = Compute(codec);
        _reactor.Post(_complete);
    }

    Result IValueTaskSource<Result>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<Result>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<Result>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompletedOnLoop(continuation, state, token, flags);

    private ValueTask<Result> StartAsync(
        ComputeThreads threads, in StripeInfo stripe, ulong wanted, bool rebuilds)
    {
        _stripe = stripe;
        _wanted = wanted;
        _rebuilds = rebuilds;
        if (threads.Count == 0)
        {
            return ValueTask.FromResult(Compute(threads.LoopCodec));
        }

        _core.Reset();
        threads.Enqueue(this);
        return new ValueTask<Result>(this, _core.Version);
    }

    private Result Compute(StripeCodec codec)
    {
        Result judged = codec.Judge(
            _manifest.ObjectId, _manifest.KeyId, _geometry, _stripe,
            Slot.Headers, StripeSlot.HeaderStride, Slot.Payload, Slot.Shards);
        NoteBad();
        if (!_rebuilds && judged.Fault?.Code == FaultCode.Corrupt && _cipher is not null)
        {
            return Open(codec, _cipher);
        }

        return _rebuilds && judged.Fault?.Code != FaultCode.Unavailable
            ? Rebuild(codec, judged)
            : judged;
    }

    private Result Rebuild(StripeCodec codec, Result judged)
    {
        // Exactly k shards have no other shard to disagree with: then only the key tells a forged
        // one, and where the key is not here the checksums must do.
        int usable = Slot.Shards.AsSpan().Count(ShardState.Ok);
        if (judged.IsOk && usable == _geometry.Redundancy.DataShards && _cipher is not null)
        {
            return codec.Restore(
                _cipher, _geometry, _stripe, Slot.Headers, StripeSlot.HeaderStride, Slot.Payload,
                Slot.Shards, _wanted);
        }

        Result rebuilt = judged.IsOk ? Compute() : judged;
        if (rebuilt.Fault?.Code == FaultCode.Corrupt && _cipher is not null
            && Open(codec, _cipher).IsOk)
        {
            rebuilt = Compute();
        }

        return rebuilt;

        Result Compute() => codec.Rebuild(
            _manifest.ObjectId, _manifest.KeyId, _geometry, _stripe,
            Slot.Headers, StripeSlot.HeaderStride, Slot.Payload, Slot.Shards);
    }

    /// <summary>
    /// Opens the stripe, which finds out the one shard that does not belong; it counts as missing.
    /// </summary>
    private Result Open(StripeCodec codec, ObjectCipher cipher)
    {
        // Only where somebody has forged a shard, so memory of its own may be taken for it.
        Result opened = codec.Decode(
            cipher, _geometry, _stripe, Slot.Headers, StripeSlot.HeaderStride, Slot.Payload,
            Slot.Shards, new byte[_geometry.StripeBytes]);
        if (opened.IsOk)
        {
            NoteBad();
            Slot.Shards.AsSpan().Replace(ShardState.Contradicting, ShardState.Missing);
        }

        return opened;
    }

    private void NoteBad()
    {
        for (int shard = 0; shard < Slot.Shards.Length; shard++)
        {
            BadShards |= Slot.Shards[shard] is ShardState.Ok or ShardState.Missing
                ? 0
                : 1UL << shard;
        }
    }
}
