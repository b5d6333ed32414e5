using System.Runtime.CompilerServices;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;
using ShardState = Pangea.DataPlane.Ces.ShardState;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// One get: shards of k devices -> CES -> the caller's file. Data shards are asked first; where one
/// is missing or damaged, parity shards of the same stripe take its place.
/// </summary>
/// <remarks>
/// As many stripes as the transfer has slots are being read and restored ahead of those that are
/// being delivered. No byte reaches the caller before its stripe was authenticated.
/// </remarks>
internal sealed class GetTransfer
{
    /// <summary>
    /// Stripes on their way into a file at once: while the disk writes one, the next are ready.
    /// </summary>
    private const int OverlappingWrites = 3;

    private readonly StorageService _service;
    private readonly ObjectEntry _entry;
    private readonly Manifest _manifest;
    private readonly ObjectReader _reader;
    private readonly GetRange _range;
    private readonly CallerFile _target;
    private readonly TransferWatch _watch;
    private readonly StripeSlots _slots;
    private readonly ValueTask<Result>[] _restoring;
    private readonly ValueTask<SysResult>[] _writes;
    private readonly bool[] _writing;
    private long _nextStripe;
    private long _stripesRepaired;
    private long _shardsLost;
    private ulong _badPositions;

    private GetTransfer(
        StorageService service, ObjectEntry entry, Manifest manifest, ObjectReader reader,
        GetRange range, CallerFile target, TransferWatch watch, StripeSlots slots)
    {
        _service = service;
        _entry = entry;
        _manifest = manifest;
        _reader = reader;
        _range = range;
        _target = target;
        _watch = watch;
        _slots = slots;
        _restoring = new ValueTask<Result>[slots.Count];
        _writes = new ValueTask<SysResult>[slots.Count];
        _writing = new bool[slots.Count];
    }

    /// <summary>With a transfer permit in hand only.</summary>
    public static async ValueTask<Result<GetFindings>> RunAsync(
        StorageService service, ObjectEntry entry, GetRange range, CallerFile target,
        TransferWatch watch)
    {
        Result<ObjectSource> opened = await ObjectLocator.OpenAsync(service, entry);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        Manifest manifest = opened.Value.Manifest;
        Result<MasterKey> key = service.Keys.Find(manifest.KeyId);
        Result possible = key.IsOk ? CheckSlabs(service, manifest) : key.Fault;
        if (!possible.IsOk)
        {
            return possible.Fault;
        }

        using StripeSlots slots = StripeSlots.Rent(
            service, manifest.Geometry, key.Value!, entry.Id);
        var transfer = new GetTransfer(
            service, entry, manifest, opened.Value.Reader, range, target, watch, slots);
        await transfer.OpenPositionsAsync();
        Result moved = await transfer.MoveStripesAsync();
        await transfer.DrainAsync();
        if (transfer._badPositions != 0)
        {
            service.Heal.Report(entry.Id, transfer._badPositions);
        }

        return moved.IsOk
            ? new GetFindings(
                ContentHash.Read(manifest.ContentHash.AsSpan()), manifest.Stripes.Count,
                transfer._stripesRepaired, transfer._shardsLost)
            : moved.Fault;
    }

    private static Result CheckSlabs(StorageService service, Manifest manifest) =>
        StripeSlot.SlabBytesFor(manifest.Geometry) <= service.Slabs.StripeSlabBytes
            ? Result.Ok
            : new Fault(
                FaultCode.Unsupported,
                $"object \"{manifest.Name}\" has stripes of {manifest.Geometry.StripeBytes} "
                    + $"bytes in {manifest.Geometry.Redundancy}, too large for the buffers",
                "set storage.stripeBytes at least that high and restart the appliance");

    /// <summary>
    /// Reads the commit entries of the other positions: where their frames are. As many at once as
    /// there are slabs to read through.
    /// </summary>
    private async ValueTask OpenPositionsAsync()
    {
        var opening = new ValueTask<Result<CommitRecord>>[_slots.Count];
        for (int first = 0; first < _reader.Positions; first += opening.Length)
        {
            int count = Math.Min(opening.Length, _reader.Positions - first);
            for (int i = 0; i < count; i++)
            {
                opening[i] = _reader.OpenAsync(first + i, _slots[i].Lease, _service.Pool);
            }

            for (int i = 0; i < count; i++)
            {
                _ = await opening[i]; // One that cannot be read is missing from now on.
            }
        }
    }

    private async ValueTask<Result> MoveStripesAsync()
    {
        int stripeBytes = _manifest.Geometry.StripeBytes;
        long first = _range.Offset / stripeBytes;
        long end = (_range.End + stripeBytes - 1) / stripeBytes;
        int writesMax = _target.TakesOverlappingWrites
            ? Math.Clamp(_slots.Count / 2, 1, OverlappingWrites)
            : 1;
        _nextStripe = first;
        StartRestoring(Math.Min(end, first + _slots.Count));
        for (long stripe = first; stripe < end + writesMax - 1; stripe++)
        {
            if (stripe < end)
            {
                ValueTask<Result> restoring = _restoring[stripe % _slots.Count];
                _restoring[stripe % _slots.Count] = default;
                Result restored = await restoring;
                if (!restored.IsOk)
                {
                    return restored;
                }

                StartWriting(stripe);
            }

            long oldest = stripe + 1 - writesMax;
            Result delivered = oldest >= first && oldest < end
                ? await FinishWritingAsync(oldest)
                : Result.Ok;
            if (!delivered.IsOk)
            {
                return delivered;
            }

            StartRestoring(Math.Min(end, oldest + 1 + _slots.Count));
        }

        return Result.Ok;
    }

    private void StartWriting(long stripe)
    {
        StripeSlot slot = _slots[stripe];
        long stripeStart = stripe * _manifest.Geometry.StripeBytes;
        int from = (int)Math.Max(0, _range.Offset - stripeStart);
        int to = (int)Math.Min(slot.Job.Stripe.PlainBytes, _range.End - stripeStart);
        int turn = (int)(stripe % _slots.Count);
        _writes[turn] = _target.WriteFullyAsync(
            slot.PlainSlice(from, to - from), _watch, _range.Bytes);
        _writing[turn] = true;
    }

    /// <summary>Waits until the stripe is with the caller, and its slot free.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> FinishWritingAsync(long stripe)
    {
        int turn = (int)(stripe % _slots.Count);
        _writing[turn] = false;
        SysResult written = await _writes[turn];
        if (_watch.Token.IsCancellationRequested)
        {
            return _watch.Ending;
        }

        return written.IsOk ? Result.Ok : CallerFile.WriteFault(written.Errno);
    }

    private void StartRestoring(long end)
    {
        for (; _nextStripe < end; _nextStripe++)
        {
            StripeInfo info = _manifest.Stripe((int)_nextStripe);
            StripeSlot slot = _slots[_nextStripe];
            Array.Clear(slot.Shards);
            _restoring[_nextStripe % _slots.Count] = RestoreAsync(slot, info);
        }
    }

    /// <summary>
    /// One stripe from devices to plain bytes. Where the first shards do not suffice, or one of
    /// them is forged so that only the authentication notices, all others are read too.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> RestoreAsync(StripeSlot slot, StripeInfo info)
    {
        await LoadAsync(slot, info, additional: false);
        Result restored = await slot.Job.OpenAsync(_service.Threads, info);
        if (restored.Fault is { Code: FaultCode.Unavailable or FaultCode.Corrupt })
        {
            await LoadAsync(slot, info, additional: true);
            restored = await slot.Job.OpenAsync(_service.Threads, info);
        }

        CountLosses(slot, info);
        return restored;
    }

    /// <summary>
    /// Reads shards into the slot: at first as many as restoring needs, data shards before parity;
    /// with
    /// <paramref name="additional"/> all that were not tried yet.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask LoadAsync(StripeSlot slot, StripeInfo info, bool additional)
    {
        int needed = _manifest.Geometry.Redundancy.DataShards;
        StripeImage image = slot.Image(info.ShardBytes);
        UInt128 started = 0;
        int count = 0;
        for (int shard = 0; shard < slot.Shards.Length && (additional || count < needed); shard++)
        {
            int position = PositionOf(info, shard);
            if (slot.Shards[shard] == ShardState.Missing && _reader.Has(position))
            {
                slot.Reads[shard] = _reader.ReadShardAsync(
                    position, (long)info.StripeIndex, image.Header(shard), image.Payload(shard));
                started |= UInt128.One << shard;
                count++;
            }
        }

        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            if ((started & (UInt128.One << shard)) != 0)
            {
                SysResult read = await slot.Reads[shard];
                slot.Shards[shard] = read.IsOk ? ShardState.Read : ShardState.Missing;
                _badPositions |= read.IsOk ? 0 : 1UL << PositionOf(info, shard);
            }
        }
    }

    private void CountLosses(StripeSlot slot, in StripeInfo info)
    {
        int dataShards = _manifest.Geometry.Redundancy.DataShards;
        bool repaired = false;
        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            bool usable = slot.Shards[shard] is ShardState.Ok or ShardState.Read;
            bool damaged = !usable && slot.Shards[shard] != ShardState.Missing;
            int position = PositionOf(info, shard);
            if (damaged || (!usable && !_reader.Has(position)))
            {
                _shardsLost++;
                _badPositions |= 1UL << position;
            }

            repaired |= shard < dataShards && !usable;
        }

        _stripesRepaired += repaired ? 1 : 0;
    }

    private int PositionOf(in StripeInfo info, int shard) =>
        Placement.PositionOf((long)info.StripeIndex, shard, _reader.Positions);

    private async ValueTask DrainAsync()
    {
        for (int turn = 0; turn < _restoring.Length; turn++)
        {
            ValueTask<Result> load = _restoring[turn];
            _restoring[turn] = default;
            await load; // Its outcome no longer matters.
            if (_writing[turn])
            {
                _writing[turn] = false;
                await _writes[turn];
            }
        }
    }
}
