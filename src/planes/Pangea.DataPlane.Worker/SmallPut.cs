// HOT PATH. Per 4 KiB object of 8+4: one read of 4 KiB, SHA-256 and ChaCha20 over 4 KiB each, five
// HMACs over some 100 bytes, parity and CRC over 6 KiB, 12 entries of 1.2 KiB copied into batches.
// No system call of its own but the read: the flush is shared by all puts under way. What stays
// allocated is the catalog's entry.
using System.Security.Cryptography;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The steps of a put of an object of one stripe whose shards are packed into the commit entries,
/// one entry for each device: nothing else is written, and the group commit of each device takes it
/// along. <see cref="PutJob"/> waits between the steps.
/// </summary>
internal sealed class SmallPut(StorageService service)
{
    private PutRequest _request;
    private CallerFile _source = null!;
    private TransferWatch _watch = null!;
    private SmallSlot _slot = null!;
    private Fault? _fault;
    private bool _isAtEnd;
    private NameClaim _claim;
    private CommitTerms _terms;
    private ContentHash _hash;
    private int _stripes;
    private long _epoch;

    public SmallSlot Slot => _slot;

    /// <summary>Read so far.</summary>
    public int Bytes { get; private set; }

    /// <summary>The source has not ended, and may still prove to be small.</summary>
    public bool WantsMore => _fault is null && !_isAtEnd && Bytes <= _request.Kind.SmallBytes;

    /// <summary>The source has nothing to read now.</summary>
    public bool MustWait { get; private set; }

    /// <summary>It is no small object; the slot has its first bytes and is the caller's.</summary>
    public bool IsTooLong => _fault is null && Bytes > _request.Kind.SmallBytes;

    /// <summary>Commit entries are on their way.</summary>
    public bool IsCommitting { get; private set; }

    /// <summary>Takes a slot; with a permit in hand only.</summary>
    public void Begin(in PutRequest request, CallerFile source, TransferWatch watch)
    {
        (_request, _source, _watch) = (request, source, watch);
        _slot = service.Small.Rent(request.Kind.Geometry.Redundancy);
        (_fault, _isAtEnd, Bytes, MustWait, IsCommitting) = (null, false, 0, false, false);
    }

    /// <summary>Reads on, to the end or one byte beyond what a small object may have.</summary>
    public ValueTask<SysResult> ReadAsync() => _source.ReadAsync(
        _slot.PlainSlice(Bytes, _request.Kind.SmallBytes + 1 - Bytes), _watch.Token);

    public ValueTask<SysResult> WaitAsync() => _source.WaitAsync(PollEvents.Readable, _watch.Token);

    /// <summary>What a read gave.</summary>
    public void Took(SysResult read)
    {
        MustWait = read.Errno == Errno.EAGAIN && !_watch.Token.IsCancellationRequested;
        if (_watch.Token.IsCancellationRequested)
        {
            _fault = _watch.Ending;
        }
        else if (read.IsOk)
        {
            Bytes += (int)read.Value;
            _isAtEnd = _source.Took(read.Value, _watch);
            _fault = _request.Call.Bytes is { } announced && Bytes > announced
                ? PutRequest.WrongLength(announced, $"more than {announced}")
                : null;
        }
        else if (!MustWait)
        {
            _fault = CallerFile.ReadFault(read.Errno);
        }
    }

    /// <summary>Seals what was read and sends the commit entries on their way.</summary>
    public void Store()
    {
        ObjectCommit commit = _slot.Commit;
        Redundancy redundancy = _request.Kind.Geometry.Redundancy;
        _fault ??= _request.CheckComplete(service, Bytes, _watch).Fault;
        _fault ??= commit.Begin(
            service.Devices, redundancy, ObjectId.New(), service.DevicesNeeded(redundancy)).Fault;
        if (_fault is not null)
        {
            return;
        }

        ReadOnlySpan<byte> plain = _slot.Plain(Bytes);
        FileType type = FileTypeDetector.Detect(
            plain[..Math.Min(Bytes, FileTypeDetector.HeadBytesMax)], _request.Name.Text);
        Span<byte> hash = stackalloc byte[ContentHash.Bytes];
        SHA256.HashData(plain, hash);
        _hash = ContentHash.Read(hash);
        StripeInfo? stripe = Bytes == 0 ? null : Seal(plain, type);
        _stripes = stripe is null ? 0 : 1;
        _claim = service.Versions.Claim(_request.Name);
        _terms = ObjectPut.TermsOf(_request, commit, _claim.CreatedMs);
        ReadOnlyMemory<byte> manifest = WriteManifest(stripe, hash, type);
        _epoch = service.Commits.Enter();
        service.InFlight.Add(commit.Id);
        IsCommitting = true;
        int shardBytes = stripe?.ShardBytes ?? 0;
        commit.BeginCommit(
            _terms,
            manifest,
            stripe is null ? default : _slot.PackShards(shardBytes),
            SmallSlot.HeaderStride + shardBytes,
            null);
    }

    /// <summary>Publishes what was made durable and gives everything back.</summary>
    public Result<PutOutcome> End()
    {
        Result<PutOutcome> outcome = default;
        if (IsCommitting)
        {
            ObjectCommit commit = _slot.Commit;
            _fault = commit.CheckQuorum().Fault;
            if (_fault is null)
            {
                outcome = ObjectPut.Publish(
                    service, _request, commit, _terms, Bytes, _stripes, _hash, 0);
            }
            else
            {
                service.Refusals.Note(commit);
            }

            service.InFlight.Remove(commit.Id);
            service.Commits.Leave(_epoch);
            _claim.Dispose();
            if (_fault is null)
            {
                _source.AdvancePosition();
            }
        }

        service.Small.Return(_slot);
        (_source, _watch, _slot, _request) = (null!, null!, null!, default);
        return _fault is null ? outcome : _fault;
    }

    private StripeInfo Seal(ReadOnlySpan<byte> plain, FileType type)
    {
        _slot.Cipher.Begin(_request.Key, _slot.Commit.Id);
        StripeInfo stripe = service.Threads.LoopCodec.Encode(
            _slot.Cipher, _request.Kind.SmallGeometry, 0, isLast: true, plain,
            CompressionPolicy.Choose(_request.Kind.Compression, type),
            _slot.Headers, SmallSlot.HeaderStride, _slot.Payload);
        _slot.Cipher.End();
        return stripe;
    }

    private ReadOnlyMemory<byte> WriteManifest(
        StripeInfo? stripe, ReadOnlySpan<byte> hash, FileType type)
    {
        ObjectCommit commit = _slot.Commit;
        Span<UInt128> devices = stackalloc UInt128[Limits.DevicesMax];
        devices = devices[..commit.Positions];
        for (int position = 0; position < devices.Length; position++)
        {
            devices[position] = commit.DeviceOf(position).Id.Value.Value;
        }

        var parts = new ManifestParts
        {
            Name = _request.Name,
            ObjectId = commit.Id,
            CreatedMs = _claim.CreatedMs,
            Bytes = Bytes,
            ContentHash = hash,
            Geometry = _request.Kind.SmallGeometry,
            HeaderStride = SmallSlot.HeaderStride,
            FileType = type,
            OnlyStripe = stripe,
            Devices = devices,
        };
        return _slot.Manifest[..ManifestCodec.Write(parts, _request.Key, _slot.Manifest.Span)];
    }
}
