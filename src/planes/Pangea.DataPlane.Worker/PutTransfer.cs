using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;

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
    private readonly PutRequest _request;
    private readonly CallerFile _source;
    private readonly TransferWatch _watch;
    private readonly StripeGeometry _geometry;
    private readonly StripeSlots _slots;
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
    private readonly long? _announced;
    private long _read;
    private ReadOnlyMemory<byte> _prefix;
    private long _bytes;
    private long _sealed;
    private long _written;

    private PutTransfer(
        StorageService service, PutRequest request, CallerFile source, TransferWatch watch,
        StripeSlots slots, ObjectWriter writer)
    {
        _service = service;
        _request = request;
        _source = source;
        _watch = watch;
        _geometry = request.Kind.Geometry;
        _compression = request.Kind.Compression;
        _governor = _compression == CompressionMode.Adaptive ? new CompressionGovernor() : null;
        _announced = request.Call.Bytes;
        _slots = slots;
        _writer = writer;
        _writes = new ValueTask<Result>[slots.Count];
        _writing = new bool[slots.Count];
        _sealing = new ValueTask<Result>[slots.Count];
    }

    /// <summary>Takes slots and devices; with a transfer permit in hand only.</summary>
    public static Result<PutTransfer> Create(
        StorageService service, PutRequest request, CallerFile source, TransferWatch watch)
    {
        StripeGeometry geometry = request.Kind.Geometry;
        var id = ObjectId.New();
        Result<ObjectWriter> writer = ObjectWriter.Create(
            service.Devices, geometry.Redundancy, id,
            service.DevicesNeeded(geometry.Redundancy));
        if (!writer.IsOk)
        {
            return writer.Fault;
        }

        StripeSlots slots = StripeSlots.Rent(service, geometry, request.Key, id);
        return new PutTransfer(service, request, source, watch, slots, writer.Value);
    }

    /// <summary>
    /// The first bytes of the content, where they were read already; may be more than a stripe.
    /// </summary>
    public void Preload(ReadOnlySpan<byte> bytes) => _prefix = bytes.ToArray();

    /// <summary>
    /// Stores what the source holds and gives everything back. With a fault nothing was stored.
    /// </summary>
    public async ValueTask<Result<PutOutcome>> RunAsync()
    {
        ObjectId id = _writer.Commit.Id;
        _service.InFlight.Add(id);
        _service.Writers.Add(_writer);
        using StripeSlots slots = _slots;
        using IncrementalHash hash = _hash;
        Result moved = await MoveStripesAsync();
        Result drained = await DrainAsync(moved);
        Result outcome = drained.IsOk
            ? _request.CheckComplete(_service, _bytes, _watch)
            : drained;
        Result<PutOutcome> result = outcome.IsOk ? await CommitAsync() : outcome.Fault!;
        if (!outcome.IsOk)
        {
            _writer.Abort();
        }

        _service.InFlight.Remove(id);
        _service.Writers.Remove(_writer);
        return result;
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> FillAsync(long stripe)
    {
        StripeSlot slot = _slots[stripe];
        int ready = Math.Min(_prefix.Length, _geometry.StripeBytes);
        _prefix.Span[..ready].CopyTo(slot.Plain(ready));
        _prefix = _prefix[ready..];
        SysResult read = await _source.ReadFullyAsync(
            slot.PlainSlice(ready, _geometry.StripeBytes - ready), _watch);
        if (_watch.Token.IsCancellationRequested)
        {
            return _watch.Ending;
        }

        if (!read.IsOk)
        {
            return CallerFile.ReadFault(read.Errno);
        }

        slot.PlainBytes = ready + (int)read.Value;
        _read += slot.PlainBytes;
        return _announced is { } announced && _read > announced
            ? PutRequest.WrongLength(announced, $"more than {announced}")
            : Result.Ok;
    }

    private void DetectType(StripeSlot first)
    {
        int head = Math.Min(first.PlainBytes, FileTypeDetector.HeadBytesMax);
        _fileType = FileTypeDetector.Detect(first.Plain(head), _request.Name.Text);
        _level = CompressionPolicy.Choose(_compression, _fileType);
    }

    /// <summary>
    /// Starts computing the stripe's shards. Stripes are written in their order, so the one that
    /// has been computed longest is waited for first, once as many are under way as there are
    /// threads.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> SealAsync(long stripe, bool isLast)
    {
        StripeSlot slot = _slots[stripe];
        _sealing[stripe % _slots.Count] = slot.Job.SealAsync(
            _service.Threads, stripe, isLast, _governor?.Limit(_level) ?? _level);
        _sealed = stripe + 1;

        // The hash is taken while another thread compresses.
        _hash.AppendData(slot.Plain(slot.PlainBytes));
        _bytes += slot.PlainBytes;
        int aheadMax = Math.Clamp(_service.Threads.Count + 1, 1, _slots.Count - 2);
        return _sealed - _written >= aheadMax
            ? await WriteNextAsync()
            : Result.Ok;
    }

    /// <summary>Starts writing the oldest stripe that is being computed.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
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
                stripe, slot.Image(slot.Job.Stripe.ShardBytes), slot.Appends);
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
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
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

    private async ValueTask<Result<PutOutcome>> CommitAsync()
    {
        using NameClaim claim = _service.Versions.Claim(_request.Name);
        Manifest manifest = ObjectPut.Describe(
            _request, _writer.Commit, _geometry, StripeImage.HeaderStride, _table,
            claim.CreatedMs, _bytes, _hash.GetHashAndReset(), _fileType);
        CommitTerms terms = ObjectPut.TermsOf(_request, _writer.Commit, claim.CreatedMs);
        long epoch = _service.Commits.Enter();
        Result committed = await _writer.CommitAsync(
            terms, ManifestCodec.Encode(manifest, _request.Key));
        Result<PutOutcome> result = committed.IsOk
            ? ObjectPut.Publish(
                _service, _request, _writer.Commit, terms, _bytes, _table.Count,
                ContentHash.Read(manifest.ContentHash.AsSpan()), _writer.FrameBytes)
            : committed.Fault!;
        if (!committed.IsOk)
        {
            _service.Refusals.Note(_writer.Commit);
        }

        _service.Commits.Leave(epoch);
        if (committed.IsOk)
        {
            _source.AdvancePosition();
        }

        return result;
    }
}
