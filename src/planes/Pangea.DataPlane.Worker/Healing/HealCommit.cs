using System.Collections.Immutable;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Makes healed positions count: a commit entry on each one's device, then the catalog. An object
/// that was replaced or removed meanwhile stays so.
/// </summary>
internal static class HealCommit
{
    /// <summary>Positions whose shards are written and now get their commit entry.</summary>
    /// <param name="Position">Which.</param>
    /// <param name="Device">Where.</param>
    /// <param name="Extents">The frames; empty for a packed object.</param>
    /// <param name="Inline">The packed shard, else empty.</param>
    public readonly record struct Part(
        int Position, StorageDevice Device, ImmutableArray<Extent> Extents,
        ReadOnlyMemory<byte> Inline);

    /// <returns>Bit i: position i is durable and in the catalog.</returns>
    public static async ValueTask<Result<ulong>> RunAsync(
        StorageService service, ObjectEntry entry, byte[] manifest, IReadOnlyList<Part> parts)
    {
        long epoch = service.Commits.Enter();
        // Until the catalog knows the new entries, compaction would take them for garbage.
        bool isFirst = service.InFlight.Add(entry.Id);
        var appends = new ValueTask<Result<LogAddress>>[parts.Count];
        for (int i = 0; i < parts.Count; i++)
        {
            Part part = parts[i];
            var commit = new CommitEntry(
                entry.Id, part.Position, entry.DataShards, entry.ParityShards, entry.CreatedMs,
                entry.ExpiresMs, entry.TtlMs, part.Extents.AsMemory());
            appends[i] = part.Device.Log is { } log
                ? log.AppendCommitAsync(commit, manifest, part.Inline)
                : ValueTask.FromResult<Result<LogAddress>>(new Fault(
                    FaultCode.Unavailable, $"device {part.Device.Index} was taken out"));
        }

        ulong landed = 0;
        Fault? fault = null;
        var addresses = new LogAddress[parts.Count];
        for (int i = 0; i < parts.Count; i++)
        {
            Result<LogAddress> appended = await appends[i];
            if (appended.IsOk)
            {
                addresses[i] = appended.Value;
                landed |= 1UL << parts[i].Position;
            }
            else
            {
                fault = appended.Fault;
                parts[i].Device.Report(appended.Fault);
            }
        }

        bool isCurrent = Publish(service, entry, parts, addresses);
        if (isFirst)
        {
            service.InFlight.Remove(entry.Id);
        }

        service.Commits.Leave(epoch);
        if (!isCurrent)
        {
            await VoidAsync(parts, entry.Id, addresses);
            return new Fault(
                FaultCode.NotFound, "the object was replaced or removed while it was healed");
        }

        return landed == 0 && fault is not null ? fault : landed;
    }

    /// <summary>False where the version is not the name's current one any more.</summary>
    private static bool Publish(
        StorageService service, ObjectEntry healed, IReadOnlyList<Part> parts,
        LogAddress[] addresses)
    {
        if (service.Catalog.Find(healed.Name) is not { } current || current.Id != healed.Id)
        {
            return false;
        }

        ImmutableArray<ShardLocation>.Builder locations = current.Locations.ToBuilder();
        for (int i = 0; i < parts.Count; i++)
        {
            if (!addresses[i].IsNone)
            {
                int position = parts[i].Position;
                PositionSource old = service.Ordinals.SourceOf(current, position);
                old.Device?.Log?.Release(old.Commit);
                locations[position] = service.Ordinals.LocationOf(parts[i].Device, addresses[i]);
            }
        }

        service.Catalog.Set(current with { Locations = locations.ToImmutable() });
        return true;
    }

    /// <summary>
    /// The entries must not bring back what was removed, however long ago that will be.
    /// </summary>
    private static async ValueTask VoidAsync(
        IReadOnlyList<Part> parts, ObjectId id, LogAddress[] addresses)
    {
        for (int i = 0; i < parts.Count; i++)
        {
            if (!addresses[i].IsNone && parts[i].Device.Log is { } log)
            {
                _ = await log.AppendVoidAsync(id);
                log.Release(addresses[i]);
            }
        }
    }
}
