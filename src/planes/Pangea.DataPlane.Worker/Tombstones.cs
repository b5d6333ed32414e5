using System.Buffers.Binary;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Brings removals to devices that were away when they were made, and forgets in the catalog those
/// that every device knows of. Loop thread only.
/// </summary>
/// <remarks>
/// A device whose log has the tombstone needs no catalog to know of the removal: it stands behind
/// all commits that it speaks of, and compaction keeps it as long as an older segment is there. So
/// the catalog remembers for devices that do not have it: a removal is forgotten only when every
/// device that the catalog has ever known has it durably. One that was lost for good therefore
/// keeps what was removed since from being forgotten; it may come back.
/// </remarks>
internal sealed class Tombstones(StorageService service)
{
    private const string Table = "removed-floor";
    private const int PageNames = 256;
    private const long EveryMs = 300_000;

    /// <summary>The catalog's masks of devices have so many bits.</summary>
    private const int OrdinalsMax = 64;

    private long _nextAt;
    private long? _floorMs;
    private bool _isRunning;

    /// <summary>
    /// A removal is remembered at least so long: copies of compaction and slow commits that were
    /// under way then have ended, and many checkpoints are durable.
    /// </summary>
    public long KeepMs { get; set; } = 3_600_000;

    /// <summary>
    /// The latest removal that was forgotten. New versions of any name are later, also where the
    /// clock was set back: tombstones in the logs must not bury them.
    /// </summary>
    public long FloorMs => _floorMs ??=
        service.Catalog.GetNote(Table, []) is { Length: sizeof(long) } note
            ? BinaryPrimitives.ReadInt64LittleEndian(note.Span)
            : 0;

    /// <summary>A device came: it may have missed some.</summary>
    public void Ask() => _nextAt = 0;

    public void Tick()
    {
        if (!_isRunning && Environment.TickCount64 >= _nextAt)
        {
            Run();
        }
    }

    /// <summary>Goes through all removals once.</summary>
    public async ValueTask RunOnceAsync()
    {
        await service.Refusals.SettleAsync();
        string? after = null;
        while (service.Catalog.NeedsRebuild is null && !service.Catalog.IsFull)
        {
            List<RemovedName> page = service.Catalog.ListRemoved(after, PageNames);
            if (page.Count == 0)
            {
                return;
            }

            after = page[^1].Name;
            foreach (StorageDevice device in service.Devices.All.ToArray())
            {
                await SpreadAsync(device, page);
            }

            ulong everywhere = KnownDevices();
            foreach (RemovedName removed in page)
            {
                ForgetIfKnown(removed.Name, everywhere);
            }

            // The loop serves everyone else between two pages.
            if (!(await service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(1))).IsOk)
            {
                return;
            }
        }
    }

    private async void Run()
    {
        _isRunning = true;
        _nextAt = Environment.TickCount64 + EveryMs;
        await RunOnceAsync();
        _isRunning = false;
    }

    /// <summary>Appends what the device lacks; a page shares its flushes.</summary>
    private async ValueTask SpreadAsync(StorageDevice device, List<RemovedName> page)
    {
        byte ordinal = device.Id == default ? byte.MaxValue : service.Ordinals.Of(device);
        if (ordinal >= OrdinalsMax || device.State != DeviceState.Ok)
        {
            return; // The last room of a full device is for removals that somebody waits for.
        }

        ulong bit = 1UL << ordinal;
        long epoch = service.Commits.Enter();
        var appends = new List<(RemovedName Removed, ValueTask<Result<LogAddress>> Append)>();
        foreach (RemovedName removed in page)
        {
            if ((removed.DeviceMask & bit) == 0 && device.Log is { } log)
            {
                appends.Add((removed, log.AppendTombstoneAsync(removed.Name, removed.RemovedMs)));
            }
        }

        foreach ((RemovedName removed, ValueTask<Result<LogAddress>> append) in appends)
        {
            Result<LogAddress> landed = await append;
            if (landed.IsOk)
            {
                service.Catalog.NoteRemoved(removed.Name, removed.RemovedMs, bit);
            }
            else
            {
                device.Report(landed.Fault);
            }
        }

        service.Commits.Leave(epoch);
    }

    private void ForgetIfKnown(string name, ulong everywhere)
    {
        if (everywhere == 0 || service.Catalog.FindRemoved(name) is not { } removed
            || (removed.DeviceMask & everywhere) != everywhere
            || removed.RemovedMs > StorageService.NowMs - KeepMs)
        {
            return;
        }

        if (removed.RemovedMs > FloorMs)
        {
            _floorMs = removed.RemovedMs;
            Span<byte> note = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(note, removed.RemovedMs);
            service.Catalog.SetNote(Table, [], note);
        }

        service.Catalog.ForgetTombstone(name);
    }

    /// <summary>
    /// Every device that was ever known, here or not; none where that cannot be said.
    /// </summary>
    private ulong KnownDevices()
    {
        foreach (StorageDevice device in service.Devices.All)
        {
            if (device.Id == default)
            {
                return 0; // Nobody could read who it is.
            }
        }

        ulong known = 0;
        for (int ordinal = 0; ordinal < byte.MaxValue; ordinal++)
        {
            if (service.Catalog.DeviceOf((byte)ordinal) != 0)
            {
                if (ordinal >= OrdinalsMax)
                {
                    return 0;
                }

                known |= 1UL << ordinal;
            }
        }

        return known;
    }
}
