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
/// Up to <see cref="StripeSlots.PerTransfer"/> stripes are being read and restored ahead of the one
/// that is being delivered. No byte reaches the caller before its stripe was authenticated.
/// </remarks>
internal sealed class GetTransfer
{
    private readonly StorageService _service;
    private readonly Manifest _manifest;
    private readonly Placement _placement;
    private readonly ObjectReader _reader;
    private readonly CallerFile _target;
    private readonly TransferWatch _watch;
    private readonly StripeSlots _slots;
    private readonly ValueTask<Result>[] _restoring;
    private long _nextOffset;
    private int _started;
    private long _stripesRepaired;
    private long _shardsLost;

    private GetTransfer(
        StorageService service, Manifest manifest, ObjectReader reader,
        CallerFile target, TransferWatch watch, StripeSlots slots)
    {
        _service = service;
        _manifest = manifest;
        _reader = reader;
        _target = target;
        _watch = watch;
        _slots = slots;
        _placement = ObjectLocator.PlacementOf(manifest);
        _restoring = new ValueTask<Result>[slots.Count];
    }

    public static async ValueTask<Result<ObjectGetResult>> RunAsync(
        StorageService service, ObjectEntry entry, CallerFile target, TransferWatch watch)
    {
        using var reader = ObjectReader.Open(service.Reactor, service.Devices, entry.Id);
        Result<Manifest> manifest = await ObjectLocator.ReadManifestAsync(
            service, reader, entry.Id);
        if (!manifest.IsOk)
        {
            return manifest.Fault;
        }

        Result possible = CheckPossible(service, manifest.Value, reader);
        if (!possible.IsOk)
        {
            return possible.Fault;
        }

        Result<MasterKey> key = service.Keys.Find(manifest.Value.KeyId);
        if (!key.IsOk)
        {
            return key.Fault;
        }

        using StripeSlots slots = StripeSlots.Rent(
            service, manifest.Value.Geometry, key.Value, entry.Id);
        var transfer = new GetTransfer(
            service, manifest.Value, reader, target, watch, slots);
        Result moved = await transfer.MoveStripesAsync();
        await transfer.DrainAsync();
        return moved.IsOk ? transfer.Describe() : moved.Fault;
    }

    /// <summary>
    /// Finds out before the first byte whether the object can be restored here at all.
    /// </summary>
    private static Result CheckPossible(
        StorageService service, Manifest manifest, ObjectReader reader)
    {
        int needed = manifest.Geometry.Redundancy.DataShards;
        int total = manifest.Geometry.Redundancy.TotalShards;
        int available = ObjectLocator.ShardsAvailable(manifest, reader);
        if (available < needed)
        {
            return new Fault(
                FaultCode.Unavailable,
                $"object \"{manifest.Name}\" needs {needed} of {total} shards, has {available}",
                "bring the missing devices back; pangea stat shows which");
        }

        return StripeSlot.SlabBytesFor(manifest.Geometry) <= service.SlabBytes
            ? Result.Ok
            : new Fault(
                FaultCode.Unsupported,
                $"object \"{manifest.Name}\" has stripes of {manifest.Geometry.StripeBytes} "
                    + $"bytes in {manifest.Geometry.Redundancy}, too large for the buffers",
                "set storage.stripeBytes at least that high and restart the appliance");
    }

    private async ValueTask<Result> MoveStripesAsync()
    {
        int stripes = _manifest.Stripes.Count;
        StartRestoring(stripes);
        for (int stripe = 0; stripe < stripes; stripe++)
        {
            StripeSlot slot = _slots[stripe];
            ValueTask<Result> restoring = _restoring[stripe % _slots.Count];
            _restoring[stripe % _slots.Count] = default;
            Result restored = await restoring;
            if (!restored.IsOk)
            {
                return restored;
            }

            SysResult written = await _target.WriteFullyAsync(
                slot.PlainSlice(0, slot.Job.Stripe.PlainBytes), _watch, _manifest.Bytes);
            if (_watch.Token.IsCancellationRequested)
            {
                return _watch.Ending;
            }

            if (!written.IsOk)
            {
                return WriteFault(written.Errno);
            }

            StartRestoring(stripes, upTo: stripe + 1 + _slots.Count);
        }

        _target.AdvancePosition();
        return Result.Ok;
    }

    private static Fault WriteFault(Errno errno) => errno == Errno.ENOSPC || errno == Errno.EDQUOT
        ? errno.ToFault("write to the caller's file", "give its file system more room")
        : errno.ToFault("write to the caller's descriptor") with { Code = FaultCode.BadDescriptor };

    private void StartRestoring(int stripes, int upTo = StripeSlots.PerTransfer)
    {
        for (; _started < Math.Min(stripes, upTo); _started++)
        {
            StripeInfo info = _manifest.Stripe(_started);
            long offset = _nextOffset;
            _nextOffset += ShardFile.RecordBytes(info.ShardBytes);
            Array.Clear(_slots[_started].Shards);
            _restoring[_started % _slots.Count] = RestoreAsync(_slots[_started], info, offset);
        }
    }

    /// <summary>
    /// One stripe from devices to plain bytes. Where the first shards do not suffice, or one of
    /// them is forged so that only the authentication notices, all others are read too.
    /// </summary>
    private async ValueTask<Result> RestoreAsync(StripeSlot slot, StripeInfo info, long offset)
    {
        await LoadAsync(slot, info, offset, additional: false);
        Result restored = await slot.Job.OpenAsync(_service.Threads, info);
        if (restored.Fault is { Code: FaultCode.Unavailable or FaultCode.Corrupt })
        {
            await LoadAsync(slot, info, offset, additional: true);
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
    private async ValueTask LoadAsync(
        StripeSlot slot, StripeInfo info, long offset, bool additional)
    {
        int needed = _manifest.Geometry.Redundancy.DataShards;
        StripeImage image = slot.Image(info.ShardBytes);
        UInt128 started = 0;
        int count = 0;
        for (int shard = 0; shard < slot.Shards.Length && (additional || count < needed); shard++)
        {
            DeviceId device = DeviceOf(info, shard);
            if (slot.Shards[shard] == ShardState.Missing && _reader.Has(device))
            {
                slot.Operations[shard] = _reader.ReadShardAsync(
                    device, offset, image.Header(shard), image.Payload(shard));
                started |= UInt128.One << shard;
                count++;
            }
        }

        for (int shard = 0; shard < slot.Shards.Length; shard++)
        {
            if ((started & (UInt128.One << shard)) != 0)
            {
                SysResult read = await slot.Operations[shard];
                slot.Shards[shard] = read.IsOk ? ShardState.Read : ShardState.Missing;
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
            if (damaged || (!usable && !_reader.Has(DeviceOf(info, shard))))
            {
                _shardsLost++;
            }

            repaired |= shard < dataShards && !usable;
        }

        _stripesRepaired += repaired ? 1 : 0;
    }

    private DeviceId DeviceOf(in StripeInfo info, int shard) =>
        _placement[_placement.PositionOf((long)info.StripeIndex, shard)];

    private async ValueTask DrainAsync()
    {
        for (int turn = 0; turn < _restoring.Length; turn++)
        {
            ValueTask<Result> load = _restoring[turn];
            _restoring[turn] = default;
            await load; // Its outcome no longer matters.
        }
    }

    private ObjectGetResult Describe() => new()
    {
        Name = _manifest.Name.Text,
        Id = _manifest.ObjectId.ToString(),
        Bytes = _manifest.Bytes,
        Sha256 = Convert.ToHexStringLower(_manifest.ContentHash.AsSpan()),
        Stripes = _manifest.Stripes.Count,
        StripesRepaired = _stripesRepaired,
        ShardsLost = _shardsLost,
    };
}
