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
        CheckSets(present, wanted);
        if (!_planner.TryChooseInputs(present, out ShardSet inputs))
        {
            return ErasureStatus.TooFewShards;
        }

        // SAFETY: the span is pinned for the call, holds k + m shards, and inputs and wanted are
        // disjoint indices below k + m (checked above).
        byte** sources = stackalloc byte*[DataShards];
        byte** targets = stackalloc byte*[ParityShards];
        fixed (byte* first = shards)
        {
            int sourceCount = 0;
            foreach (int shard in inputs)
            {
                sources[sourceCount++] = first + (nint)shard * shardBytes;
            }

            int targetCount = 0;
            foreach (int shard in wanted)
            {
                targets[targetCount++] = first + (nint)shard * shardBytes;
            }

            Decode(inputs, wanted, sources, targets, targetCount, shardBytes, caching);
        }

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

        // SAFETY: the caller keeps the shards in place; every pointer list below gets one entry per
        // member of its set, and the sets have k and at most m members.
        byte** places = stackalloc byte*[TotalShards];
        byte** sources = stackalloc byte*[DataShards];
        byte** targets = stackalloc byte*[ParityShards];
        Place(places, presentIndices, present);
        Place(places, wantedIndices, wanted);
        Gather(sources, places, inputs);
        Gather(targets, places, wantedSet);
        Decode(inputs, wantedSet, sources, targets, wanted.Length, shardBytes, caching);
        return ErasureStatus.Ok;
    }

    private void Decode(
        ShardSet inputs,
        ShardSet wanted,
        byte** sources,
        byte** targets,
        int targetCount,
        int shardBytes,
        OutputCaching caching)
    {
        if (targetCount == 0 || shardBytes == 0)
        {
            return;
        }

        int slot = _decoding.Acquire(inputs, wanted, out DecodingPlan plan);
        _kernel.Multiply(new Product
        {
            Table = plan.Table,
            TableStride = targetCount,
            Inputs = sources,
            InputCount = DataShards,
            Outputs = targets,
            OutputCount = targetCount,
            To = (nuint)shardBytes,
            Mode = plan.Mode | Mode(caching, targetCount, shardBytes),
            PlainInputs = plan.PlainInputs,
        });
        _decoding.Release(slot);
    }

    private static void Place(
        byte** places, ReadOnlySpan<int> indices, ReadOnlySpan<ShardPointer> shards)
    {
        for (int shard = 0; shard < shards.Length; shard++)
        {
            places[indices[shard]] = (byte*)shards[shard].Address;
        }
    }

    private static void Gather(byte** pointers, byte** places, ShardSet set)
    {
        foreach (int shard in set)
        {
            *pointers++ = places[shard];
        }
    }
}
