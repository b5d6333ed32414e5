using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Checks everything that the devices hold of one object: commit entries, manifests, and every
/// shard's header and payload; where all shards of a stripe are there, also that they belong
/// together, which shows a shard that was forged with right checksums.
/// </summary>
internal static class ObjectScrub
{
    /// <returns>Bit i: position i is here and damaged.</returns>
    public static async ValueTask<ulong> CheckPackedAsync(
        Healing healing, HealPlan plan, BufferLease scratch)
    {
        Result<ObjectParts> parts = await ObjectParts.ReadAsync(
            plan, healing, scratch, plan.Here, plan.Positions);
        long bytes = plan.Entry.Locations.Sum(location => (long)location.Bytes);
        await healing.Scrubber.CountAsync(bytes);
        if (!parts.IsOk)
        {
            return plan.Here;
        }

        Result<ulong> bad = PackedHeal.Judge(
            healing.Service.Threads.LoopCodec, plan, parts.Value);
        return plan.Bad | (bad.IsOk ? bad.Value : plan.Here);
    }

    /// <param name="healing">Whose.</param>
    /// <param name="plan">The object.</param>
    /// <param name="scratch">A slab to read entries through.</param>
    /// <param name="first">Stripes that were checked before.</param>
    /// <returns>Bit i: position i is here and damaged.</returns>
    public static async ValueTask<ulong> CheckStripedAsync(
        Healing healing, HealPlan plan, BufferLease scratch, uint first)
    {
        Result<ObjectParts> parts = await ObjectParts.ReadAsync(
            plan, healing, scratch, plan.Here, plan.Positions);
        if (!parts.IsOk)
        {
            return plan.Here;
        }

        Manifest manifest = parts.Value.Manifest;
        if (StripeSlot.SlabBytesFor(manifest.Geometry) > healing.Service.Slabs.StripeSlabBytes)
        {
            return plan.Bad; // Healing says what to do about it.
        }

        var sources = new PositionSource[plan.Positions];
        for (int position = 0; position < sources.Length; position++)
        {
            bool isWhole = parts.Value.Records[position] is not null;
            sources[position] = isWhole ? plan.SourceOf(position) : default;
        }

        var reader = new ObjectReader(
            sources, stripe => manifest.Stripe((int)stripe).ShardBytes);
        for (int position = 0; position < sources.Length; position++)
        {
            if (reader.Has(position))
            {
                _ = await reader.OpenAsync(position, scratch, healing.Service.Pool);
            }
        }

        return await CheckStripesAsync(healing, plan, parts.Value, reader, first);
    }

    private static async ValueTask<ulong> CheckStripesAsync(
        Healing healing, HealPlan plan, ObjectParts parts, ObjectReader reader, uint first)
    {
        Manifest manifest = parts.Manifest;
        long pass = healing.Scrubber.State.StartedMs;
        ulong bad = plan.Bad;
        for (uint stripe = first; stripe < manifest.Stripes.Count; stripe++)
        {
            StripeInfo info = manifest.Stripe((int)stripe);
            HealLane? lane = await healing.Lanes.EnterAsync(manifest, parts.Key);
            if (lane is null)
            {
                break;
            }

            bad |= await CheckStripeAsync(healing, plan, reader, lane, info);
            healing.Lanes.Leave(lane);
            await healing.Scrubber.CountAsync(
                (long)StripeImage.FrameBytes(info.ShardBytes) * plan.Positions);
            if (!healing.Scrubber.GoesOn(pass))
            {
                break;
            }

            healing.Scrubber.NoteStripe(plan.Entry.Id, stripe + 1);
        }

        return bad;
    }

    private static async ValueTask<ulong> CheckStripeAsync(
        Healing healing, HealPlan plan, ObjectReader reader, HealLane lane, StripeInfo info)
    {
        StripeSlot slot = lane.Slot;
        StripeImage image = slot.Image(info.ShardBytes);
        ulong started = 0;
        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            int position = PositionOf(info, shard, plan);
            if (reader.Has(position))
            {
                started |= 1UL << shard;
                slot.Reads[shard] = reader.ReadShardAsync(
                    position, (long)info.StripeIndex, image.Header(shard), image.Payload(shard));
            }
        }

        ulong bad = 0;
        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            if ((started & (1UL << shard)) != 0)
            {
                SysResult read = await slot.Reads[shard];
                slot.Shards[shard] = read.IsOk ? ShardState.Read : ShardState.Missing;
                bad |= read.IsOk ? 0 : 1UL << PositionOf(info, shard, plan);
            }
        }

        Result judged = await lane.JudgeAsync(healing.Service.Threads, info);
        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            bool isBad = (lane.BadShards & (1UL << shard)) != 0
                || judged.Fault?.Code == FaultCode.Corrupt; // Nobody can tell which.
            bad |= isBad ? 1UL << PositionOf(info, shard, plan) : 0;
        }

        return bad;
    }

    private static int PositionOf(in StripeInfo info, int shard, HealPlan plan) =>
        ShardPlacement.PositionOf(info.StripeIndex, shard, plan.Positions);
}
