using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>One object on its way from a file into shard files; <see cref="Run"/> is a thread's
/// work.</summary>
internal sealed class FileEncoding
{
    private readonly ManifestDraft _draft;
    private readonly CesOptions _options;
    private readonly StripeGeometry _geometry;
    private readonly SafeFileHandle _source;
    private readonly IReadOnlyList<SafeFileHandle> _shards;
    private readonly CompressionLevel _level;
    private readonly CompressionGovernor? _governor;
    private readonly long _bytes;

    public FileEncoding(
        ManifestDraft draft,
        CesOptions options,
        in StripeGeometry geometry,
        SafeFileHandle source,
        IReadOnlyList<SafeFileHandle> shards)
    {
        _draft = draft;
        _options = options;
        _geometry = geometry;
        _source = source;
        _shards = shards;
        _bytes = RandomAccess.GetLength(source);
        _governor = options.Compression == CompressionMode.Adaptive ? new() : null;
        Span<byte> head = stackalloc byte[FileTypeDetector.HeadBytesMax];
        _level = draft.LevelFor(head[..RandomAccess.Read(source, head, 0)]);
    }

    public StripeOrder Order { get; } = new();

    /// <summary>Bytes of records in each shard file; the manifest follows.</summary>
    public long RecordsEnd { get; private set; }

    public void Run()
    {
        Result<StripeBuffers> created = StripeBuffers.Create(_geometry, _options.HeaderStride);
        if (!created.IsOk)
        {
            Order.Fail(created.Fault);
            return;
        }

        using StripeBuffers buffers = created.Value;
        using ObjectCipher cipher = _draft.NewCipher();
        StripeTimes times = default;
        long stripes = _geometry.StripesFor(_bytes);
        for (long i = Order.Take(stripes); i >= 0; i = Order.Take(stripes))
        {
            Result stored = StoreStripe(
                buffers, cipher, i, i == stripes - 1, ref times);
            if (!stored.IsOk)
            {
                Order.Fail(stored.Fault);
            }
        }
    }

    private Result StoreStripe(
        StripeBuffers buffers,
        ObjectCipher cipher,
        long index,
        bool isLast,
        ref StripeTimes times)
    {
        times.Begin();
        int bytes = (int)Math.Min(
            _geometry.StripeBytes, _bytes - (index * _geometry.StripeBytes));
        Span<byte> plain = buffers.Plain.AsSpan(0, bytes);
        if (RandomAccess.Read(_source, plain, index * _geometry.StripeBytes) != bytes)
        {
            return new Fault(FaultCode.Io, "the source file became shorter while it was read");
        }

        times.EndRead();
        CompressionLevel level = _governor?.Limit(_level) ?? _level;
        StripeInfo stripe = buffers.Encode(cipher, (ulong)index, isLast, plain, level);
        times.EndMake();
        if (!Order.Enter(index))
        {
            return Result.Ok;
        }

        Result added = _draft.Add(stripe, plain);
        long offset = RecordsEnd;
        RecordsEnd += _options.HeaderStride + stripe.ShardBytes;
        times.Tell(_governor); // Here, where threads take turns.
        Order.Leave();
        times.Begin();
        Write(buffers, stripe, offset);
        times.EndWrite();
        return added;
    }

    private void Write(StripeBuffers buffers, in StripeInfo stripe, long offset)
    {
        var record = new ReadOnlyMemory<byte>[2];
        for (int shard = 0; shard < _shards.Count; shard++)
        {
            int position =
                ShardPlacement.PositionOf(stripe.StripeIndex, shard, _shards.Count);
            record[0] = buffers.Header(shard);
            record[1] = buffers.Shard(shard, stripe.ShardBytes);
            RandomAccess.Write(_shards[position], record, offset);
        }
    }
}
