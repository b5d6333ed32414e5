// HOT PATH: once per get of a small object; no allocation.

using System.Buffers.Binary;
using System.Text.Unicode;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <content>Reading the manifest of an object of at most one stripe as a value.</content>
public static partial class ManifestCodec
{
    /// <summary>
    /// Reads and authenticates, as <see cref="Decode"/>. Unsupported where the object has more than
    /// one stripe.
    /// </summary>
    public static Result<PackedManifest> DecodePacked(ReadOnlySpan<byte> encoded, KeyRing keys)
    {
        Result<int> whole = CheckWhole(encoded);
        if (!whole.IsOk)
        {
            return whole.Fault;
        }

        var objectId = ObjectId.Read(encoded[ObjectIdOffset..]);
        var keyId = KeyId.Read(encoded[KeyIdOffset..]);
        Result<MasterKey> key = keys.Find(keyId);
        if (!key.IsOk)
        {
            return key.Fault;
        }

        return IsGenuine(encoded, key.Value, objectId)
            ? ReadPacked(encoded, objectId, keyId)
            : Forged(objectId);
    }

    /// <summary>
    /// What a program with the key wrote can still be wrong; no length is trusted unchecked.
    /// </summary>
    private static Result<PackedManifest> ReadPacked(
        ReadOnlySpan<byte> encoded, ObjectId objectId, KeyId keyId)
    {
        int k = encoded[DataShardsOffset];
        int m = encoded[ParityShardsOffset];
        int nameBytes = BinaryPrimitives.ReadUInt16LittleEndian(encoded[NameBytesOffset..]);
        uint stripes = BinaryPrimitives.ReadUInt32LittleEndian(encoded[StripeCountOffset..]);
        if (stripes > 1)
        {
            return new Fault(FaultCode.Unsupported, $"{stripes} stripes are not packed");
        }

        int devicesEnd = FixedBytes + nameBytes + ((k + m) * DeviceIdBytes);
        int needed = devicesEnd + ((int)stripes * sizeof(uint)) + MacBytes + TrailerBytes;
        Result<StripeGeometry> geometry = ReadGeometry(encoded, k, m);
        long bytes = BinaryPrimitives.ReadInt64LittleEndian(encoded[BytesOffset..]);
        if (needed != encoded.Length || !geometry.IsOk || bytes < 0
            || geometry.Value.StripesFor(bytes) != stripes
            || !Utf8.IsValid(encoded.Slice(FixedBytes, nameBytes)))
        {
            return Malformed(geometry.Fault?.Message ?? "its parts do not fit together");
        }

        StripeInfo? stripe = null;
        if (stripes == 1)
        {
            uint entry = BinaryPrimitives.ReadUInt32LittleEndian(encoded[devicesEnd..]);
            if (!IsEntryPossible(entry, bytes))
            {
                return Malformed($"its stripe stores {entry & ~StripeTable.ZstdBit} bytes");
            }

            stripe = StripeTable.InfoOf(entry, 0, isLast: true, (int)bytes, geometry.Value);
        }

        return new PackedManifest(
            objectId, keyId, bytes, geometry.Value, stripe,
            ContentHash.Read(encoded[ContentHashOffset..]));
    }
}
