using System.Numerics;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The shards of one small object, out of its commit entries, and whole again. Many small objects
/// are healed at once; their commit entries share the flushes of their devices. Loop thread only.
/// </summary>
internal sealed class PackedHeal
{
    private readonly HealPlan _plan;
    private readonly ObjectParts _parts;
    private readonly byte[] _headers;
    private readonly byte[] _payload;
    private readonly ShardState[] _shards;

    private PackedHeal(HealPlan plan, ObjectParts parts)
    {
        _plan = plan;
        _parts = parts;
        _shards = new ShardState[plan.Positions];
        _headers = new byte[plan.Positions * StripeCodec.HeaderBytes];
        _payload = new byte[plan.Positions * ShardBytes];
        for (int shard = 0; shard < _shards.Length; shard++)
        {
            // Stripe 0 is turned by nothing: shard and position are the same.
            if (parts.Records[shard] is { } record
                && record.InlineShard.Length == StripeCodec.HeaderBytes + ShardBytes)
            {
                ReadOnlySpan<byte> inline = record.InlineShard;
                inline[..StripeCodec.HeaderBytes].CopyTo(Header(shard));
                inline[StripeCodec.HeaderBytes..].CopyTo(Payload(shard));
                _shards[shard] = ShardState.Read;
            }
        }
    }

    private bool IsEmpty => _parts.Manifest.Stripes.Count == 0;

    private int ShardBytes => IsEmpty ? 0 : _parts.Manifest.Stripe(0).ShardBytes;

    /// <summary>
    /// Judges all shards that were read; the positions that are damaged. Corrupt where they
    /// contradict each other.
    /// </summary>
    public static Result<ulong> Judge(StripeCodec codec, HealPlan plan, ObjectParts parts)
    {
        var heal = new PackedHeal(plan, parts);
        if (heal.IsEmpty)
        {
            return 0UL;
        }

        Result judged = heal.Judge(codec);
        return judged.Fault?.Code == FaultCode.Corrupt ? judged.Fault : heal.BadShards();
    }

    public static async ValueTask<HealOutcome> RunAsync(
        Healing healing, HealPlan plan, BufferLease scratch)
    {
        // One more than k prove each other; where that fails, all there are.
        Result<ObjectParts> parts = await ObjectParts.ReadAsync(
            plan, healing, scratch, plan.Here, plan.DataShards + 1);
        PackedHeal? heal = parts.IsOk ? new PackedHeal(plan, parts.Value) : null;
        Result whole = heal?.Rebuild(healing) ?? parts.Fault!;
        if (!whole.IsOk)
        {
            parts = await ObjectParts.ReadAsync(
                plan, healing, scratch, plan.Here, plan.Positions);
            heal = parts.IsOk ? new PackedHeal(plan, parts.Value) : null;
            whole = heal?.Rebuild(healing) ?? parts.Fault!;
        }

        int available = parts.IsOk ? parts.Value.Records.Count(record => record is not null) : 0;
        if (!whole.IsOk || heal is null)
        {
            return new HealOutcome(whole.Fault, 0, 0, plan.Bad, available);
        }

        return await heal.WriteAsync(healing, available);
    }

    private async ValueTask<HealOutcome> WriteAsync(Healing healing, int available)
    {
        var parts = new List<HealCommit.Part>();
        long bytes = 0;
        for (int position = 0; position < _plan.Positions; position++)
        {
            if ((_plan.Placed & (1UL << position)) != 0)
            {
                byte[] inline = IsEmpty ? [] : [.. Header(position), .. Payload(position)];
                bytes += inline.Length;
                parts.Add(new HealCommit.Part(
                    position, _plan.TargetOf(position), [], inline));
            }
        }

        if (parts.Count == 0)
        {
            Fault? why = _plan.Wanted == 0 ? null : _plan.NoPlace();
            return new HealOutcome(why, 0, 0, _plan.Bad, available);
        }

        await healing.PassAsync(bytes, _plan.Spare <= healing.Settings.CriticalShards);
        Result<ulong> done = await HealCommit.RunAsync(
            healing.Service, _plan.Entry, _parts.Encoded, parts);
        ulong healed = done.IsOk ? done.Value : 0;
        healing.Counts.BytesWritten += bytes;
        Fault? fault = done.Fault ?? ((_plan.Wanted & ~healed) != 0 ? _plan.NoPlace() : null);
        return new HealOutcome(
            fault, BitOperations.PopCount(healed), bytes, _plan.Bad & ~healed, available);
    }

    private Result Rebuild(Healing healing)
    {
        if (IsEmpty)
        {
            return Result.Ok;
        }

        StripeCodec codec = healing.Service.Threads.LoopCodec;
        Result judged = Judge(codec);
        if (judged.Fault?.Code == FaultCode.Unavailable)
        {
            return judged;
        }

        bool onlyEnough = _shards.AsSpan().Count(ShardState.Ok) == _plan.DataShards;
        Result opened = judged.IsOk && onlyEnough ? Open(codec) : judged;
        ulong bad = BadShards();
        Result rebuilt = opened.IsOk ? Make(codec) : opened;
        if (rebuilt.Fault?.Code == FaultCode.Corrupt && _parts.Key is not null
            && Open(codec).IsOk)
        {
            bad |= BadShards();
            _shards.AsSpan().Replace(ShardState.Contradicting, ShardState.Missing);
            rebuilt = Make(codec);
        }

        if (rebuilt.IsOk && bad != 0)
        {
            _plan.AddBad(healing, bad);
        }

        return rebuilt;
    }

    private Result Judge(StripeCodec codec) => codec.Judge(
        _plan.Entry.Id, _parts.Manifest.KeyId, _parts.Manifest.Geometry,
        _parts.Manifest.Stripe(0), _headers, StripeCodec.HeaderBytes, _payload, _shards);

    private Result Make(StripeCodec codec) => codec.Rebuild(
        _plan.Entry.Id, _parts.Manifest.KeyId, _parts.Manifest.Geometry,
        _parts.Manifest.Stripe(0), _headers, StripeCodec.HeaderBytes, _payload, _shards);

    /// <summary>Proves the shards with the key; nothing to prove where it is not here.</summary>
    private Result Open(StripeCodec codec)
    {
        if (_parts.Key is null)
        {
            return Result.Ok;
        }

        using ObjectCipher cipher = ObjectCipher.Create(_parts.Key, _plan.Entry.Id);
        StripeInfo info = _parts.Manifest.Stripe(0);
        return codec.Decode(
            cipher, _parts.Manifest.Geometry, info, _headers, StripeCodec.HeaderBytes, _payload,
            _shards, new byte[info.PlainBytes]);
    }

    private ulong BadShards()
    {
        ulong bad = 0;
        for (int shard = 0; shard < _shards.Length; shard++)
        {
            bool isBad = _shards[shard] is not (ShardState.Ok or ShardState.Missing)
                || (_shards[shard] == ShardState.Missing && _parts.Records[shard] is not null);
            bad |= isBad ? 1UL << shard : 0;
        }

        return bad;
    }

    private Span<byte> Header(int shard) =>
        _headers.AsSpan(shard * StripeCodec.HeaderBytes, StripeCodec.HeaderBytes);

    private Span<byte> Payload(int shard) => _payload.AsSpan(shard * ShardBytes, ShardBytes);
}
