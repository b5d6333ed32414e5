using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// One put: caller's file -> stripes -> CES -> shards on devices -> manifest -> catalog.
/// </summary>
/// <remarks>
/// Per 1 MiB stripe of 8+4 that does not compress: 1 read of 1 MiB, 12 writes of 132 KiB, SHA-256
/// and ChaCha20 over 1 MiB each, one parity pass. While stripes are computed the next is being read
/// and those before them are being written.
/// </remarks>
internal sealed class PutTransfer
{
    private readonly StorageService _service;
    private readonly CallerFile _source;
    private readonly TransferWatch _watch;
    private readonly ObjectName _name;
    private readonly StripeGeometry _geometry;
    private readonly StripeSlots _slots;
    private readonly ObjectId _id;
    private readonly MasterKey _key;
    private readonly CompressionMode _compression;
    private readonly CompressionGovernor? _governor;
    private readonly ObjectWriter _writer;
    private readonly StripeTable _table = new();
    private readonly ValueTask<Result>[] _writes;
    private readonly bool[] _writing;
    private readonly ValueTask<Result>[] _sealing;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private FileType _fileType;
    private CompressionLevel _level;
    private long? _announced;
    private long _read;
    private long _bytes;
    private long _sealed;
    private long _written;

    private PutTransfer(
        StorageService service, ObjectName name, CallerFile source, TransferWatch watch,
        ObjectClass kind, MasterKey key, ObjectId id, StripeSlots slots, ObjectWriter writer)
    {
        _service = service;
        _name = name;
        _source = source;
        _watch = watch;
        _geometry = kind.Geometry;
        _compression = kind.Compression;
        _governor = _compression == CompressionMode.Adaptive ? new CompressionGovernor() : null;
        _slots = slots;
        _id = id;
        _key = key;
        _writer = writer;
        _writes = new ValueTask<Result>[slots.Count];
        _writing = new bool[slots.Count];
        _sealing = new ValueTask<Result>[slots.Count];
    }

    /// <summary>
    /// Stores what the source holds. With a fault nothing was stored and nothing is left behind.
    /// </summary>
    public static async ValueTask<Result<ObjectPutResult>> RunAsync(
        StorageService service, ObjectPutParameters call, CallerFile source, TransferWatch watch)
    {
        Result<ObjectName> name = ObjectName.Parse(call.Name);
        if (!name.IsOk)
        {
            return name.Fault;
        }

        if (call.NoClobber && service.IsTaken(name.Value))
        {
            return service.NameTaken(name.Value);
        }

        Result<ObjectClass> kind = service.ClassOf(call.Class);
        if (!kind.IsOk)
        {
            return kind.Fault;
        }

        StripeGeometry geometry = kind.Value.Geometry;
        MasterKey key = service.Keys.Current; // A rotation meanwhile is for the next put.
        var id = ObjectId.New();
        Result<ObjectWriter> writer = ObjectWriter.Create(
            service.Reactor, service.Pool, service.Devices, geometry.Redundancy, id);
        if (!writer.IsOk)
        {
            return writer.Fault;
        }

        using StripeSlots slots = StripeSlots.Rent(service, geometry, key, id);
        var transfer = new PutTransfer(
            service, name.Value, source, watch, kind.Value, key, id, slots, writer.Value);
        using (transfer._hash)
        {
            return await transfer.RunAsync(call);
        }
    }

    private async ValueTask<Result<ObjectPutResult>> RunAsync(ObjectPutParameters call)
    {
        _announced = call.Bytes;
        Result moved = await MoveStripesAsync();
        Result drained = await DrainAsync(moved);
        Result outcome = drained.IsOk ? CheckComplete(call) : drained;
        if (!outcome.IsOk)
        {
            _writer.Abort();
            return outcome.Fault;
        }

        return await CommitAsync(call);
    }

    /// <summary>
    /// Reads one stripe ahead, because a stripe must know whether it is the last when it is sealed.
    /// </summary>
    private async ValueTask<Result> MoveStripesAsync()
    {
        Result read = await FillAsync(0);
        if (!read.IsOk)
        {
            return read;
        }

        DetectType(_slots[0]);
        for (long stripe = 0; _slots[stripe].PlainBytes > 0; stripe++)
        {
            bool isLast = _slots[stripe].PlainBytes < _geometry.StripeBytes;
            Result free = await WaitForSlotAsync(stripe + 1);
            if (!free.IsOk)
            {
                return free;
            }

            if (isLast)
            {
                _slots[stripe + 1].PlainBytes = 0;
            }
            else
            {
                read = await FillAsync(stripe + 1);
                if (!read.IsOk)
                {
                    return read;
                }

                isLast = _slots[stripe + 1].PlainBytes == 0;
            }

            Result sealedStripe = await SealAsync(stripe, isLast);
            if (!sealedStripe.IsOk)
            {
                return sealedStripe;
            }
        }

        return Result.Ok;
    }

    private async ValueTask<Result> FillAsync(long stripe)
    {
        StripeSlot slot = _slots[stripe];
        SysResult read = await _source.ReadFullyAsync(
            slot.PlainSlice(0, _geometry.StripeBytes), _watch);
        if (_watch.Token.IsCancellationRequested)
        {
            return _watch.Ending;
        }

        if (!read.IsOk)
        {
            return read.Errno.ToFault("read the caller's descriptor") with
            {
                Code = FaultCode.BadDescriptor,
            };
        }

        slot.PlainBytes = (int)read.Value;
        _read += read.Value;
        return _announced is { } announced && _read > announced
            ? WrongLength(announced, $"more than {announced}")
            : Result.Ok;
    }

    private void DetectType(StripeSlot first)
    {
        int head = Math.Min(first.PlainBytes, FileTypeDetector.HeadBytesMax);
        _fileType = FileTypeDetector.Detect(first.Plain(head), _name.Text);
        _level = CompressionPolicy.Choose(_compression, _fileType);
    }

    /// <summary>
    /// Starts computing the stripe's shards. Stripes are written in their order, so the one that
    /// has been computed longest is waited for first, once as many are under way as there are
    /// threads.
    /// </summary>
    private async ValueTask<Result> SealAsync(long stripe, bool isLast)
    {
        StripeSlot slot = _slots[stripe];
        _sealing[stripe % _slots.Count] = slot.Job.SealAsync(
            _service.Threads, stripe, isLast, _governor?.Limit(_level) ?? _level);
        _sealed = stripe + 1;

        // The hash is taken while another thread compresses.
        _hash.AppendData(slot.Plain(slot.PlainBytes));
        _bytes += slot.PlainBytes;
        int aheadMax = Math.Clamp(_service.Threads.Count, 1, _slots.Count - 1);
        return _sealed - _written >= aheadMax
            ? await WriteNextAsync()
            : Result.Ok;
    }

    /// <summary>Starts writing the oldest stripe that is being computed.</summary>
    private async ValueTask<Result> WriteNextAsync()
    {
        long stripe = _written++;
        int turn = (int)(stripe % _slots.Count);
        ValueTask<Result> job = _sealing[turn];
        _sealing[turn] = default;

        // The next stripe has been read by now: whoever waits here waits for the compressor.
        bool inputWaits = _service.Threads.Count == 0 || !job.IsCompleted;
        Result made = await job;
        _governor?.Observe(inputWaits, IsOutputIdle());
        StripeSlot slot = _slots[stripe];
        made = made.IsOk ? _table.Add(slot.Job.Stripe) : made;
        if (made.IsOk)
        {
            _writes[turn] = _writer.WriteStripeAsync(
                stripe, slot.Image(slot.Job.Stripe.ShardBytes), slot.Operations);
            _writing[turn] = true;
        }

        return made;
    }

    private bool IsOutputIdle()
    {
        for (int turn = 0; turn < _slots.Count; turn++)
        {
            if (_writing[turn] && !_writes[turn].IsCompleted)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Waits until the slot's former stripe is on the devices.</summary>
    private async ValueTask<Result> WaitForSlotAsync(long stripe)
    {
        Invariant.Check(
            stripe - _slots.Count < _written, "a slot is free once its stripe is being written");
        int turn = (int)(stripe % _slots.Count);
        if (!_writing[turn])
        {
            return Result.Ok;
        }

        _writing[turn] = false;
        return await _writes[turn];
    }

    /// <summary>Ends all that is under way, whatever came before.</summary>
    private async ValueTask<Result> DrainAsync(Result outcome)
    {
        while (_written < _sealed)
        {
            if (outcome.IsOk)
            {
                outcome = await WriteNextAsync();
            }
            else
            {
                // A failed put only waits for the threads to let go of its slots.
                int turn = (int)(_written++ % _slots.Count);
                ValueTask<Result> job = _sealing[turn];
                _sealing[turn] = default;
                _ = await job;
            }
        }

        for (int turn = 0; turn < _slots.Count; turn++)
        {
            bool writing = _writing[turn];
            _writing[turn] = false;
            Result written = writing ? await _writes[turn] : Result.Ok;
            outcome = outcome.IsOk ? written : outcome;
        }

        return outcome;
    }

    private Result CheckComplete(ObjectPutParameters call)
    {
        if (_watch.Token.IsCancellationRequested)
        {
            return _watch.Ending;
        }

        if (call.Bytes is { } expected && expected != _bytes)
        {
            return WrongLength(expected, _bytes.ToString(CultureInfo.InvariantCulture));
        }

        return call.NoClobber && _service.IsTaken(_name) ? _service.NameTaken(_name) : Result.Ok;
    }

    private static Fault WrongLength(long announced, string given) => new(
        FaultCode.BadDescriptor,
        $"the descriptor gave {given} bytes, the call announced {announced}",
        "the file changed meanwhile, or its writer ended early; call again");

    private async ValueTask<Result<ObjectPutResult>> CommitAsync(ObjectPutParameters call)
    {
        using NameClaim claim = _service.Claim(_name);
        Manifest manifest = DescribeObject(claim.CreatedMs);
        byte[] encoded = ManifestCodec.Encode(manifest, _key);
        Result<CommitReceipt> receipt = await _writer.CommitAsync(encoded, _slots[0].Lease);
        if (!receipt.IsOk)
        {
            return receipt.Fault;
        }

        long storedBytes = _writer.FileBytes * receipt.Value.DevicesCommitted;
        var entry = new ObjectEntry(
            _name, _id, claim.CreatedMs, _bytes, storedBytes, _geometry.Redundancy.DataShards,
            receipt.Value.DeviceMask);
        bool replaced = _service.Publish(entry);
        _source.AdvancePosition();
        return new ObjectPutResult
        {
            Name = _name.Text,
            Id = _id.ToString(),
            Bytes = _bytes,
            StoredBytes = storedBytes,
            Stripes = _table.Count,
            Sha256 = Convert.ToHexStringLower(manifest.ContentHash.AsSpan()),
            Replaced = replaced,
            DevicesCommitted = receipt.Value.DevicesCommitted,
            DevicesTotal = receipt.Value.DevicesTotal,
        };
    }

    private Manifest DescribeObject(long createdMs)
    {
        ImmutableArray<UInt128>.Builder devices =
            ImmutableArray.CreateBuilder<UInt128>(_writer.Placement.Positions);
        foreach (DeviceId device in _writer.Placement.Devices)
        {
            devices.Add(device.Value.Value);
        }

        return new Manifest
        {
            Name = _name,
            ObjectId = _id,
            KeyId = _key.Id,
            Created = DateTimeOffset.FromUnixTimeMilliseconds(createdMs),
            Bytes = _bytes,
            ContentHash = [.. _hash.GetHashAndReset()],
            Geometry = _geometry,
            HeaderStride = ShardFile.BlockBytes,
            FileType = _fileType,
            Stripes = _table,
            Devices = devices.MoveToImmutable(),
        };
    }
}
