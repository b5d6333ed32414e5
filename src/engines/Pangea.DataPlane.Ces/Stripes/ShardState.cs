namespace Pangea.DataPlane.Ces;

/// <summary>
/// What is known about one shard of a stripe. The reader sets <see cref="Missing"/> or <see
/// cref="Read"/>; the codec turns <see cref="Read"/> into one of the states below it and takes <see
/// cref="Ok"/> at its word when it is called again with more shards.
/// </summary>
public enum ShardState : byte
{
    /// <summary>Not there: the device is gone, has no such record or could not be read.</summary>
    Missing = 0,

    /// <summary>Header and payload are in the buffers, not yet checked.</summary>
    Read,

    /// <summary>Checked and usable.</summary>
    Ok,

    /// <summary>The header's magic, checksum or reserved bytes are wrong.</summary>
    DamagedHeader,

    /// <summary>A whole header, but of another object, version, stripe or position.</summary>
    ForeignHeader,

    /// <summary>The header is right and the payload's checksum is not.</summary>
    DamagedPayload,

    /// <summary>Its checksums are right, but it contradicts the other shards: forged or
    /// replayed.</summary>
    Contradicting,
}
