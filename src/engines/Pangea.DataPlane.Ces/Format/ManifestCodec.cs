using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The bytes of a manifest: fixed part, name, device ids, stripe table, HMAC-SHA256 under the
/// object's manifest key, length, CRC32C; integers are little-endian. docs/shard-format.md, section
/// 6, is the specification. Reading trusts no length before it is checked against the bytes that
/// are there.
/// </summary>
public static partial class ManifestCodec
{
    /// <summary>
    /// The trailer behind every manifest: its length (4) and CRC32C (4), so that a reader that
    /// knows where a manifest ends finds where it starts.
    /// </summary>
    public const int TrailerBytes = 8;

    /// <summary>The longest manifest: a full stripe table, about 16 MiB.</summary>
    public const int BytesMax = FixedBytes + Limits.ObjectNameBytesMax
        + (Limits.ShardsMax * DeviceIdBytes) + (Limits.StripesPerObjectMax * sizeof(uint))
        + MacBytes + TrailerBytes;

    internal const int FixedBytes = 112;
    internal const int MacBytes = 32;

    private const ushort FormatVersion = 1;
    private const int HeaderStrideMax = 64 * 1024;
    private const int DeviceIdBytes = 16;

    private const int VersionOffset = 8;
    private const int DataShardsOffset = 10;
    private const int ParityShardsOffset = 11;
    private const int FileTypeOffset = 12;
    private const int ReservedOffset = 13;
    private const int NameBytesOffset = 14;
    private const int ObjectIdOffset = 16;
    private const int KeyIdOffset = 32;
    private const int CreatedOffset = 40;
    private const int BytesOffset = 48;
    private const int StripeBytesOffset = 56;
    private const int ShardAlignmentOffset = 60;
    private const int HeaderStrideOffset = 64;
    private const int StripeCountOffset = 68;
    private const int ContentHashOffset = 72;
    private const int Reserved2Offset = ContentHashOffset + Manifest.ContentHashBytes;

    private static ReadOnlySpan<byte> Magic => "PGMANIF1"u8;

    /// <summary>Bytes that <see cref="Write"/> will make.</summary>
    public static int EncodedBytes(in ManifestParts parts) =>
        FixedBytes + Encoding.UTF8.GetByteCount(parts.Name.Text)
        + (parts.Devices.Length * DeviceIdBytes) + (parts.StripeCount * sizeof(uint))
        + MacBytes + TrailerBytes;

    /// <summary>Writes and authenticates; <paramref name="key"/> is the one the manifest
    /// names.</summary>
    public static byte[] Encode(Manifest manifest, MasterKey key)
    {
        Invariant.Check(key.Id == manifest.KeyId);
        var parts = new ManifestParts
        {
            Name = manifest.Name,
            ObjectId = manifest.ObjectId,
            CreatedMs = manifest.Created.ToUnixTimeMilliseconds(),
            Bytes = manifest.Bytes,
            ContentHash = manifest.ContentHash.AsSpan(),
            Geometry = manifest.Geometry,
            HeaderStride = manifest.HeaderStride,
            FileType = manifest.FileType,
            Stripes = manifest.Stripes,
            Devices = manifest.Devices.AsSpan(),
        };
        byte[] encoded = new byte[EncodedBytes(parts)];
        _ = Write(parts, key, encoded);
        return encoded;
    }

    /// <summary>Writes and authenticates the manifest of an object that the key seals.</summary>
    /// <param name="parts">What it says.</param>
    /// <param name="key">The object's key; the manifest names it.</param>
    /// <param name="destination">At least <see cref="EncodedBytes"/> long.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(in ManifestParts parts, MasterKey key, Span<byte> destination)
    {
        Invariant.Check(parts.Devices.Length == parts.Geometry.Redundancy.TotalShards);
        Invariant.Check(parts.ContentHash.Length == Manifest.ContentHashBytes);
        Invariant.Check(parts.StripeCount == parts.Geometry.StripesFor(parts.Bytes));

        Span<byte> encoded = destination[..EncodedBytes(parts)];
        int nameBytes = Encoding.UTF8.GetBytes(parts.Name.Text, encoded[FixedBytes..]);
        WriteFixed(encoded[..FixedBytes], parts, key.Id, nameBytes);
        int position = FixedBytes + nameBytes;
        foreach (UInt128 device in parts.Devices)
        {
            BinaryPrimitives.WriteUInt128BigEndian(encoded[position..], device);
            position += DeviceIdBytes;
        }

        uint only = parts.OnlyStripe is { } stripe ? StripeTable.EntryOf(stripe) : 0;
        ReadOnlySpan<uint> entries =
            parts.Stripes is { } table ? table.Entries : new(ref only);
        foreach (uint entry in entries[..parts.StripeCount])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(encoded[position..], entry);
            position += sizeof(uint);
        }

        ComputeMac(key, parts.ObjectId, encoded[..position], encoded.Slice(position, MacBytes));
        position += MacBytes;
        BinaryPrimitives.WriteInt32LittleEndian(encoded[position..], encoded.Length);
        position += sizeof(int);
        BinaryPrimitives.WriteUInt32LittleEndian(
            encoded[position..], Crc32C.Compute(encoded[..position]));
        return encoded.Length;
    }

    /// <summary>
    /// Reads and authenticates. Faults: Corrupt (malformed or forged), Denied (its key is not in
    /// the ring).
    /// </summary>
    public static Result<Manifest> Decode(ReadOnlySpan<byte> encoded, KeyRing keys)
    {
        Result<Manifest> manifest = DecodeUnauthenticated(encoded);
        if (!manifest.IsOk)
        {
            return manifest;
        }

        Result<MasterKey> key = keys.Find(manifest.Value.KeyId);
        if (!key.IsOk)
        {
            return key.Fault;
        }

        return IsGenuine(encoded, key.Value, manifest.Value.ObjectId)
            ? manifest
            : Forged(manifest.Value.ObjectId);
    }

    /// <summary>
    /// Reads with the checksum alone: for healing, which has no key. What it says may be forged;
    /// only ciphertext may be handled by it.
    /// </summary>
    public static Result<Manifest> DecodeUnauthenticated(ReadOnlySpan<byte> encoded)
    {
        Result<int> whole = CheckWhole(encoded);
        if (!whole.IsOk)
        {
            return whole.Fault;
        }

        int k = encoded[DataShardsOffset];
        int m = encoded[ParityShardsOffset];
        int nameBytes = BinaryPrimitives.ReadUInt16LittleEndian(encoded[NameBytesOffset..]);
        uint stripeCount = BinaryPrimitives.ReadUInt32LittleEndian(encoded[StripeCountOffset..]);
        long needed = FixedBytes + nameBytes + ((k + m) * (long)DeviceIdBytes)
            + (stripeCount * (long)sizeof(uint)) + MacBytes + TrailerBytes;
        if (needed != encoded.Length)
        {
            return Malformed($"its parts add up to {needed} bytes and not to {encoded.Length}");
        }

        Result<StripeGeometry> geometry = ReadGeometry(encoded, k, m);
        Result<ObjectName> name = ReadName(encoded.Slice(FixedBytes, nameBytes));
        long bytes = BinaryPrimitives.ReadInt64LittleEndian(encoded[BytesOffset..]);
        int headerStride = BinaryPrimitives.ReadInt32LittleEndian(encoded[HeaderStrideOffset..]);
        long created = BinaryPrimitives.ReadInt64LittleEndian(encoded[CreatedOffset..]);
        if (!geometry.IsOk || !name.IsOk)
        {
            return Malformed((geometry.Fault ?? name.Fault)!.Message);
        }

        if (bytes < 0 || stripeCount != geometry.Value.StripesFor(bytes)
            || headerStride is < ShardHeader.Bytes or > HeaderStrideMax
            || created < 0 || created > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return Malformed(
                $"size {bytes}, {stripeCount} stripes, header stride {headerStride} or "
                    + $"time {created} is out of range");
        }

        ReadOnlySpan<byte> devices = encoded.Slice(FixedBytes + nameBytes, (k + m) * DeviceIdBytes);
        ReadOnlySpan<byte> entries = encoded[(FixedBytes + nameBytes + devices.Length)..];
        Result<StripeTable> stripes = ReadStripes(entries, (int)stripeCount, geometry.Value, bytes);
        if (!stripes.IsOk)
        {
            return stripes.Fault;
        }

        return new Manifest
        {
            Name = name.Value,
            ObjectId = ObjectId.Read(encoded[ObjectIdOffset..]),
            KeyId = KeyId.Read(encoded[KeyIdOffset..]),
            Created = DateTimeOffset.FromUnixTimeMilliseconds(created),
            Bytes = bytes,
            ContentHash = [.. encoded.Slice(ContentHashOffset, Manifest.ContentHashBytes)],
            Geometry = geometry.Value,
            HeaderStride = headerStride,
            FileType = (FileType)encoded[FileTypeOffset],
            Stripes = stripes.Value,
            Devices = ReadDevices(devices),
        };
    }

    private static void WriteFixed(
        Span<byte> target, in ManifestParts parts, KeyId key, int nameBytes)
    {
        target.Clear();
        Magic.CopyTo(target);
        StripeGeometry geometry = parts.Geometry;
        BinaryPrimitives.WriteUInt16LittleEndian(target[VersionOffset..], FormatVersion);
        target[DataShardsOffset] = (byte)geometry.Redundancy.DataShards;
        target[ParityShardsOffset] = (byte)geometry.Redundancy.ParityShards;
        target[FileTypeOffset] = (byte)parts.FileType;
        BinaryPrimitives.WriteUInt16LittleEndian(target[NameBytesOffset..], (ushort)nameBytes);
        parts.ObjectId.Write(target[ObjectIdOffset..]);
        key.Write(target[KeyIdOffset..]);
        BinaryPrimitives.WriteInt64LittleEndian(target[CreatedOffset..], parts.CreatedMs);
        BinaryPrimitives.WriteInt64LittleEndian(target[BytesOffset..], parts.Bytes);
        BinaryPrimitives.WriteInt32LittleEndian(target[StripeBytesOffset..], geometry.StripeBytes);
        BinaryPrimitives.WriteInt32LittleEndian(
            target[ShardAlignmentOffset..], geometry.ShardAlignment);
        BinaryPrimitives.WriteInt32LittleEndian(target[HeaderStrideOffset..], parts.HeaderStride);
        BinaryPrimitives.WriteInt32LittleEndian(target[StripeCountOffset..], parts.StripeCount);
        parts.ContentHash.CopyTo(target[ContentHashOffset..]);
    }

    /// <summary>Magic, version, length and checksum: after this the bytes are as they were
    /// written.</summary>
    private static Result<int> CheckWhole(ReadOnlySpan<byte> encoded)
    {
        if (encoded.Length < FixedBytes + MacBytes + TrailerBytes || encoded.Length > BytesMax)
        {
            return Malformed($"{encoded.Length} bytes cannot be a manifest");
        }

        if (!encoded.StartsWith(Magic))
        {
            return Malformed("the magic bytes are missing");
        }

        ReadOnlySpan<byte> trailer = encoded[^TrailerBytes..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != (uint)encoded.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(trailer[sizeof(uint)..])
                != Crc32C.Compute(encoded[..^sizeof(uint)]))
        {
            return Malformed("its length or checksum is wrong");
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(encoded[VersionOffset..]);
        if (version != FormatVersion || encoded[ReservedOffset] != 0
            || encoded[Reserved2Offset..FixedBytes].ContainsAnyExcept((byte)0))
        {
            return new Fault(
                FaultCode.Unsupported,
                $"the manifest has format version {version}, this program reads {FormatVersion}",
                "use a newer version of pangea");
        }

        return encoded.Length;
    }

    private static Result<StripeGeometry> ReadGeometry(ReadOnlySpan<byte> encoded, int k, int m)
    {
        Result<Redundancy> redundancy = Redundancy.Create(k, m);
        return redundancy.IsOk
            ? StripeGeometry.Create(
                redundancy.Value,
                BinaryPrimitives.ReadInt32LittleEndian(encoded[StripeBytesOffset..]),
                BinaryPrimitives.ReadInt32LittleEndian(encoded[ShardAlignmentOffset..]))
            : redundancy.Fault;
    }

    private static Result<ObjectName> ReadName(ReadOnlySpan<byte> utf8)
    {
        // A replacement character in place of bad bytes would give two names to one object.
        return System.Text.Unicode.Utf8.IsValid(utf8)
            ? ObjectName.Parse(Encoding.UTF8.GetString(utf8))
            : Malformed("its name is not UTF-8");
    }

    private static Result<StripeTable> ReadStripes(
        ReadOnlySpan<byte> source, int count, in StripeGeometry geometry, long bytes)
    {
        var entries = new List<uint>(count);
        var table = new StripeTable(entries);
        for (int i = 0; i < count; i++)
        {
            uint entry = BinaryPrimitives.ReadUInt32LittleEndian(source[(i * sizeof(uint))..]);
            long plain = Math.Min(geometry.StripeBytes, bytes - ((long)i * geometry.StripeBytes));
            if (!IsEntryPossible(entry, plain))
            {
                return Malformed(
                    $"stripe {i} stores {entry & ~StripeTable.ZstdBit} bytes for {plain}");
            }

            table.AddEntry(entry);
        }

        return table;
    }

    private static bool IsEntryPossible(uint entry, long plainBytes)
    {
        long stored = entry & ~StripeTable.ZstdBit;
        return (entry & StripeTable.ZstdBit) != 0
            ? stored >= 1 && stored < plainBytes
            : stored == plainBytes;
    }

    private static ImmutableArray<UInt128> ReadDevices(ReadOnlySpan<byte> source)
    {
        ImmutableArray<UInt128>.Builder devices =
            ImmutableArray.CreateBuilder<UInt128>(source.Length / DeviceIdBytes);
        for (int i = 0; i < source.Length; i += DeviceIdBytes)
        {
            devices.Add(BinaryPrimitives.ReadUInt128BigEndian(source[i..]));
        }

        return devices.MoveToImmutable();
    }

    private static bool IsGenuine(
        ReadOnlySpan<byte> encoded, MasterKey key, ObjectId objectId)
    {
        int macOffset = encoded.Length - TrailerBytes - MacBytes;
        Span<byte> mac = stackalloc byte[MacBytes];
        ComputeMac(key, objectId, encoded[..macOffset], mac);
        return CryptographicOperations.FixedTimeEquals(mac, encoded.Slice(macOffset, MacBytes));
    }

    private static void ComputeMac(
        MasterKey key, ObjectId objectId, ReadOnlySpan<byte> authenticated, Span<byte> mac)
    {
        Span<byte> manifestKey = stackalloc byte[MasterKey.Bytes];
        KeyDerivation.ManifestKey(key, objectId, manifestKey);
        HmacSha256.Compute(manifestKey, authenticated, mac);
        CryptographicOperations.ZeroMemory(manifestKey);
    }

    private static Fault Forged(ObjectId objectId) =>
        Malformed($"that of object {objectId} fails its authentication");

    private static Fault Malformed(string what) =>
        new(
            FaultCode.Corrupt,
            $"not a valid manifest: {what}",
            "the other devices of the object have the same manifest");
}
