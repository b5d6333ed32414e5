namespace Pangea.DataPlane.Erasure;

/// <summary>How a reconstruction ended. Misuse of the interface throws instead.</summary>
public enum ErasureStatus
{
    /// <summary>Every wanted shard has been written.</summary>
    Ok,

    /// <summary>Fewer than k shards are present; nothing has been written.</summary>
    TooFewShards,
}
