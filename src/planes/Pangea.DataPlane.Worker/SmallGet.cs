// HOT PATH. Per 4 KiB object of 8+4: 8 reads of one or two blocks side by side, SHA-256 of nothing,
// three HMACs over some 100 bytes, ChaCha20 over 4 KiB, one write of 4 KiB. No allocation.
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;
using ShardState = Pangea.DataPlane.Ces.ShardState;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The steps of a get of an object whose shards are packed into its commit entries: the entries of
/// k positions are read, and all others where those do not suffice. <see cref="GetJob"/> waits
/// between the steps.
/// </summary>
internal sealed class SmallGet(StorageService service)
{
    private SmallSlot _slot = null!;
    private ObjectEntry _entry = null!;
    private PackedManifest? _manifest;
    private Fault? _fault;
    private Fault? _unread;
    private ulong _tried;
    private ulong _reading;
    private ulong _missed;
    private int _areaBytes;
    private int _turn;
    private BufferSlice _toWrite;
    private long _total;

    /// <summary>Not restored yet, and there are positions that were not tried.</summary>
    public bool WantsMore { get; private set; }

    /// <summary>The target takes nothing now.</summary>
    public bool MustWait { get; private set; }

    public bool HasMoreToWrite => _fault is null && _toWrite.Bytes > 0;

    /// <summary>What is still to be written.</summary>
    public BufferSlice ToWrite => _toWrite;

    /// <summary>Takes a slot; with a permit in hand only.</summary>
    public void Begin(ObjectEntry entry)
    {
        var redundancy = new Redundancy(entry.DataShards, entry.ParityShards);
        _slot = service.Small.Rent(redundancy);
        _entry = entry;
        (_manifest, _fault, _unread) = (null, null, null);
        (_tried, _reading, _missed) = (0, 0, 0);
        WantsMore = true;
        _areaBytes = SmallSlot.EntryAreaBytes(
            ObjectClass.SmallGeometryOf(redundancy, Limits.StripeBytesMin));
    }

    /// <summary>Begins to read k entries that were not tried yet, side by side.</summary>
    public void Load()
    {
        int turn = 0;
        for (int position = 0;
            position < _entry.Locations.Length && turn < _entry.DataShards;
            position++)
        {
            PositionSource source = Source(position);
            if ((_tried & (1UL << position)) == 0 && source.IsHere && Fits(source.Commit))
            {
                _slot.Reads[position] = source.Device!.Log!.ReadInlineAsync(
                    source.Commit, _slot.EntryArea(turn++, _areaBytes));
                _reading |= 1UL << position;
            }
        }

        _tried |= _reading;
        _turn = 0;
        if (turn == 0)
        {
            // What is left does not fit where entries are read: no entry of ours.
            _tried = ulong.MaxValue;
        }
    }

    public bool IsReading(int position) => (_reading & (1UL << position)) != 0;

    public ValueTask<Result<InlineShard>> Reading(int position)
    {
        ValueTask<Result<InlineShard>> read = _slot.Reads[position];
        _slot.Reads[position] = default;
        return read;
    }

    /// <summary>An entry was read; called in the order of the positions.</summary>
    public void Took(int position, Result<InlineShard> read)
    {
        _reading &= ~(1UL << position);
        int turn = _turn++;
        if (read.IsOk)
        {
            Take(position, turn, read.Value);
        }
    }

    /// <summary>Restores the content from what was read, if it suffices.</summary>
    public void Open()
    {
        // Forged shards are outvoted by the others, so after the first such fault all are read.
        bool wasForged = _fault?.Code == FaultCode.Corrupt;
        if (!wasForged || !HasUntried())
        {
            _fault = TryOpen();
        }

        WantsMore = _fault is { Code: FaultCode.Unavailable or FaultCode.Corrupt } && HasUntried();
    }

    public void BeginWrite(GetRange range)
    {
        MustWait = false;
        _total = range.Bytes;
        _toWrite = default;
        if (_fault is null)
        {
            ReportLosses();
            _toWrite = _slot.PlainSlice((int)range.Offset, (int)range.Bytes);
        }
    }

    /// <summary>What a write to the target came to.</summary>
    public void Wrote(SysResult written, CallerFile target, TransferWatch watch)
    {
        MustWait = written.Errno == Errno.EAGAIN && !watch.Token.IsCancellationRequested;
        if (watch.Token.IsCancellationRequested)
        {
            _fault = watch.Ending;
        }
        else if (written.IsOk && written.Value > 0)
        {
            _toWrite = _toWrite.Skip((int)written.Value);
            target.Wrote(written.Value, _total, watch);
        }
        else if (!MustWait)
        {
            _fault = CallerFile.WriteFault(written.IsOk ? Errno.EIO : written.Errno);
        }
    }

    /// <summary>Gives everything back.</summary>
    public Result<GetFindings> End()
    {
        Result<GetFindings> found = _fault is null ? Findings() : _fault;
        service.Small.Return(_slot);
        (_slot, _entry, _manifest) = (null!, null!, null);
        return found;
    }

    private GetFindings Findings()
    {
        PackedManifest manifest = _manifest!.Value;
        long stripes = manifest.Stripe is null ? 0 : 1;
        bool repaired = false;
        for (int position = 0; stripes > 0 && position < _entry.DataShards; position++)
        {
            repaired |= !IsUsable(position);
        }

        return new GetFindings(
            manifest.ContentHash, stripes, repaired ? 1 : 0,
            System.Numerics.BitOperations.PopCount(_missed));
    }

    private bool HasUntried()
    {
        for (int position = 0; position < _entry.Locations.Length; position++)
        {
            if ((_tried & (1UL << position)) == 0 && Source(position).IsHere)
            {
                return true;
            }
        }

        return false;
    }

    private PositionSource Source(int position) =>
        service.Ordinals.SourceOf(_entry, position);

    private bool Fits(LogAddress commit)
    {
        long start = commit.Offset & (LogFormat.BlockBytes - 1);
        return LogFormat.RoundUpToBlock(start + commit.Bytes) <= _areaBytes;
    }

    /// <summary>Moves a shard that was read to where the codec wants it.</summary>
    private void Take(int position, int turn, InlineShard read)
    {
        ReadOnlySpan<byte> area = service.Pool.Span(_slot.EntryArea(turn, _areaBytes));
        if (_manifest is null)
        {
            Result<PackedManifest> manifest = ManifestCodec.DecodePacked(
                area.Slice(read.ManifestStart, read.ManifestBytes), service.Keys);
            if (!manifest.IsOk || manifest.Value.ObjectId != _entry.Id)
            {
                _unread ??= manifest.Fault;
                return;
            }

            _manifest = manifest.Value;
        }

        if (_manifest.Value.Stripe is not { } stripe
            || read.ShardBytes != SmallSlot.HeaderStride + stripe.ShardBytes)
        {
            return;
        }

        ReadOnlySpan<byte> shard = area.Slice(read.ShardStart, read.ShardBytes);
        shard[..SmallSlot.HeaderStride].CopyTo(
            _slot.Headers[(position * SmallSlot.HeaderStride)..]);
        shard[SmallSlot.HeaderStride..].CopyTo(_slot.Payload[(position * stripe.ShardBytes)..]);
        _slot.Shards[position] = ShardState.Read;
    }

    private Fault? TryOpen()
    {
        if (_manifest is not { } manifest)
        {
            return HasUntried() || _unread is null
                ? ObjectGet.TooFew(_entry, _slot.Shards.Count(ShardState.Read))
                : _unread;
        }

        if (manifest.Stripe is not { } stripe)
        {
            return null;
        }

        Result<MasterKey> key = service.Keys.Find(manifest.KeyId);
        if (!key.IsOk)
        {
            return key.Fault;
        }

        int usable = _slot.Shards.Count(ShardState.Read) + _slot.Shards.Count(ShardState.Ok)
            + _slot.Shards.Count(ShardState.Contradicting);
        if (usable < _entry.DataShards)
        {
            return ObjectGet.TooFew(_entry, usable);
        }

        _slot.Cipher.Begin(key.Value, _entry.Id);
        Result opened = service.Threads.LoopCodec.Decode(
            _slot.Cipher, manifest.Geometry, stripe, _slot.Headers, SmallSlot.HeaderStride,
            _slot.Payload, _slot.Shards, _slot.Plain(stripe.PlainBytes));
        _slot.Cipher.End();
        return opened.Fault;
    }

    private bool IsUsable(int position) =>
        _slot.Shards[position] is ShardState.Ok or ShardState.Read;

    /// <summary>What must be made anew is reported, and counted for the caller.</summary>
    private void ReportLosses()
    {
        if (_manifest!.Value.Stripe is null)
        {
            return;
        }

        for (int position = 0; position < _entry.Locations.Length; position++)
        {
            bool wasTried = (_tried & (1UL << position)) != 0;
            if (!IsUsable(position) && (wasTried || !Source(position).IsHere))
            {
                _missed |= 1UL << position;
            }
        }

        if (_missed != 0)
        {
            service.Heal.Report(_entry.Id, _missed);
        }
    }
}
