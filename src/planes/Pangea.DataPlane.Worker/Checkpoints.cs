using System.Runtime.CompilerServices;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Makes the catalog durable every few seconds, so that a start after a crash has little to read
/// again. A checkpoint says "everything that the logs held up to here is in the catalog": so the
/// ends of the logs are taken first, and everyone who had appended by then is waited for. Loop
/// thread only.
/// </summary>
internal sealed class Checkpoints(StorageService service)
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(100);

    private readonly LiveBytesNotes _liveBytes = new(service);
    private long _lastMs = Environment.TickCount64;
    private Task<Result>? _running;
    private bool _stopping;

    /// <summary>Seconds since the catalog last was durable.</summary>
    public long AgeSeconds => (Environment.TickCount64 - _lastMs) / 1000;

    /// <summary>Why checkpoints fail; null where they do not.</summary>
    public string? Reason { get; private set; }

    /// <summary>Makes checkpoints until stopped.</summary>
    public async void Run()
    {
        while (!_stopping && (await service.Reactor.DelayAsync(s_lookEvery)).IsOk)
        {
            bool due = Environment.TickCount64 - _lastMs
                >= service.Settings.CheckpointEvery.TotalMilliseconds;
            if ((due || service.Catalog.WantsCheckpoint) && !_stopping)
            {
                Result made = await RunOnceAsync();
                if (!made.IsOk)
                {
                    // The changes are kept; a full disk is not asked ten times a second.
                    await service.Reactor.DelayAsync(service.Settings.CheckpointEvery);
                }
            }
        }
    }

    public void Stop() => _stopping = true;

    /// <summary>Makes a checkpoint now, or waits for the one under way.</summary>
    public Task<Result> RunOnceAsync()
    {
        if (_running is null || _running.IsCompleted)
        {
            _running = MakeAsync();
        }

        return _running;
    }

    /// <summary>Makes a checkpoint that begins no earlier than now.</summary>
    public async ValueTask<Result> RunFreshAsync()
    {
        while (_running is { IsCompleted: false } earlier)
        {
            _ = await earlier;
        }

        return await RunOnceAsync();
    }

    /// <summary>
    /// Waits while more has changed than memory is meant for: the disk of the catalog is slower
    /// than the puts, or full.
    /// </summary>
    [AsyncMethodBuilder(typeof(LoopMethodBuilder))]
    public async ValueTask WaitForRoomAsync()
    {
        while (service.Catalog.IsFull && service.Catalog.NeedsRebuild is null && !_stopping
            && (await service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(5))).IsOk)
        {
            // Sooner or later it has room, or the put's caller gives up.
        }
    }

    /// <summary>What the last checkpoint noted about the segments of a device.</summary>
    public void RestoreLiveBytes(StorageDevice device) => _liveBytes.Restore(device);

    private async Task<Result> MakeAsync()
    {
        if (service.Catalog.NeedsRebuild is { } damage)
        {
            Reason = damage.Message;
            return damage;
        }

        List<LogMark> marks = MarksNow();
        _liveBytes.Take();
        await service.Commits.TurnAsync();
        _liveBytes.Note();
        Result made = await service.Catalog.CheckpointAsync(marks, withStatistics: _stopping);
        Reason = made.Fault?.Message;
        if (made.IsOk)
        {
            _lastMs = Environment.TickCount64;
        }

        return made;
    }

    /// <summary>
    /// The ends of all logs that are here, and of the others what was known of them.
    /// </summary>
    private List<LogMark> MarksNow()
    {
        var marks = new List<LogMark>();
        var here = new HashSet<byte>();
        foreach (StorageDevice device in service.Devices.All)
        {
            if (device.Log is { } log && device.Id != default)
            {
                byte ordinal = service.Ordinals.Of(device);
                here.Add(ordinal);
                marks.Add(new LogMark(ordinal, log.End.Segment, log.End.Offset));
            }
        }

        marks.AddRange(service.Catalog.Marks.Where(mark => !here.Contains(mark.Ordinal)));
        return marks;
    }
}
