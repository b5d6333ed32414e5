using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog;

/// <summary>Where the commit entry of one position lies in a device's log.</summary>
/// <param name="Device">Ordinal of the device, see <see cref="ObjectCatalog.OrdinalOf"/>.</param>
/// <param name="Segment">Sequence number of the segment.</param>
/// <param name="Offset">In the segment, in bytes.</param>
/// <param name="Bytes">Length; 0 where the position is nowhere.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ShardLocation(byte Device, uint Segment, uint Offset, uint Bytes)
{
    public static ShardLocation None => default;

    public bool IsNone => Bytes == 0;
}

/// <summary>How an object was used.</summary>
/// <param name="Gets">Downloads.</param>
/// <param name="GetBytes">Bytes they handed out.</param>
/// <param name="LastGetMs">Time of the last one, milliseconds since 1970; 0: never.</param>
public readonly record struct ObjectStatistics(long Gets, long GetBytes, long LastGetMs)
{
    /// <summary>Both together.</summary>
    public ObjectStatistics Plus(ObjectStatistics other) => new(
        Gets + other.Gets, GetBytes + other.GetBytes, Math.Max(LastGetMs, other.LastGetMs));

    /// <summary>The later state of the same object: counts never go back.</summary>
    public ObjectStatistics Max(ObjectStatistics other) => new(
        Math.Max(Gets, other.Gets),
        Math.Max(GetBytes, other.GetBytes),
        Math.Max(LastGetMs, other.LastGetMs));
}

/// <summary>
/// What the catalog knows of one object: enough to list it and to find its shards.
/// </summary>
/// <param name="Name">The object's name.</param>
/// <param name="Id">This version's identity.</param>
/// <param name="CreatedMs">Milliseconds since 1970-01-01 UTC. Of two versions of one name the later
/// is the truth; the writer makes it strictly greater than its predecessor's, whatever the clock
/// did in between.</param>
/// <param name="Bytes">Length of the content.</param>
/// <param name="StoredBytes">What all its shards occupy on the devices, headers and padding
/// included.</param>
/// <param name="DataShards">k: how many positions suffice to restore it.</param>
/// <param name="ParityShards">m.</param>
/// <param name="ExpiresMs">When it may go, milliseconds since 1970; 0: never.</param>
/// <param name="TtlMs">By how much a download moves <paramref name="ExpiresMs"/>; 0: not.</param>
/// <param name="Statistics">As of the last checkpoint; <see cref="ObjectCatalog.StatisticsOf"/>
/// has what was noted since.</param>
/// <param name="Locations">By position, 0 to k + m - 1.</param>
public sealed record ObjectEntry(
    ObjectName Name,
    ObjectId Id,
    long CreatedMs,
    long Bytes,
    long StoredBytes,
    byte DataShards,
    byte ParityShards,
    long ExpiresMs,
    long TtlMs,
    ObjectStatistics Statistics,
    ImmutableArray<ShardLocation> Locations);
