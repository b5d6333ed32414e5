// HOT PATH: used again for every small put; nothing here allocates after the first.
using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>What the commit entries of one object version have in common.</summary>
/// <param name="Id">The version.</param>
/// <param name="Redundancy">Its k and m.</param>
/// <param name="CreatedMs">Milliseconds since 1970; of two versions the later counts.</param>
/// <param name="ExpiresMs">When it goes by itself; 0 for never.</param>
/// <param name="TtlMs">What each download adds to its life; 0 for nothing.</param>
public readonly record struct CommitTerms(
    ObjectId Id, Redundancy Redundancy, long CreatedMs, long ExpiresMs, long TtlMs);

/// <summary>
/// The positions of one new object version: which device each has, which of them still take part,
/// and the commit on them. The version is acknowledged when enough devices have made its commit
/// entry durable; a device that fails on the way is left out. One job at a time uses it.
/// </summary>
public sealed class ObjectCommit
{
    private readonly StorageDevice[] _devices = new StorageDevice[Limits.DevicesMax];
    private readonly Fault?[] _faults = new Fault?[Limits.DevicesMax];
    private readonly bool[] _takesPart = new bool[Limits.DevicesMax];
    private readonly bool[] _mayHaveLanded = new bool[Limits.DevicesMax];
    private readonly LogAddress[] _entries = new LogAddress[Limits.DevicesMax];
    private readonly ValueTask<Result<LogAddress>>[] _appends =
        new ValueTask<Result<LogAddress>>[Limits.DevicesMax];

    private int _needed;

    public ObjectId Id { get; private set; }

    /// <summary>k + m.</summary>
    public int Positions { get; private set; }

    /// <summary>Positions whose device has taken everything so far.</summary>
    public int Participants { get; private set; }

    /// <summary>
    /// Chooses devices; fails where fewer than needed take writes.
    /// </summary>
    /// <param name="devices">Of which to choose.</param>
    /// <param name="redundancy">k and m of the object.</param>
    /// <param name="id">The new version.</param>
    /// <param name="needed">Devices that must have it before it is acknowledged.</param>
    public Result Begin(DeviceSet devices, Redundancy redundancy, ObjectId id, int needed)
    {
        Id = id;
        Positions = redundancy.TotalShards;
        _needed = needed;
        Participants = 0;
        Placement.Choose(id, devices.All, _devices.AsSpan(0, Positions));
        for (int position = 0; position < Positions; position++)
        {
            StorageDevice device = _devices[position];
            if (device.State != DeviceState.Ok)
            {
                device.Refresh(); // It is tried again now and then, but not where it is gone.
            }

            _entries[position] = default;
            _mayHaveLanded[position] = false;
            _takesPart[position] = device.TakesWrites && device.Log is not null;
            _faults[position] = _takesPart[position] ? null : WhyNot(device);
            Participants += _takesPart[position] ? 1 : 0;
        }

        return CheckQuorum();
    }

    /// <summary>The device that was chosen for a position, whatever became of it.</summary>
    public StorageDevice DeviceOf(int position) => _devices[position];

    /// <summary>
    /// Where the position's commit entry is; none where its device did not make it durable.
    /// </summary>
    public LogAddress EntryOf(int position) => _entries[position];

    /// <summary>
    /// The log that the position is written to; null where it takes no part, or not any more
    /// because its device was taken out since it was chosen.
    /// </summary>
    public DeviceLog? LogOf(int position)
    {
        DeviceLog? log = _takesPart[position] ? _devices[position].Log : null;
        if (log is not null || !_takesPart[position])
        {
            return log;
        }

        Drop(position, new Fault(
            FaultCode.Unavailable, $"device {_devices[position].Index} was taken out"));
        return null;
    }

    /// <summary>The position's device failed and is left out from now on.</summary>
    public void Drop(int position, Fault fault)
    {
        if (_takesPart[position])
        {
            _takesPart[position] = false;
            Participants--;
            _faults[position] = fault;
            _devices[position].Report(fault);
        }
    }

    /// <summary>
    /// Appends a commit entry on every device that takes part and waits until they are durable. On
    /// a fault too few are: the version was not stored, and the devices are told so.
    /// </summary>
    /// <inheritdoc cref="BeginCommit"/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Result> CommitAsync(
        CommitTerms terms,
        ReadOnlyMemory<byte> manifest,
        ReadOnlyMemory<byte> shards,
        int shardStride,
        Extent[]?[]? extents)
    {
        BeginCommit(terms, manifest, shards, shardStride, extents);
        for (int position = 0; position < Positions; position++)
        {
            if (IsAppending(position))
            {
                EndAppend(position, await Appending(position));
            }
        }

        Result enough = CheckQuorum();
        if (!enough.IsOk)
        {
            await VoidAsync();
        }

        return enough;
    }

    /// <summary>
    /// Appends a commit entry on every device that takes part. Each position that <see
    /// cref="IsAppending"/> must then be awaited and given to <see cref="EndAppend"/>, and where
    /// there is no quorum at the end <see cref="VoidAsync"/> is due. For callers that are one
    /// asynchronous method already; <see cref="CommitAsync"/> does it all.
    /// </summary>
    /// <param name="terms">The same on all devices.</param>
    /// <param name="manifest">The encoded manifest, the same on all devices.</param>
    /// <param name="shards">Inline shards, one for each position; empty where they are frames.
    /// </param>
    /// <param name="shardStride">Bytes of one inline shard, header included.</param>
    /// <param name="extents">Frames of each position; null for inline shards.</param>
    public void BeginCommit(
        CommitTerms terms,
        ReadOnlyMemory<byte> manifest,
        ReadOnlyMemory<byte> shards,
        int shardStride,
        Extent[]?[]? extents)
    {
        for (int position = 0; position < Positions; position++)
        {
            if (LogOf(position) is { } log)
            {
                _mayHaveLanded[position] = true;
                var entry = new CommitEntry(
                    terms.Id, position, terms.Redundancy.DataShards, terms.Redundancy.ParityShards,
                    terms.CreatedMs, terms.ExpiresMs, terms.TtlMs, extents?[position]);
                ReadOnlyMemory<byte> shard = shards.IsEmpty
                    ? default
                    : shards.Slice(position * shardStride, shardStride);
                _appends[position] = log.AppendCommitAsync(entry, manifest, shard);
            }
        }
    }

    /// <summary>True where a commit entry is on its way to the position's device.</summary>
    public bool IsAppending(int position) => _mayHaveLanded[position];

    /// <summary>Completes when the position's commit entry is durable; await it once.</summary>
    public ValueTask<Result<LogAddress>> Appending(int position)
    {
        ValueTask<Result<LogAddress>> append = _appends[position];
        _appends[position] = default;
        return append;
    }

    /// <summary>Notes what became of the position's commit entry.</summary>
    public void EndAppend(int position, Result<LogAddress> landed)
    {
        if (landed.IsOk)
        {
            _entries[position] = landed.Value;
            _devices[position].ReportSuccess();
        }
        else
        {
            Drop(position, landed.Fault);
        }
    }

    /// <summary>
    /// Says on every device where the commit may have landed that it does not count; best effort,
    /// because a device that just failed will hardly take it.
    /// </summary>
    public async ValueTask VoidAsync()
    {
        for (int position = 0; position < Positions; position++)
        {
            if (_mayHaveLanded[position])
            {
                _appends[position] = _devices[position].Log is { } log
                    ? log.AppendVoidAsync(Id)
                    : ValueTask.FromResult<Result<LogAddress>>(
                        new Fault(FaultCode.Unavailable, "the device has left"));
            }
        }

        for (int position = 0; position < Positions; position++)
        {
            if (_mayHaveLanded[position])
            {
                _mayHaveLanded[position] = !(await _appends[position]).IsOk;
                _appends[position] = default;
                if (!_entries[position].IsNone)
                {
                    _devices[position].Log?.Release(_entries[position]);
                    _entries[position] = default;
                }
            }
        }
    }

    /// <summary>
    /// After <see cref="VoidAsync"/>: the commit may have landed there, and the device could not be
    /// told that it does not count.
    /// </summary>
    public bool IsUnsettled(int position) => _mayHaveLanded[position];

    /// <summary>Unavailable or NoSpace where too few devices still take part.</summary>
    public Result CheckQuorum()
    {
        if (Participants >= _needed)
        {
            return Result.Ok;
        }

        Fault? cause = Cause();
        return new Fault(
            cause?.Code is FaultCode.NoSpace ? FaultCode.NoSpace : FaultCode.Unavailable,
            $"{Participants} of {Positions} devices take writes, a put needs {_needed}"
                + (cause is null ? string.Empty : $"; {cause.Message}"),
            cause?.Code is FaultCode.NoSpace
                ? "remove objects or give the devices more room"
                : "bring the missing devices back; pangea device list shows them",
            Errno: cause?.Errno ?? 0);
    }

    private static Fault WhyNot(StorageDevice device) => new(
        device.State switch
        {
            DeviceState.Full => FaultCode.NoSpace,
            DeviceState.Missing => FaultCode.NotFound,
            _ => FaultCode.Io,
        },
        $"device {device.Index} is not available: {device.Reason}");

    /// <summary>The fault that says most about why too few devices take part.</summary>
    private Fault? Cause()
    {
        Fault? best = null;
        for (int position = 0; position < Positions; position++)
        {
            if (_faults[position] is { } fault && Weight(fault) > Weight(best))
            {
                best = fault;
            }
        }

        return best;
    }

    private static int Weight(Fault? fault) => fault?.Code switch
    {
        null => 0,
        FaultCode.NotFound => 1,
        FaultCode.NoSpace => 3,
        _ => 2,
    };
}
