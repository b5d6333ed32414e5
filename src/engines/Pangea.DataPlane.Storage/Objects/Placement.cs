// HOT PATH: once per put; no allocation but the caller's array.
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Which device holds which shard of an object. An object has k+m positions, each one a device; the
/// shards of stripe s are turned by s positions, so that reading data shards and writing parity
/// load all devices alike (docs/shard-format.md, section 7).
/// </summary>
public static class Placement
{
    public static int PositionOf(long stripeIndex, int shardIndex, int positions) =>
        (int)((shardIndex + stripeIndex) % positions);

    /// <summary>
    /// Chooses a device for each position of a new object: usable ones first, and among them by
    /// rendezvous hash of object and device, which spreads objects evenly and needs no table.
    /// </summary>
    /// <param name="id">The object.</param>
    /// <param name="devices">Of which to choose, at least as many as positions.</param>
    /// <param name="chosen">One entry for each position, filled here.</param>
    public static void Choose(
        ObjectId id, IReadOnlyList<StorageDevice> devices, Span<StorageDevice> chosen)
    {
        Invariant.Check(devices.Count >= chosen.Length);
        Invariant.Check(devices.Count <= Limits.DevicesMax);
        Span<ulong> scores = stackalloc ulong[Limits.DevicesMax];
        Span<int> order = stackalloc int[Limits.DevicesMax];
        for (int i = 0; i < devices.Count; i++)
        {
            // The highest bit puts usable devices before all others.
            ulong usable = devices[i].TakesWrites ? 1UL << 63 : 0;
            scores[i] = (Score(id, devices[i].Id) >> 1) | usable;
            int at = i;
            for (; at > 0 && scores[order[at - 1]] < scores[i]; at--)
            {
                order[at] = order[at - 1];
            }

            order[at] = i;
        }

        for (int position = 0; position < chosen.Length; position++)
        {
            chosen[position] = devices[order[position]];
        }
    }

    // splitmix64's finaliser over both identities, which are random bytes already.
    private static ulong Score(ObjectId id, DeviceId device)
    {
        UInt128 mixed = id.Value ^ device.Value.Value;
        ulong x = (ulong)mixed + (0x9E3779B97F4A7C15UL * (ulong)(mixed >> 64));
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
        return x ^ (x >> 31);
    }
}
