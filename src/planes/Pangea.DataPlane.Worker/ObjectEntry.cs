using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What the catalog knows of one object: enough to list it and to find its shards.
/// </summary>
/// <param name="Name">The object's name.</param>
/// <param name="Id">This version's identity.</param>
/// <param name="CreatedMs"> Milliseconds since 1970-01-01 UTC. Of two versions of one name the
/// later is the truth; the writer makes it strictly greater than its predecessor's, whatever the
/// clock did in between. </param>
/// <param name="Bytes">Length of the content.</param>
/// <param name="StoredBytes">What all its shards occupy on the devices, headers and padding
/// included.</param>
/// <param name="DataShards">k: how many devices suffice to restore it.</param>
/// <param name="DeviceMask">Bit i: device i holds its shard file.</param>
public sealed record ObjectEntry(
    ObjectName Name,
    ObjectId Id,
    long CreatedMs,
    long Bytes,
    long StoredBytes,
    int DataShards,
    ulong DeviceMask);
