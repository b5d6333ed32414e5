using System.Buffers.Binary;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The 128 bytes in front of every shard payload (decision A9); integers are little-endian. Bytes
/// 0..63 with the shard index set to zero are the additional authenticated data of the stripe, so a
/// header cannot be changed without being found out. docs/shard-format.md, section 4, is the
/// specification.
/// </summary>
internal static class ShardHeader
{
    public const int Bytes = 128;

    /// <summary>The part that all shards of a stripe share (but for the shard index): the
    /// AAD.</summary>
    public const int IdentityBytes = 64;

    public const ushort FormatVersion = 1;
    public const byte FlagLast = 1;

    private const int VersionOffset = 8;
    private const int DataShardsOffset = 10;
    private const int ParityShardsOffset = 11;
    private const int ShardIndexOffset = 12;
    private const int CompressionOffset = 13;
    private const int FlagsOffset = 14;
    private const int ObjectIdOffset = 16;
    private const int KeyIdOffset = 32;
    private const int StripeIndexOffset = 40;
    private const int StripeBytesOffset = 48;
    private const int PlainBytesOffset = 52;
    private const int StoredBytesOffset = 56;
    private const int ShardBytesOffset = 60;
    private const int TagOffset = IdentityBytes;
    private const int ReservedOffset = TagOffset + ObjectCipher.TagBytes;
    private const int PayloadCrcOffset = 120;
    private const int HeaderCrcOffset = 124;

    private static ReadOnlySpan<byte> Magic => "PGSHARD1"u8;

    /// <summary>Writes bytes 0..63 with shard index 0: the AAD, and the start of every
    /// header.</summary>
    public static void WriteIdentity(
        Span<byte> identity,
        ObjectId objectId,
        KeyId keyId,
        in StripeGeometry geometry,
        in StripeInfo stripe)
    {
        identity = identity[..IdentityBytes];
        identity.Clear();
        Magic.CopyTo(identity);
        BinaryPrimitives.WriteUInt16LittleEndian(identity[VersionOffset..], FormatVersion);
        identity[DataShardsOffset] = (byte)geometry.Redundancy.DataShards;
        identity[ParityShardsOffset] = (byte)geometry.Redundancy.ParityShards;
        identity[CompressionOffset] = (byte)stripe.Compression;
        identity[FlagsOffset] = stripe.IsLast ? FlagLast : (byte)0;
        objectId.Write(identity[ObjectIdOffset..]);
        keyId.Write(identity[KeyIdOffset..]);
        BinaryPrimitives.WriteUInt64LittleEndian(identity[StripeIndexOffset..], stripe.StripeIndex);
        BinaryPrimitives.WriteInt32LittleEndian(
            identity[StripeBytesOffset..], geometry.StripeBytes);
        BinaryPrimitives.WriteInt32LittleEndian(identity[PlainBytesOffset..], stripe.PlainBytes);
        BinaryPrimitives.WriteInt32LittleEndian(identity[StoredBytesOffset..], stripe.StoredBytes);
        BinaryPrimitives.WriteInt32LittleEndian(identity[ShardBytesOffset..], stripe.ShardBytes);
    }

    public static void Write(
        Span<byte> header,
        ReadOnlySpan<byte> identity,
        int shardIndex,
        ReadOnlySpan<byte> tag,
        uint payloadCrc)
    {
        header = header[..Bytes];
        identity[..IdentityBytes].CopyTo(header);
        header[ShardIndexOffset] = (byte)shardIndex;
        tag[..ObjectCipher.TagBytes].CopyTo(header[TagOffset..]);
        header[ReservedOffset..PayloadCrcOffset].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header[PayloadCrcOffset..], payloadCrc);
        BinaryPrimitives.WriteUInt32LittleEndian(
            header[HeaderCrcOffset..], Crc32C.Compute(header[..HeaderCrcOffset]));
    }

    public static ReadOnlySpan<byte> Tag(ReadOnlySpan<byte> header) =>
        header.Slice(TagOffset, ObjectCipher.TagBytes);

    public static uint PayloadCrc(ReadOnlySpan<byte> header) =>
        BinaryPrimitives.ReadUInt32LittleEndian(header[PayloadCrcOffset..]);

    /// <summary>Judges a header that should be shard <paramref name="shardIndex"/> of that
    /// stripe.</summary>
    public static ShardState Check(
        ReadOnlySpan<byte> header, ReadOnlySpan<byte> identity, int shardIndex)
    {
        header = header[..Bytes];
        if (!IsWhole(header))
        {
            return ShardState.DamagedHeader;
        }

        bool same = header[..ShardIndexOffset].SequenceEqual(identity[..ShardIndexOffset])
            && header[ShardIndexOffset] == shardIndex
            && header[(ShardIndexOffset + 1)..IdentityBytes]
                .SequenceEqual(identity[(ShardIndexOffset + 1)..IdentityBytes]);
        return same ? ShardState.Ok : ShardState.ForeignHeader;
    }

    /// <summary>The index of a whole header of that object; -1 for anything else.</summary>
    public static int IndexOf(ReadOnlySpan<byte> header, ObjectId objectId) =>
        header.Length >= Bytes && IsWhole(header[..Bytes])
        && ObjectId.Read(header[ObjectIdOffset..]) == objectId
            ? header[ShardIndexOffset]
            : -1;

    private static bool IsWhole(ReadOnlySpan<byte> header) =>
        header[..Magic.Length].SequenceEqual(Magic)
        && BinaryPrimitives.ReadUInt32LittleEndian(header[HeaderCrcOffset..])
            == Crc32C.Compute(header[..HeaderCrcOffset])
        && !header[ReservedOffset..PayloadCrcOffset].ContainsAnyExcept((byte)0);
}
