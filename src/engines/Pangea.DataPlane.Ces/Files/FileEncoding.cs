using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>One object on its way from a file into shard files.</summary>
internal sealed class FileEncoding : StripeLine
{
    private readonly ManifestDraft _draft;
    private readonly CesOptions _options;
    private readonly StripeGeometry _geometry;
    private readonly SafeFileHandle _source;
    private readonly IReadOnlyList<SafeFileHandle> _shards;
    private readonly CompressionLevel _level;
    private readonly CompressionGovernor? _governor;
    private readonly long _bytes;

    /// <param name="draft">Of this object; finished by the caller.</param>
    /// <param name="options">The draft's.</param>
    /// <param name="geometry">The draft's.</param>
    /// <param name="source">Read to <paramref name="bytes"/>.</param>
    /// <param name="bytes">The length of the source.</param>
    /// <param name="shards">Written from their start.</param>
    /// <param name="buffers">As many stripes are under way at most.</param>
    public FileEncoding(
        ManifestDraft draft,
        CesOptions options,
        in StripeGeometry geometry,
        SafeFileHandle source,
        long bytes,
        IReadOnlyList<SafeFileHandle> shards,
        IReadOnlyCollection<StripeBuffers> buffers)
        : base(geometry.StripesFor(bytes), buffers)
    {
        _draft = draft;
        _options = options;
        _geometry = geometry;
        _source = source;
        _shards = shards;
        _bytes = bytes;
        _governor = options.Compression == CompressionMode.Adaptive ? new() : null;
        Span<byte> head = stackalloc byte[FileTypeDetector.HeadBytesMax];
        _level = draft.LevelFor(head[..RandomAccess.Read(source, head, 0)]);
    }

    /// <summary>Bytes of records in each shard file; the manifest follows.</summary>
    public long RecordsEnd { get; private set; }

    protected override Result Make(StripeThread thread, StripeBuffers buffers, long stripe)
    {
        thread.Times.Begin();
        long offset = stripe * _geometry.StripeBytes;
        int bytes = (int)Math.Min(_geometry.StripeBytes, _bytes - offset);
        Span<byte> plain = buffers.Plain.Span[..bytes];
        if (RandomAccess.Read(_source, plain, offset) != bytes)
        {
            return new Fault(FaultCode.Io, "the source file became shorter while it was read");
        }

        thread.Times.EndRead();
        CompressionLevel level = _governor?.Limit(_level) ?? _level;
        buffers.Stripe = thread.Codec.Encode(
            thread.Cipher, _geometry, (ulong)stripe, offset + bytes == _bytes, plain, level,
            buffers.Headers, buffers.HeaderStride, buffers.Payload);
        thread.Times.EndMake();
        return Result.Ok;
    }

    protected override Result InTurn(StripeThread thread, StripeBuffers buffers)
    {
        StripeInfo stripe = buffers.Stripe;
        buffers.Offset = RecordsEnd;
        RecordsEnd += _options.HeaderStride + stripe.ShardBytes;
        thread.Times.Tell(_governor);
        return _draft.Add(stripe, buffers.Plain.Span[..stripe.PlainBytes]);
    }

    protected override void AfterTurn(StripeThread thread, StripeBuffers buffers)
    {
        thread.Times.Begin();
        StripeInfo stripe = buffers.Stripe;
        ReadOnlyMemory<byte>[] record = thread.Record;
        for (int shard = 0; shard < _shards.Count; shard++)
        {
            int position =
                ShardPlacement.PositionOf(stripe.StripeIndex, shard, _shards.Count);
            record[0] = buffers.Header(shard);
            record[1] = buffers.Shard(shard, stripe.ShardBytes);
            RandomAccess.Write(_shards[position], record, buffers.Offset);
        }

        thread.Times.EndWrite();
    }
}
