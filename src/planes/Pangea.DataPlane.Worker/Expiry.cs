using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Objects with a time to live: a download moves their end, and those whose end has come are
/// removed. Counts downloads besides. Loop thread only.
/// </summary>
internal sealed class Expiry(StorageService service)
{
    /// <summary>Objects removed one after another before others get a turn.</summary>
    private const int BatchMax = 256;

    /// <summary>
    /// An end that moves by less than this part of the time to live is not written: a popular
    /// object would otherwise cost an entry on each device for every download.
    /// </summary>
    private const int TouchDivisor = 16;

    private bool _stopping;

    /// <summary>Objects removed because their time was over.</summary>
    public long RemovedCount { get; private set; }

    /// <summary>The object was downloaded.</summary>
    public void NoteGet(ObjectEntry entry, long bytes)
    {
        long now = StorageService.NowMs;
        service.Catalog.NoteGet(entry, bytes, now);
        if (entry.TtlMs > 0 && now + entry.TtlMs - entry.ExpiresMs >= entry.TtlMs / TouchDivisor)
        {
            _ = TouchAsync(entry, now + entry.TtlMs);
        }
    }

    /// <summary>Removes what has expired, again and again.</summary>
    public async void Run()
    {
        while (!_stopping
            && (await service.Reactor.DelayAsync(service.Settings.ExpiryEvery)).IsOk)
        {
            await RemoveExpiredAsync();
        }
    }

    public void Stop() => _stopping = true;

    /// <summary>Removes what has expired by now.</summary>
    public async ValueTask RemoveExpiredAsync()
    {
        while (service.Catalog.NeedsRebuild is null && !service.Catalog.IsFull)
        {
            int removed = 0;
            foreach (ObjectEntry entry in service.Catalog.Expired(StorageService.NowMs, BatchMax))
            {
                // Others had their turn since the list was made: a new version, or a download that
                // moved the end, stays.
                if (service.Catalog.Find(entry.Name) is { } current && current.Id == entry.Id
                    && ObjectVersions.IsExpired(current, StorageService.NowMs))
                {
                    Result<ObjectEntry> buried =
                        await ObjectRemoval.BuryVersionAsync(service, current);
                    removed += buried.IsOk ? 1 : 0;
                }
            }

            RemovedCount += removed;
            if (removed == 0)
            {
                return;
            }
        }
    }

    private async Task TouchAsync(ObjectEntry entry, long expiresMs)
    {
        long epoch = service.Commits.Enter();
        if (service.Catalog.Find(entry.Name) is { } current && current.Id == entry.Id)
        {
            service.Catalog.Set(current with { ExpiresMs = expiresMs });
            foreach (StorageDevice device in service.Devices.All)
            {
                if (device.Log is { } log)
                {
                    // One after another is soon enough: whichever device has it tells recovery.
                    Result<LogAddress> landed = await log.AppendTouchAsync(
                        entry.Id, entry.Name.Text, expiresMs);
                    if (!landed.IsOk)
                    {
                        device.Report(landed.Fault);
                    }
                }
            }
        }

        service.Commits.Leave(epoch);
    }
}
