using System.Diagnostics;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>What making the catalog anew came to.</summary>
/// <param name="Objects">Objects it has now.</param>
/// <param name="BytesRead">Bytes of the devices' logs that were read.</param>
/// <param name="Time">How long it took.</param>
internal readonly record struct RebuildReport(long Objects, long BytesRead, TimeSpan Time);

/// <content>Making the catalog anew while everything goes on.</content>
internal sealed partial class ObjectRecovery
{
    private const int SweepPage = 500;

    private readonly HashSet<ObjectId> _seen = [];
    private long _bytesRead;

    /// <summary>
    /// Takes from the logs of all devices what the catalog must know, and takes out of it what no
    /// device knows of. Objects stay readable meanwhile, puts and removals go on. Without the
    /// catalog's file the same happens at a start.
    /// </summary>
    /// <param name="service">Whose.</param>
    /// <param name="progress">Told the bytes read so far.</param>
    public static async ValueTask<Result<RebuildReport>> RebuildAsync(
        StorageService service, Action<long> progress)
    {
        long startedMs = StorageService.NowMs;
        long started = Stopwatch.GetTimestamp();
        var recovery = new ObjectRecovery(service, counts: false);
        foreach (StorageDevice device in service.Devices.All.ToArray())
        {
            Result scanned = await recovery.ScanAsync(device);
            if (!scanned.IsOk)
            {
                return scanned.Fault;
            }

            progress(recovery._bytesRead);
            await service.Checkpoints.WaitForRoomAsync();
        }

        await recovery.DecideAsync();
        await recovery.SweepAsync(startedMs);
        Result durable = await service.Checkpoints.RunFreshAsync();
        return durable.IsOk
            ? new RebuildReport(
                service.Catalog.Count, recovery._bytesRead, Stopwatch.GetElapsedTime(started))
            : durable.Fault;
    }

    private async ValueTask<Result> ScanAsync(StorageDevice device)
    {
        if (device.Log is not { } log || device.Id == default)
        {
            return Result.Ok; // What is not here cannot be asked; its objects stay as they are.
        }

        Result<ScanReport> scanned = await log.ScanAsync(
            (in LogEntryView entry) => Visit(device, entry));
        if (!scanned.IsOk)
        {
            device.Report(scanned.Fault);
            _damaged = true;
            return Result.Ok;
        }

        _bytesRead += scanned.Value.Bytes;
        _damaged |= !scanned.Value.IsComplete;
        return Result.Ok;
    }

    /// <summary>
    /// What no log speaks of goes, where all logs that could have been read.
    /// </summary>
    private async ValueTask SweepAsync(long startedMs)
    {
        string? after = null;
        while (!_damaged)
        {
            List<ObjectEntry> page = Catalog.List(string.Empty, after, SweepPage, out bool more);
            foreach (ObjectEntry entry in page)
            {
                if (!_seen.Contains(entry.Id) && entry.CreatedMs < startedMs
                    && entry.Locations.All(location => location.IsNone
                        || _service.Ordinals.Find(location.Device)?.Log is not null))
                {
                    Catalog.Remove(entry.Name);
                    Remark($"object \"{entry.Name}\" {entry.Id} is on no device");
                }
            }

            if (!more)
            {
                return;
            }

            after = page[^1].Name.Text;
            await _service.Checkpoints.WaitForRoomAsync();
        }
    }
}
