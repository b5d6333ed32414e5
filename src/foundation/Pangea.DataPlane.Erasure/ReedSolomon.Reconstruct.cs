using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <content>Making lost shards again.</content>
public sealed unsafe partial class ReedSolomon
{
    /// <summary>Loss patterns that were worked out rather than found in the cache.</summary>
    internal long DecodingMisses => _decoding.Misses;

    /// <summary>Loss patterns kept at most.</summary>
    internal int DecodingSlots => _decoding.SlotCount;

    /// <summary>
    /// Writes the wanted shards of a stripe whose k + m shards lie one after the other. Reads k of
    /// the present shards, writes the wanted ones and touches no other.
    /// </summary>
    /// <param name="shards">(k + m) * shardBytes bytes; absent shards hold anything.</param>
    /// <param name="shardBytes">Length of a shard, 0 or more.</param>
    /// <param name="present">Shards whose bytes are right.</param>
    /// <param name="wanted">Shards to write, data or parity, none of them present; may be
    /// empty.</param>
    /// <param name="caching">Where the wanted shards should end up; in the cache unless told
    /// otherwise, because who asks for lost shards reads them next.</param>
    public ErasureStatus Reconstruct(
        Span<byte> shards,
        int shardBytes,
        ShardSet present,
        ShardSet wanted,
        OutputCaching caching = OutputCaching.Keep)
    {
        CheckLength(shards.Length, TotalShards, shardBytes, nameof(shards));
        if (!_decoding.TryAcquireRecent(present, wanted, out int slot, out DecodingPlan plan))
        {
            CheckSets(present, wanted);
            if (!_planner.TryChooseInputs(present, out ShardSet inputs))
            {
                return ErasureStatus.TooFewShards;
            }

            if (wanted.IsEmpty)
            {
                return ErasureStatus.Ok;
            }

            slot = _decoding.Acquire(present, inputs, wanted, out plan);
        }

        // SAFETY: the span is pinned for the call, holds k + m shards, and the plan lists k inputs
        // and at most m wanted shards, disjoint indices below k + m (checked above).
        byte** places = stackalloc byte*[TotalShards];
        fixed (byte* first = shards)
        {
            int used = DataShards + plan.Outputs;
            for (int i = 0; i < used; i++)
            {
                places[i] = first + (nint)plan.Shards[i] * shardBytes;
            }

            Decode(plan, places, shardBytes, caching);
        }

        _decoding.Release(slot);
        return ErasureStatus.Ok;
    }

    /// <summary>Writes the wanted shards of a stripe whose shards lie anywhere.</summary>
    /// <param name="presentIndices">Which shards are present, in any order.</param>
    /// <param name="present">Their bytes, in the same order.</param>
    /// <param name="wantedIndices">Which shards to write, none of them present.</param>
    /// <param name="wanted">Where to write them; they overlap nothing.</param>
    /// <param name="caching">Where the wanted shards should end up; in the cache unless told
    /// otherwise, because who asks for lost shards reads them next.</param>
    public ErasureStatus Reconstruct(
        ReadOnlySpan<int> presentIndices,
        ReadOnlySpan<ShardPointer> present,
        ReadOnlySpan<int> wantedIndices,
        ReadOnlySpan<ShardPointer> wanted,
        OutputCaching caching = OutputCaching.Keep)
    {
        CheckCount(present.Length, presentIndices.Length, nameof(present));
        CheckCount(wanted.Length, wantedIndices.Length, nameof(wanted));
        ShardSet presentSet = ShardSet.Of(presentIndices);
        ShardSet wantedSet = ShardSet.Of(wantedIndices);
        CheckSets(presentSet, wantedSet);
        if (!_planner.TryChooseInputs(presentSet, out ShardSet inputs))
        {
            return ErasureStatus.TooFewShards;
        }

        int shardBytes = present[0].Bytes;
        CheckLengths(present, shardBytes, nameof(present));
        CheckLengths(wanted, shardBytes, nameof(wanted));
        CheckApart(present, wanted);

        // SAFETY: the caller keeps the shards in place; both lists below have room for k inputs
        // and at most m outputs, and the plan names only indices that have been placed.
        byte** byIndex = stackalloc byte*[TotalShards];
        byte** places = stackalloc byte*[TotalShards];
        Place(byIndex, presentIndices, present);
        Place(byIndex, wantedIndices, wanted);
        if (wanted.Length > 0)
        {
            int slot = _decoding.Acquire(presentSet, inputs, wantedSet, out DecodingPlan plan);
            for (int i = 0; i < DataShards + plan.Outputs; i++)
            {
                places[i] = byIndex[plan.Shards[i]];
            }

            Decode(plan, places, shardBytes, caching);
            _decoding.Release(slot);
        }

        return ErasureStatus.Ok;
    }

    /// <summary>Places: the inputs, then the outputs, in the order of the plan.</summary>
    private void Decode(
        in DecodingPlan plan, byte** places, int shardBytes, OutputCaching caching) =>
        _kernel.Multiply(new Product
        {
            Table = plan.Table,
            TableStride = plan.Outputs,
            Inputs = places,
            InputCount = DataShards,
            Outputs = places + DataShards,
            OutputCount = plan.Outputs,
            To = (nuint)shardBytes,
            Mode = plan.Mode | Mode(caching, plan.Outputs, shardBytes),
            PlainInputs = plan.PlainInputs,
        });

    private static void Place(
        byte** places, ReadOnlySpan<int> indices, ReadOnlySpan<ShardPointer> shards)
    {
        for (int shard = 0; shard < shards.Length; shard++)
        {
            places[indices[shard]] = (byte*)shards[shard].Address;
        }
    }
}
