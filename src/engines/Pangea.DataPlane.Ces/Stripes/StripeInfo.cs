namespace Pangea.DataPlane.Ces;

/// <summary>What was done to the bytes of a stripe before sealing; the value is part of the
/// format.</summary>
public enum StripeCompression : byte
{
    /// <summary>Stored as they were.</summary>
    Raw = 0,

    /// <summary>One zstd frame (RFC 8878).</summary>
    Zstd = 1,
}

/// <summary>One stripe of an object: what a reader must know to read and check its
/// shards.</summary>
/// <param name="StripeIndex">Position in the object, from 0.</param>
/// <param name="IsLast">True for the last stripe of the object; bound by the
/// authentication.</param>
/// <param name="PlainBytes">Bytes of the object in this stripe.</param>
/// <param name="StoredBytes">Bytes after compression, without padding; sealing does not change
/// it.</param>
/// <param name="ShardBytes">Payload bytes of each shard, padding included.</param>
/// <param name="Compression">How <paramref name="StoredBytes"/> become <paramref
/// name="PlainBytes"/>.</param>
public readonly record struct StripeInfo(
    ulong StripeIndex,
    bool IsLast,
    int PlainBytes,
    int StoredBytes,
    int ShardBytes,
    StripeCompression Compression);
