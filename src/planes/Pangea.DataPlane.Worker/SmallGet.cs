// HOT PATH. Per 4 KiB object of 8+4: 8 reads of one or two blocks side by side, SHA-256 of nothing,
// one HMAC over the manifest, ChaCha20 over 4 KiB, one write of 4 KiB.
using System.Runtime.CompilerServices;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;
using ShardState = Pangea.DataPlane.Ces.ShardState;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A get of an object whose shards are packed into its commit entries: the entries of k positions
/// are read, and all others where those do not suffice.
/// </summary>
internal sealed class SmallGet
{
    private readonly StorageService _service;
    private readonly SmallSlot _slot;
    private readonly ObjectEntry _entry;
    private readonly int _areaBytes;
    private Manifest? _manifest;
    private ulong _tried;

    private SmallGet(StorageService service, SmallSlot slot, ObjectEntry entry)
    {
        _service = service;
        _slot = slot;
        _entry = entry;
        var redundancy = new Redundancy(entry.DataShards, entry.ParityShards);
        _areaBytes = SmallSlot.EntryAreaBytes(
            ObjectClass.SmallGeometryOf(redundancy, Limits.StripeBytesMin));
    }

    public static async ValueTask<Result<GetOutcome>> RunAsync(
        StorageService service, SmallSlot slot, ObjectEntry entry, GetRange range,
        CallerFile target, TransferWatch watch)
    {
        var get = new SmallGet(service, slot, entry);
        Result restored = await get.RestoreAsync();
        if (!restored.IsOk)
        {
            return restored.Fault;
        }

        get.ReportLosses(out long lost, out bool repaired);
        SysResult written = await target.WriteFullyAsync(
            slot.PlainSlice((int)range.Offset, (int)range.Bytes), watch, range.Bytes);
        if (watch.Token.IsCancellationRequested)
        {
            return watch.Ending;
        }

        if (!written.IsOk)
        {
            return CallerFile.WriteFault(written.Errno);
        }

        Manifest manifest = get._manifest!;
        return new GetOutcome(
            Convert.ToHexStringLower(manifest.ContentHash.AsSpan()),
            manifest.Stripes.Count, repaired ? 1 : 0, lost);
    }

    private async ValueTask<Result> RestoreAsync()
    {
        await LoadAsync(_entry.DataShards);
        Result restored = Open();
        while (restored.Fault is { Code: FaultCode.Unavailable or FaultCode.Corrupt }
            && HasUntried())
        {
            // Forged shards are outvoted by the others, so after the first fault all are read.
            await LoadAsync(_entry.DataShards);
            restored = HasUntried() && restored.Fault.Code == FaultCode.Corrupt
                ? restored
                : Open();
        }

        return restored;
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
        _service.Ordinals.SourceOf(_entry, position);

    /// <summary>Reads up to so many entries that were not tried yet, side by side.</summary>
    private async ValueTask LoadAsync(int count)
    {
        ulong started = 0;
        int turn = 0;
        for (int position = 0; position < _entry.Locations.Length && turn < count; position++)
        {
            PositionSource source = Source(position);
            if ((_tried & (1UL << position)) != 0 || !source.IsHere
                || !Fits(source.Commit))
            {
                continue;
            }

            _slot.Reads[position] = source.Device!.Log!.ReadInlineAsync(
                source.Commit, _slot.EntryArea(turn++, _areaBytes));
            started |= 1UL << position;
        }

        _tried |= started;
        turn = 0;
        for (int position = 0; started != 0; position++, started >>= 1)
        {
            if ((started & 1) == 0)
            {
                continue;
            }

            Result<InlineShard> read = await _slot.Reads[position];
            _slot.Reads[position] = default;
            if (read.IsOk)
            {
                Take(position, turn, read.Value);
            }

            turn++;
        }
    }

    private bool Fits(LogAddress commit)
    {
        long start = commit.Offset & (LogFormat.BlockBytes - 1);
        return LogFormat.RoundUpToBlock(start + commit.Bytes) <= _areaBytes;
    }

    /// <summary>Moves a shard that was read to where the codec wants it.</summary>
    private void Take(int position, int turn, InlineShard read)
    {
        ReadOnlySpan<byte> area = _service.Pool.Span(_slot.EntryArea(turn, _areaBytes));
        if (_manifest is null)
        {
            Result<Manifest> manifest = ManifestCodec.Decode(
                area.Slice(read.ManifestStart, read.ManifestBytes), _service.Keys);
            if (!manifest.IsOk || manifest.Value.ObjectId != _entry.Id
                || manifest.Value.Stripes.Count > 1)
            {
                _fault ??= manifest.Fault;
                return;
            }

            _manifest = manifest.Value;
        }

        if (_manifest.Stripes.Count == 0)
        {
            return;
        }

        int shardBytes = _manifest.Stripe(0).ShardBytes;
        if (read.ShardBytes != SmallSlot.HeaderStride + shardBytes)
        {
            return;
        }

        ReadOnlySpan<byte> shard = area.Slice(read.ShardStart, read.ShardBytes);
        shard[..SmallSlot.HeaderStride].CopyTo(
            _slot.Headers[(position * SmallSlot.HeaderStride)..]);
        shard[SmallSlot.HeaderStride..].CopyTo(_slot.Payload[(position * shardBytes)..]);
        _slot.Shards[position] = ShardState.Read;
    }

    private Fault? _fault;

    private Result Open()
    {
        if (_manifest is null)
        {
            return HasUntried() || _fault is null
                ? ObjectGet.TooFew(_entry, _slot.Shards.Count(ShardState.Read))
                : _fault;
        }

        if (_manifest.Stripes.Count == 0)
        {
            return Result.Ok;
        }

        Result<MasterKey> key = _service.Keys.Find(_manifest.KeyId);
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

        using ObjectCipher cipher = ObjectCipher.Create(key.Value, _entry.Id);
        StripeInfo info = _manifest.Stripe(0);
        return _service.Threads.LoopCodec.Decode(
            cipher, _manifest.Geometry, info, _slot.Headers, SmallSlot.HeaderStride,
            _slot.Payload, _slot.Shards, _slot.Plain(info.PlainBytes));
    }

    /// <summary>What must be made anew is reported, and counted for the caller.</summary>
    private void ReportLosses(out long lost, out bool repaired)
    {
        lost = 0;
        repaired = false;
        ulong bad = 0;
        if (_manifest!.Stripes.Count == 0)
        {
            return;
        }

        for (int position = 0; position < _entry.Locations.Length; position++)
        {
            ShardState state = _slot.Shards[position];
            bool usable = state is ShardState.Ok or ShardState.Read;
            bool tried = (_tried & (1UL << position)) != 0;
            bool missing = !Source(position).IsHere;
            if (!usable && (tried || missing))
            {
                lost++;
                bad |= 1UL << position;
            }

            repaired |= position < _entry.DataShards && !usable;
        }

        if (bad != 0)
        {
            _service.Heal.Report(_entry.Id, bad);
        }
    }
}
