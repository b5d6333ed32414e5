namespace Pangea.DataPlane.Erasure;

/// <summary>
/// A shard anywhere in memory. The caller owns the memory and keeps it in place (pinned or
/// unmanaged) during the call; the length travels with it so that unequal shards are noticed.
/// </summary>
/// <param name="Address">Address of the first byte; any alignment.</param>
/// <param name="Bytes">Length, 0 or more.</param>
public readonly record struct ShardPointer(nint Address, int Bytes)
{
    // SAFETY: only keeps the address; who calls with it vouches for the memory.
    public unsafe ShardPointer(byte* address, int bytes)
        : this((nint)address, bytes)
    {
    }
}
