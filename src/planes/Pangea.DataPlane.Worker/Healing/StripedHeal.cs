using System.Collections.Immutable;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Heals one object of many stripes: several stripes at a time, each read, judged, made whole and
/// written to where the lost positions go; then their commit entries. What is done is flushed and
/// noted from time to time, so that a restart goes on from there. Loop thread only.
/// </summary>
/// <remarks>
/// A position that stays on its device keeps its good frames: only the damaged ones are written
/// anew, and the new commit entry names both. One that moves is read, judged and copied; only where
/// that fails, or nothing is there to copy, other positions are read.
/// </remarks>
internal sealed class StripedHeal
{
    /// <summary>Between two notes of progress, where the bytes come slowly.</summary>
    private const long NoteEveryMs = 2000;

    private readonly Healing _healing;
    private readonly HealPlan _plan;
    private readonly ObjectParts _parts;
    private readonly ObjectReader _reader;
    private readonly FrameRuns?[] _runs;
    private readonly List<LogAddress>[] _replaced;
    private readonly ulong _targets;
    private readonly bool _isCritical;
    private readonly Dictionary<uint, TaskCompletionSource> _waitingToWrite = [];
    private ulong _found;
    private Fault? _fault;
    private int _underWay;
    private uint _nextToWrite;
    private bool _isNoting;
    private TaskCompletionSource? _drained;
    private long _bytes;
    private long _notedBytes;
    private long _notedAt = Environment.TickCount64;

    private StripedHeal(Healing healing, HealPlan plan, ObjectParts parts)
    {
        _healing = healing;
        _plan = plan;
        _parts = parts;
        _targets = plan.Placed;
        _isCritical = plan.Spare <= healing.Settings.CriticalShards;
        _runs = new FrameRuns?[plan.Positions];
        _replaced = new List<LogAddress>[plan.Positions];
        var sources = new PositionSource[plan.Positions];
        for (int position = 0; position < sources.Length; position++)
        {
            sources[position] =
                parts.Records[position] is null ? default : plan.SourceOf(position);
        }

        _reader = new ObjectReader(
            sources, stripe => parts.Manifest.Stripe((int)stripe).ShardBytes);
    }

    private StorageService Service => _healing.Service;

    private Manifest Manifest => _parts.Manifest;

    private int StripeCount => Manifest.Stripes.Count;

    public static async ValueTask<HealOutcome> RunAsync(
        Healing healing, HealPlan plan, BufferLease scratch)
    {
        StorageService service = healing.Service;
        ObjectId id = plan.Entry.Id;
        service.Garbage.BeginRead(id);
        service.InFlight.Add(id);
        HealOutcome outcome = await TryAsync(healing, plan, scratch);
        if (healing.Journal.Find(id)?.Progress.IsEmpty != false)
        {
            service.InFlight.Remove(id);
        }

        service.Garbage.EndRead(id);
        return outcome;
    }

    private static async ValueTask<HealOutcome> TryAsync(
        Healing healing, HealPlan plan, BufferLease scratch)
    {
        Result<ObjectParts> parts = await ObjectParts.ReadAsync(
            plan, healing, scratch, plan.Here, plan.Positions);
        if (!parts.IsOk)
        {
            return new HealOutcome(parts.Fault, 0, 0, plan.Bad, 0);
        }

        int available = parts.Value.Records.Count(record => record is not null);
        if (StripeSlot.SlabBytesFor(parts.Value.Manifest.Geometry)
            > healing.Service.Slabs.StripeSlabBytes)
        {
            var tooLarge = new Fault(
                FaultCode.Unsupported,
                $"its stripes of {parts.Value.Manifest.Geometry.StripeBytes} bytes are too large "
                    + "for the buffers",
                "set storage.stripeBytes at least that high and restart the appliance");
            return new HealOutcome(tooLarge, 0, 0, plan.Bad, available);
        }

        if (plan.Placed == 0)
        {
            Fault? why = plan.Wanted == 0 ? null : plan.NoPlace();
            return new HealOutcome(why, 0, 0, plan.Bad, available);
        }

        var heal = new StripedHeal(healing, plan, parts.Value);
        Result<ulong> healed = await heal.MoveAsync(scratch);
        ulong done = healed.IsOk ? healed.Value : 0;
        Fault? fault = healed.Fault
            ?? ((plan.Wanted & ~done) != 0 ? plan.NoPlace() : null);
        return new HealOutcome(
            fault, System.Numerics.BitOperations.PopCount(done), heal._bytes,
            (plan.Bad | heal._found) & ~done, available);
    }

    private async ValueTask<Result<ulong>> MoveAsync(BufferLease scratch)
    {
        for (int position = 0; position < _plan.Positions; position++)
        {
            // Opened even where nothing is read of it later: only this fills the reader's extents.
            if (_reader.Has(position))
            {
                _ = await _reader.OpenAsync(position, scratch, Service.Pool);
            }

            if (IsTarget(position))
            {
                _runs[position] = await ResumeAsync(position);
                _replaced[position] = [];
            }
        }

        await _healing.Lanes.BeginObjectAsync(_isCritical);
        await BeginStripesAsync();
        _healing.Lanes.EndObject(_isCritical);
        await DrainAsync();
        if (_fault is { } fault)
        {
            await NoteProgressAsync();
            return fault;
        }

        return await CommitAsync();
    }

    /// <summary>
    /// Begins all stripes in their order; the last ones are still under way when it ends.
    /// </summary>
    private async ValueTask BeginStripesAsync()
    {
        _nextToWrite = _runs.Min(run => run?.Stripes ?? uint.MaxValue);
        for (uint stripe = _nextToWrite; stripe < StripeCount && _fault is null; stripe++)
        {
            HealLane? lane = _healing.IsEnding
                ? null
                : await _healing.Lanes.EnterAsync(Manifest, _parts.Key, _isCritical);
            if (lane is null)
            {
                Fail(new Fault(FaultCode.Canceled, "the worker is ending"));
                break;
            }

            _underWay++;
            HealStripe(lane, Manifest.Stripe((int)stripe));
            if (IsNoteDue && !_isNoting)
            {
                _underWay++;
                NoteInBackground();
            }
        }
    }

    private bool IsNoteDue => _bytes - _notedBytes >= _healing.NoteEveryBytes
        || (_bytes > _notedBytes && Environment.TickCount64 - _notedAt >= NoteEveryMs);

    private bool IsTarget(int position) => (_targets & (1UL << position)) != 0;

    /// <summary>Where an earlier try came to, if that is still there.</summary>
    private async ValueTask<FrameRuns> ResumeAsync(int position)
    {
        HealProgress? progress = _healing.Journal.Find(_plan.Entry.Id)?.Progress.FirstOrDefault(
            each => each.Position == position && each.Device == _plan.TargetOf(position).Id);
        if (progress is null || progress.Stripes == 0 || progress.Stripes > StripeCount
            || !await HealResume.IsThereAsync(
                _healing, _plan, _parts, position, progress))
        {
            return new FrameRuns();
        }

        _healing.Counts.StripesResumed += progress.Stripes;
        return new FrameRuns(progress.Stripes, progress.Extents);
    }

    /// <summary>One stripe, from beginning to end; its faults end the object's try.</summary>
    private async void HealStripe(HealLane lane, StripeInfo info)
    {
        Result healed = await HealStripeAsync(lane, info);
        if (healed.Fault is { } fault)
        {
            Fail(fault);
        }

        _healing.Lanes.Leave(lane);
        End();
    }

    /// <summary>Stripes go on while the frames so far are flushed.</summary>
    private async void NoteInBackground()
    {
        _isNoting = true;
        await NoteProgressAsync();
        _isNoting = false;
        End();
    }

    private void End()
    {
        _underWay--;
        if (_underWay == 0)
        {
            _drained?.TrySetResult();
        }
    }

    private void Fail(Fault fault)
    {
        _fault ??= fault;
        TaskCompletionSource[] waiting = [.. _waitingToWrite.Values];
        _waitingToWrite.Clear(); // Before they go on: they come here again.
        Array.ForEach(waiting, each => each.SetResult());
    }

    /// <summary>
    /// Waits until the stripes before have taken their places: frames in order are few extents, and
    /// later reads go through the device from one to the next.
    /// </summary>
    private async ValueTask TurnToWriteAsync(uint stripe)
    {
        Invariant.Check(stripe >= _nextToWrite);
        if (stripe != _nextToWrite && _fault is null)
        {
            var turn = new TaskCompletionSource();
            _waitingToWrite.Add(stripe, turn);
            await turn.Task;
        }
    }

    private void PassTurn()
    {
        _nextToWrite++;
        if (_waitingToWrite.Remove(_nextToWrite, out TaskCompletionSource? next))
        {
            next.SetResult();
        }
    }

    private async ValueTask<Result> HealStripeAsync(HealLane lane, StripeInfo info)
    {
        ulong wanted = 0;
        for (int position = 0; position < _plan.Positions; position++)
        {
            wanted |= _runs[position]?.Stripes <= info.StripeIndex ? 1UL << position : 0;
        }

        ulong kept = await ReadOwnAsync(lane, info, wanted);
        Result whole = Result.Ok;
        if (kept != wanted || (wanted & _plan.Bad) != 0)
        {
            // What is only moved is believed its checksum. What was reported damaged must agree
            // with the others as well: it may have been forged with right checksums.
            whole = await RestoreAsync(lane, info, wanted, kept);
            kept &= ~PositionsOf(lane.BadShards, info);
        }

        _found |= PositionsOf(lane.BadShards, info);
        return whole.IsOk ? await WriteAsync(lane, info, wanted, kept) : whole;
    }

    /// <summary>Reads what the wanted positions themselves have; which of it is good.</summary>
    private async ValueTask<ulong> ReadOwnAsync(HealLane lane, StripeInfo info, ulong wanted)
    {
        if (await ReadAsync(lane, info, wanted, int.MaxValue) == 0)
        {
            return 0;
        }

        _ = await lane.JudgeAsync(Service.Threads, info);
        ulong good = 0;
        for (int position = 0; position < _plan.Positions; position++)
        {
            bool isGood = lane.Slot.Shards[ShardAt(info, position)] == ShardState.Ok;
            good |= isGood ? wanted & (1UL << position) : 0;
        }

        return good;
    }

    /// <summary>
    /// Makes the missing shards of the stripe from k others, which the key proves, or without it
    /// from one more, which then prove each other; from all there are where these do not suffice.
    /// </summary>
    private async ValueTask<Result> RestoreAsync(
        HealLane lane, StripeInfo info, ulong wanted, ulong kept)
    {
        // The key proves k shards. Without it, and where one of them is under suspicion (it would
        // not be among those that the proof uses), one more must agree.
        bool isProved = _parts.Key is not null && (wanted & _plan.Bad) == 0;
        int needed = _plan.DataShards + (isProved ? 0 : 1)
            - System.Numerics.BitOperations.PopCount(kept);
        ulong shards = ShardsOf(wanted, info);
        _ = await ReadAsync(lane, info, _plan.Good & ~wanted, needed);
        Result rebuilt = await lane.RebuildAsync(Service.Threads, info, shards);
        if (rebuilt.Fault is { Code: FaultCode.Unavailable or FaultCode.Corrupt })
        {
            _ = await ReadAsync(lane, info, _plan.Here, int.MaxValue);
            rebuilt = await lane.RebuildAsync(Service.Threads, info, shards);
        }

        return rebuilt;
    }

    /// <summary>Reads shards of those positions that were not read yet.</summary>
    /// <returns>How many were begun.</returns>
    private async ValueTask<int> ReadAsync(
        HealLane lane, StripeInfo info, ulong positions, int most)
    {
        StripeSlot slot = lane.Slot;
        StripeImage image = slot.Image(info.ShardBytes);
        ulong started = 0;
        int count = 0;
        for (int shard = 0; shard < slot.Shards.Length && count < most; shard++)
        {
            int position = PositionOf(info, shard);
            if ((positions & (1UL << position)) != 0 && _reader.Has(position)
                && slot.Shards[shard] == ShardState.Missing
                && (lane.BadShards & (1UL << shard)) == 0)
            {
                slot.Reads[shard] = _reader.ReadShardAsync(
                    position, (long)info.StripeIndex, image.Header(shard), image.Payload(shard));
                started |= 1UL << shard;
                count++;
            }
        }

        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            if ((started & (1UL << shard)) != 0)
            {
                SysResult read = await slot.Reads[shard];
                slot.Shards[shard] = read.IsOk ? ShardState.Read : ShardState.Missing;
                _found |= read.IsOk ? 0 : 1UL << PositionOf(info, shard);
            }
        }

        _healing.Counts.BytesRead += (long)count * StripeImage.FrameBytes(info.ShardBytes);
        return count;
    }

    private async ValueTask<Result> WriteAsync(
        HealLane lane, StripeInfo info, ulong wanted, ulong kept)
    {
        StripeSlot slot = lane.Slot;
        StripeImage image = slot.Image(info.ShardBytes);
        int frameBytes = StripeImage.FrameBytes(info.ShardBytes);
        ulong started = 0;
        Fault? gone = null;
        await TurnToWriteAsync((uint)info.StripeIndex);
        for (int position = 0; position < _plan.Positions && _fault is null; position++)
        {
            ulong bit = 1UL << position;
            if ((wanted & bit) == 0 || ((kept & bit) != 0 && _plan.StaysAt(position)))
            {
                continue;
            }

            await _healing.PassAsync(frameBytes, _isCritical);
            if (_plan.TargetOf(position).Log is not { } log)
            {
                gone = new Fault(
                    FaultCode.Unavailable, "the device that was to take the shards is gone");
                break;
            }

            int shard = ShardAt(info, position);
            slot.Appends[shard] = log.AppendShardAsync(
                _plan.Entry.Id, image.Header(shard), image.Payload(shard));
            started |= bit;
        }

        if (gone is null && _fault is null)
        {
            PassTurn();
        }

        Fault? stopped = gone ?? _fault;
        ulong stays = stopped is null ? wanted & ~started : 0;
        Result settled = await SettleAsync(slot, info, started, stays);
        return stopped is null ? settled : stopped;
    }

    private async ValueTask<Result> SettleAsync(
        StripeSlot slot, StripeInfo info, ulong started, ulong stays)
    {
        Fault? fault = null;
        uint stripe = (uint)info.StripeIndex;
        for (int position = 0; position < _plan.Positions; position++)
        {
            ulong bit = 1UL << position;
            if ((started & bit) != 0)
            {
                Result<LogAddress> written = await slot.Appends[ShardAt(info, position)];
                if (!written.IsOk)
                {
                    fault = written.Fault;
                    continue;
                }

                LogAddress old = _reader.AddressOf(position, stripe);
                if (!old.IsNone)
                {
                    _replaced[position].Add(old);
                }

                _runs[position]!.Add(stripe, written.Value);
                _bytes += written.Value.Bytes;
                _healing.Counts.BytesWritten += written.Value.Bytes;
            }
            else if ((stays & bit) != 0)
            {
                _runs[position]!.Add(stripe, _reader.AddressOf(position, stripe));
            }
        }

        return fault is null ? Result.Ok : fault;
    }

    /// <summary>
    /// Notes how far the targets are. What is noted was flushed before: it survives everything.
    /// </summary>
    private async ValueTask NoteProgressAsync()
    {
        _notedBytes = _bytes;
        _notedAt = Environment.TickCount64;
        var progress = ImmutableArray.CreateBuilder<HealProgress>();
        for (int position = 0; position < _plan.Positions; position++)
        {
            if (_runs[position] is not { Stripes: > 0 } run)
            {
                continue;
            }

            StorageDevice device = _plan.TargetOf(position);
            var reached = new HealProgress(position, device.Id, run.Stripes, run.Extents);
            if (device.Log is { } log
                && (await log.SyncShardsAsync(reached.Extents.AsMemory())).IsOk)
            {
                progress.Add(reached);
            }
        }

        _healing.NoteProgress(_plan, progress.ToImmutable());
    }

    private async ValueTask<Result<ulong>> CommitAsync()
    {
        var parts = new List<HealCommit.Part>();
        for (int position = 0; position < _plan.Positions; position++)
        {
            if (_runs[position] is { } run)
            {
                Invariant.Check(run.Stripes == StripeCount);
                parts.Add(new HealCommit.Part(
                    position, _plan.TargetOf(position), run.Extents, default));
            }
        }

        Result<ulong> committed = await HealCommit.RunAsync(
            Service, _plan.Entry, _parts.Encoded, parts);
        for (int position = 0; position < _plan.Positions && committed.IsOk; position++)
        {
            if ((committed.Value & (1UL << position)) != 0)
            {
                _replaced[position].ForEach(old => _reader.DeviceOf(position)?.Log?.Release(old));
            }
        }

        return committed;
    }

    private ValueTask DrainAsync()
    {
        if (_underWay == 0)
        {
            return ValueTask.CompletedTask;
        }

        _drained = new TaskCompletionSource();
        return new ValueTask(_drained.Task);
    }

    private ulong PositionsOf(ulong shards, in StripeInfo info)
    {
        ulong positions = 0;
        for (int shard = 0; shard < _plan.Positions; shard++)
        {
            positions |= (shards & (1UL << shard)) != 0 ? 1UL << PositionOf(info, shard) : 0;
        }

        return positions;
    }

    private ulong ShardsOf(ulong positions, in StripeInfo info)
    {
        ulong shards = 0;
        for (int position = 0; position < _plan.Positions; position++)
        {
            shards |= (positions & (1UL << position)) != 0 ? 1UL << ShardAt(info, position) : 0;
        }

        return shards;
    }

    private int PositionOf(in StripeInfo info, int shard) =>
        ShardPlacement.PositionOf(info.StripeIndex, shard, _plan.Positions);

    private int ShardAt(in StripeInfo info, int position) =>
        ShardPlacement.ShardAt(info.StripeIndex, position, _plan.Positions);
}
