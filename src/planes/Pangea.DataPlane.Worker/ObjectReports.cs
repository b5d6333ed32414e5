using System.Text.Json;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using CatalogEntry = Pangea.DataPlane.Catalog.ObjectEntry;
using DeviceState = Pangea.DataPlane.Control.Schema.DeviceState;
using ShardState = Pangea.DataPlane.Control.Schema.ShardState;

namespace Pangea.DataPlane.Worker;

/// <summary>Answers to the calls that move no content: what there is, and where.</summary>
internal static class ObjectReports
{
    public static Result<ObjectListResult> List(StorageService service, ObjectListParameters call)
    {
        if (call.Limit is < 1 or > Limits.ListPageMax)
        {
            return Fault.InvalidParameter(
                "limit", $"a page has 1 to {Limits.ListPageMax} entries, not {call.Limit}");
        }

        var page = new ObjectListPage(call.Limit);
        int limit = call.Limit ?? Limits.ListPageMax;
        List<CatalogEntry> entries = service.Catalog.List(
            call.Prefix ?? string.Empty, call.After, limit, out bool more);
        foreach (CatalogEntry entry in entries)
        {
            bool added = page.TryAdd(new Control.Schema.ObjectEntry
            {
                Name = entry.Name.Text,
                Id = entry.Id.ToString(),
                Bytes = entry.Bytes,
                StoredBytes = entry.StoredBytes,
                Created = CreatedOf(entry.CreatedMs),
                Expires = TimeOf(entry.ExpiresMs),
            });
            if (!added)
            {
                return page.Build();
            }
        }

        ObjectListResult result = page.Build();
        return more ? result with { Next = entries[^1].Name.Text } : result;
    }

    public static async ValueTask<Result<ObjectRemoveResult>> RemoveAsync(
        StorageService service, ObjectNameParameters call)
    {
        Result<ObjectName> name = ObjectName.Parse(call.Name);
        Result<CatalogEntry> removed =
            name.IsOk ? await ObjectRemoval.RunAsync(service, name.Value) : name.Fault;
        return removed.IsOk
            ? new ObjectRemoveResult
            {
                Name = removed.Value.Name.Text,
                Id = removed.Value.Id.ToString(),
                Bytes = removed.Value.Bytes,
            }
            : removed.Fault;
    }

    public static async ValueTask<Result<ObjectStatResult>> StatAsync(
        StorageService service, ObjectNameParameters call)
    {
        Result<ObjectName> name = ObjectName.Parse(call.Name);
        if (!name.IsOk)
        {
            return name.Fault;
        }

        if (service.Versions.Find(name.Value) is not { } entry)
        {
            return ObjectVersions.NameUnknown(name.Value);
        }

        service.RefreshDevices();
        PositionSource[] sources = service.Ordinals.SourcesOf(entry);
        Result<ObjectSource> opened = await ObjectLocator.OpenAnyAsync(
            service, entry, [.. sources]);
        return opened.IsOk
            ? Describe(service, entry, opened.Value.Manifest, sources)
            : opened.Fault;
    }

    public static Result<StorageStatusResult> Status(StorageService service)
    {
        var devices = new List<DeviceStatus>(service.Devices.All.Count);
        foreach (StorageDevice device in service.Devices.All)
        {
            device.Refresh();
            Linux.FileSystemSpace? space = device.Space();
            devices.Add(new DeviceStatus
            {
                Index = device.Index,
                Path = device.Path,
                State = StateOf(device.State),
                Id = device.Id == default ? null : device.Id.ToString(),
                FreeBytes = space?.FreeBytes,
                TotalBytes = space?.TotalBytes,
                DirectIo = device.State == Storage.DeviceState.Missing ? null : device.UsesDirectIo,
                Reason = device.Reason,
                Kind = KindOf(device),
                Segments = device.Log?.Segments.Count,
                LiveBytes = device.Log?.LiveBytes,
                GarbageBytes = device.Log is { } log ? log.Bytes - log.LiveBytes : null,
                Draining = device.IsDraining ? true : null,
                Healing = HealReports.Device(service.Heal, device),
            });
        }

        return new StorageStatusResult
        {
            Durability = service.Settings.IsDurableOnAll ? "all" : "quorum",
            Catalog = new CatalogStatus
            {
                Bytes = service.Catalog.FileBytes,
                CheckpointAgeSeconds = service.Checkpoints.AgeSeconds,
                ChangesPending = service.Catalog.PendingChanges,
                Reason = service.Checkpoints.Reason,
            },
            Objects = service.Catalog.Count,
            ObjectBytes = service.Catalog.Bytes,
            StoredBytes = service.Catalog.StoredBytes,
            Devices = devices,
        };
    }

    private static ObjectStatResult Describe(
        StorageService service, CatalogEntry entry, Manifest manifest, PositionSource[] sources)
    {
        var devices = new List<ObjectDevice>();
        for (int position = 0; position < sources.Length; position++)
        {
            StorageDevice? device = sources[position].Device ?? service.Devices.Find(
                new DeviceId(new ObjectId(manifest.Devices[position])));
            devices.Add(new ObjectDevice
            {
                Index = device?.Index ?? -1,
                State = sources[position].IsHere ? ShardState.Ok : ShardState.Missing,
                Position = position,
                Path = device?.Path,
            });
        }

        int available = sources.Count(source => source.IsHere);
        ObjectStatistics use = service.Catalog.StatisticsOf(entry);
        return new ObjectStatResult
        {
            Name = manifest.Name.Text,
            Id = manifest.ObjectId.ToString(),
            Bytes = manifest.Bytes,
            StoredBytes = entry.StoredBytes,
            Created = CreatedOf(entry.CreatedMs),
            Sha256 = Convert.ToHexStringLower(manifest.ContentHash.AsSpan()),
            Stripes = manifest.Stripes.Count,
            StripeBytes = manifest.Geometry.StripeBytes,
            Redundancy = RedundancyRecord.From(manifest.Geometry.Redundancy),
            FileType = JsonNamingPolicy.CamelCase.ConvertName(manifest.FileType.ToString()),
            KeyId = manifest.KeyId.ToString(),
            Devices = devices,
            ShardsAvailable = available,
            Restorable = available >= manifest.Geometry.Redundancy.DataShards,
            Expires = TimeOf(entry.ExpiresMs),
            TtlSeconds = entry.TtlMs == 0 ? null : entry.TtlMs / 1000,
            Statistics = new ObjectUse
            {
                Gets = use.Gets,
                BytesServed = use.GetBytes,
                LastGet = TimeOf(use.LastGetMs),
            },
        };
    }

    /// <summary>A time of the catalog; null for 0, which means none.</summary>
    public static DateTime? TimeOf(long ms) => ms == 0 ? null : CreatedOf(ms);

    private static DeviceKind? KindOf(StorageDevice device) => !device.IsOpen
        ? null
        : device.IsBlockDevice ? DeviceKind.Block : DeviceKind.Directory;

    private static DateTime CreatedOf(long createdMs) =>
        DateTimeOffset.FromUnixTimeMilliseconds(createdMs).UtcDateTime;

    public static DeviceState StateOf(Storage.DeviceState state) => state switch
    {
        Storage.DeviceState.Ok => DeviceState.Ok,
        Storage.DeviceState.Missing => DeviceState.Missing,
        Storage.DeviceState.ReadOnly => DeviceState.ReadOnly,
        Storage.DeviceState.Full => DeviceState.Full,
        _ => DeviceState.Failed,
    };
}
