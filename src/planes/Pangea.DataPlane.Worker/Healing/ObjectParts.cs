using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The commit entries of one object and the manifest that they agree on: what healing and scrubbing
/// know before they look at shards.
/// </summary>
internal sealed class ObjectParts
{
    private ObjectParts(CommitRecord?[] records, Manifest manifest, byte[] encoded, MasterKey? key)
    {
        Records = records;
        Manifest = manifest;
        Encoded = encoded;
        Key = key;
    }

    /// <summary>By position; null where there is none, or none that is whole.</summary>
    public CommitRecord?[] Records { get; }

    public Manifest Manifest { get; }

    /// <summary>The manifest's bytes, for further commit entries.</summary>
    public byte[] Encoded { get; }

    /// <summary>
    /// Null where the key is not here: shards can be healed without it.
    /// </summary>
    public MasterKey? Key { get; }

    /// <summary>
    /// Reads the entries of the positions asked for, until enough are there. Fails where no
    /// manifest can be believed.
    /// </summary>
    /// <param name="plan">Notes positions whose entry is damaged.</param>
    /// <param name="healing">Whose.</param>
    /// <param name="scratch">A slab to read through.</param>
    /// <param name="wanted">Positions to read, good ones first.</param>
    /// <param name="enough">Whole entries to stop at.</param>
    public static async ValueTask<Result<ObjectParts>> ReadAsync(
        HealPlan plan, Healing healing, BufferLease scratch, ulong wanted, int enough)
    {
        var records = new CommitRecord?[plan.Positions];
        ulong damaged = 0;
        int whole = 0;
        for (int turn = 0; turn < 2; turn++)
        {
            // Good ones first: a damaged shard often lies beside a damaged entry.
            ulong now = wanted & plan.Here & (turn == 0 ? ~plan.Bad : plan.Bad);
            for (int position = 0; position < records.Length && whole < enough; position++)
            {
                if ((now & (1UL << position)) == 0)
                {
                    continue;
                }

                PositionSource source = plan.SourceOf(position);
                if (source.Device?.Log is not { } log)
                {
                    continue; // Taken out since.
                }

                Result<CommitRecord> record = await log.ReadCommitAsync(
                    source.Commit, scratch, healing.Service.Pool);
                bool isOurs = record.IsOk && record.Value.Entry.Id == plan.Entry.Id
                    && record.Value.Entry.Position == position;
                records[position] = isOurs ? record.Value : null;
                damaged |= isOurs ? 0 : 1UL << position;
                whole += isOurs ? 1 : 0;
            }
        }

        return Agree(plan, healing, records, damaged);
    }

    private static Result<ObjectParts> Agree(
        HealPlan plan, Healing healing, CommitRecord?[] records, ulong damaged)
    {
        KeyRing keys = healing.Service.Keys;
        byte[]? encoded = null;
        Result<Manifest> manifest = new Fault(
            FaultCode.Unavailable, "no commit entry of the object could be read");
        foreach (CommitRecord? record in records)
        {
            if (record is null || (encoded is not null && manifest.IsOk))
            {
                continue;
            }

            Result<Manifest> read = ManifestCodec.Decode(record.Manifest, keys);
            if (read.IsOk)
            {
                (encoded, manifest) = (record.Manifest, read);
            }
        }

        encoded ??= MostOften(records);
        if (encoded is not null && !manifest.IsOk)
        {
            // Without the key: what most devices say.
            manifest = ManifestCodec.DecodeUnauthenticated(encoded);
        }

        for (int position = 0; position < records.Length && encoded is not null; position++)
        {
            if (records[position] is { } record && !record.Manifest.AsSpan().SequenceEqual(encoded))
            {
                records[position] = null;
                damaged |= 1UL << position;
            }
        }

        if (damaged != 0)
        {
            plan.AddBad(healing, damaged);
        }

        if (!manifest.IsOk)
        {
            return manifest.Fault;
        }

        Result<MasterKey> key = keys.Find(manifest.Value.KeyId);
        return manifest.Value.ObjectId == plan.Entry.Id
            && manifest.Value.Geometry.Redundancy.TotalShards == plan.Positions
            && manifest.Value.Geometry.Redundancy.DataShards == plan.DataShards
                ? new ObjectParts(
                    records, manifest.Value, encoded!, key.IsOk ? key.Value : null)
                : new Fault(
                    FaultCode.Corrupt, $"the manifest of object {plan.Entry.Id} is another one's");
    }

    private static byte[]? MostOften(CommitRecord?[] records) => records
        .Where(record => record is not null)
        .GroupBy(record => Convert.ToHexString(record!.Manifest))
        .OrderByDescending(group => group.Count())
        .FirstOrDefault()?.First()!.Manifest;
}
