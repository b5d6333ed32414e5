using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Which device holds which shard of an object. An object has k+m positions, each one a device; the
/// shards of stripe s are turned by s positions, so that reading data shards and writing parity
/// load all devices alike.
/// </summary>
public sealed class Placement
{
    private readonly DeviceId[] _devices;

    /// <param name="devices">The device of each position, k+m of them.</param>
    public Placement(ReadOnlySpan<DeviceId> devices) => _devices = devices.ToArray();

    /// <summary>k + m.</summary>
    public int Positions => _devices.Length;

    public DeviceId this[int position] => _devices[position];

    public ReadOnlySpan<DeviceId> Devices => _devices;

    public int PositionOf(long stripeIndex, int shardIndex) =>
        (int)((shardIndex + stripeIndex) % _devices.Length);

    /// <summary>
    /// Chooses k+m of the devices for a new object: usable ones first, and among them by rendezvous
    /// hash of object and device, which spreads objects evenly and needs no table.
    /// </summary>
    public static Placement Choose(
        ObjectId id, Redundancy redundancy, IReadOnlyList<StorageDevice> devices)
    {
        Invariant.Check(devices.Count >= redundancy.TotalShards);
        DeviceId[] chosen = devices
            .OrderBy(device => device.TakesWrites ? 0 : 1)
            .ThenByDescending(device => Score(id, device.Id))
            .Take(redundancy.TotalShards)
            .Select(device => device.Id)
            .ToArray();
        return new Placement(chosen);
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
