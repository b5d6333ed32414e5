using System.Numerics;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Where manifests and devices meet: reads an object's manifest from whichever device has a good
/// one.
/// </summary>
internal static class ObjectLocator
{
    public static Placement PlacementOf(Manifest manifest)
    {
        Span<DeviceId> devices = stackalloc DeviceId[manifest.Devices.Length];
        for (int i = 0; i < devices.Length; i++)
        {
            devices[i] = new DeviceId(new ObjectId(manifest.Devices[i]));
        }

        return new Placement(devices);
    }

    /// <summary>Length of the object's file on each device that holds it.</summary>
    public static long FileBytes(Manifest manifest)
    {
        long bytes = ShardFile.BlockBytes
            + ShardFile.RoundUpToBlock(ManifestCodec.EncodedBytes(manifest));
        for (int stripe = 0; stripe < manifest.Stripes.Count; stripe++)
        {
            bytes += ShardFile.RecordBytes(manifest.Stripe(stripe).ShardBytes);
        }

        return bytes;
    }

    /// <summary>Positions whose device is here and holds the object's file.</summary>
    public static int ShardsAvailable(Manifest manifest, ObjectReader reader)
    {
        int available = 0;
        foreach (UInt128 device in manifest.Devices)
        {
            available += reader.Has(new DeviceId(new ObjectId(device))) ? 1 : 0;
        }

        return available;
    }

    /// <summary>
    /// The object's manifest, authenticated. All devices hold the same one, so the first genuine
    /// one is the answer; a damaged one is passed over.
    /// </summary>
    public static async ValueTask<Result<Manifest>> ReadManifestAsync(
        StorageService service, ObjectReader reader, ObjectId id)
    {
        bool rented = service.Pool.TryRent(out BufferLease lease);
        Invariant.Check(rented, "the pool has one slab for each manifest reader");
        try
        {
            Fault? fault = null;
            for (ulong left = reader.DeviceMask; left != 0; left &= left - 1)
            {
                int device = BitOperations.TrailingZeroCount(left);
                Result<byte[]> encoded = await reader.ReadManifestAsync(
                    device, service.Pool, lease);
                Result<Manifest> manifest = encoded.IsOk
                    ? ManifestCodec.Decode(encoded.Value, service.Keys)
                    : encoded.Fault;
                if (manifest.IsOk && manifest.Value.ObjectId == id)
                {
                    return manifest;
                }

                fault ??= manifest.Fault ?? new Fault(
                    FaultCode.Corrupt,
                    $"device {device} holds another object's manifest under {id}");
            }

            return fault ?? new Fault(
                FaultCode.Unavailable,
                $"no device holds object {id} any more",
                "bring the missing devices back; pangea status shows them");
        }
        finally
        {
            service.Pool.Return(lease);
        }
    }
}
