using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The sum of all slabs of a storage worker, one term for each user, so that an empty pool means
/// that a permit was not taken.
/// </summary>
/// <param name="StripeSlabBytes">Room for a stripe of whichever geometry needs most.</param>
/// <param name="SmallSlabBytes">Room for a small object of whichever geometry needs most.</param>
/// <param name="HealSlabBytes">Room for the shards of a stripe of any geometry.</param>
internal readonly record struct SlabPlan(
    int StripeSlabBytes, int SmallSlabBytes, int HealSlabBytes)
{
    /// <summary>
    /// Commit entries that are read outside transfers at once: stat, garbage, heal.
    /// </summary>
    public const int EntryReadersMax = 4;

    /// <summary>
    /// What is registered with the ring, and so pinned and resident from the start: the short
    /// slabs, where it saves most; not those of logs and stripes, which an idle worker does not
    /// touch.
    /// </summary>
    public const long RegisteredBytesMax = 8L * 1024 * 1024;

    /// <summary>Reading an entry goes through windows of this length.</summary>
    public const int EntrySlabBytes = 64 * 1024;

    /// <summary>Transfers and background work never take a slab of each other.</summary>
    private const int StripeSlabs = StripeShares.All;

    private const int EntrySlabs = EntryReadersMax + Healer.ObjectsMax + Scrubber.ObjectsMax;

    /// <summary>For worker of these geometries, earlier ones included.</summary>
    public static SlabPlan For(IEnumerable<StripeGeometry> geometries)
    {
        int stripe = 0;
        int small = 0;
        int heal = 0;
        foreach (StripeGeometry geometry in geometries)
        {
            stripe = Math.Max(
                stripe,
                (int)LogFormat.RoundUpToBlock(StripeSlot.SlabBytesFor(geometry)));
            small = Math.Max(small, SmallSlot.SlabBytesFor(geometry.Redundancy));
            heal = Math.Max(
                heal,
                (int)LogFormat.RoundUpToBlock(StripeSlot.ShardSlabBytesFor(geometry)));
        }

        return new SlabPlan(stripe, small, heal);
    }

    /// <summary>
    /// Slab classes in the order that the pool asks for, those of the device logs added.
    /// </summary>
    public SlabClass[] Classes(IEnumerable<SlabClass> others)
    {
        SlabClass[] all =
        [
            new SlabClass(StripeSlabBytes, StripeSlabs),
            new SlabClass(SmallSlabBytes, Limits.SmallTransfersMax, TryHugePages: false),
            new SlabClass(HealSlabBytes, HealLanes.StripesMax),
            new SlabClass(EntrySlabBytes, EntrySlabs, TryHugePages: false),
            .. others,
        ];
        return
        [
            .. all.GroupBy(slabs => slabs.SlabBytes)
                .Select(group => new SlabClass(
                    group.Key,
                    group.Sum(slabs => slabs.Count),
                    group.Any(slabs => slabs.TryHugePages)))
                .OrderBy(slabs => slabs.SlabBytes),
        ];
    }
}
