using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Looks whether what an earlier try wrote is there: the first frame of every extent and the last
/// of all. What lies between was flushed with them, and a later scrub reads it all.
/// </summary>
internal static class HealResume
{
    public static async ValueTask<bool> IsThereAsync(
        Healing healing, HealPlan plan, ObjectParts parts, int position, HealProgress progress)
    {
        if (plan.TargetOf(position).Log is not { } log)
        {
            return false;
        }

        HealLane? lane = await healing.Lanes.EnterAsync(parts.Manifest, parts.Key);
        if (lane is null)
        {
            return false;
        }

        bool isThere = true;
        uint next = 0;
        foreach (Extent extent in progress.Extents)
        {
            isThere &= extent.FirstStripe == next
                && extent.Stripes <= progress.Stripes - next
                && await IsGoodAsync(healing, lane, log, parts.Manifest, position, extent, 0)
                && await IsGoodAsync(
                    healing, lane, log, parts.Manifest, position, extent, extent.Stripes - 1);
            next += extent.Stripes;
            if (!isThere)
            {
                break;
            }
        }

        healing.Lanes.Leave(lane);
        return isThere && next == progress.Stripes;
    }

    private static async ValueTask<bool> IsGoodAsync(
        Healing healing, HealLane lane, DeviceLog log, Manifest manifest, int position,
        Extent extent, uint skipped)
    {
        uint offset = extent.Offset;
        for (uint i = 0; i < skipped; i++)
        {
            offset += (uint)StripeImage.FrameBytes(
                manifest.Stripe((int)(extent.FirstStripe + i)).ShardBytes);
        }

        StripeInfo info = manifest.Stripe((int)(extent.FirstStripe + skipped));
        int shard = ShardPlacement.ShardAt(
            info.StripeIndex, position, manifest.Geometry.Redundancy.TotalShards);
        StripeImage image = lane.Slot.Image(info.ShardBytes);
        SysResult read = await log.ReadShardAsync(
            new LogAddress(
                extent.Segment, offset, (uint)StripeImage.FrameBytes(info.ShardBytes)),
            image.Header(shard), image.Payload(shard));
        Array.Clear(lane.Slot.Shards);
        lane.Slot.Shards[shard] = read.IsOk ? ShardState.Read : ShardState.Missing;
        _ = await lane.JudgeAsync(healing.Service.Threads, info);
        return lane.Slot.Shards[shard] == ShardState.Ok;
    }
}
