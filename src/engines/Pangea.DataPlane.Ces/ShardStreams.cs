using System.Buffers.Binary;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>The shard streams of one object, sorted by position, with the manifest they
/// share.</summary>
internal sealed class ShardStreams
{
    // The appliance ends its files with a footer block that says where the manifest is.
    private const int FooterBlockBytes = 4096;
    private const int FooterManifestBytesOffset = 12;
    private const int FooterManifestOffset = 16;

    private readonly Stream?[] _positions;
    private readonly long[] _offsets;

    private ShardStreams(Manifest manifest)
    {
        Manifest = manifest;
        _positions = new Stream?[manifest.Geometry.Redundancy.TotalShards];
        _offsets = new long[manifest.Stripes.Count];
        long offset = 0;
        for (int i = 0; i < _offsets.Length; i++)
        {
            _offsets[i] = offset;
            offset += manifest.HeaderStride + manifest.Stripe(i).ShardBytes;
        }
    }

    public Manifest Manifest { get; }

    private static ReadOnlySpan<byte> FooterMagic => "PGFOOT01"u8;

    /// <summary>
    /// Finds the first genuine manifest and every stream that carries the same one; the others
    /// count as lost. The fault is that of the first stream where none has a genuine manifest.
    /// </summary>
    public static async Task<Result<ShardStreams>> OpenAsync(
        IReadOnlyList<Stream?> streams, KeyRing keys, CancellationToken cancellation)
    {
        ShardStreams? opened = null;
        byte[]? common = null;
        Fault? fault = null;
        foreach (Stream? stream in streams)
        {
            if (stream is null)
            {
                continue;
            }

            if (!stream.CanSeek)
            {
                return Fault.InvalidParameter(
                    "shards", "a shard stream must be able to seek: its manifest is at its end");
            }

            byte[] encoded = await ReadManifestAsync(stream, cancellation);
            if (opened is null)
            {
                Result<Manifest> manifest = ManifestCodec.Decode(encoded, keys);
                fault ??= manifest.Fault;
                if (!manifest.IsOk)
                {
                    continue;
                }

                opened = new ShardStreams(manifest.Value);
                common = encoded;
            }

            if (encoded.AsSpan().SequenceEqual(common))
            {
                await opened.PlaceAsync(stream, cancellation);
            }
        }

        return opened is not null ? opened : fault ?? new Fault(
            FaultCode.Unavailable, "no shard stream was given", "any k of k + m are needed");
    }

    /// <summary>
    /// Reads shards of a stripe that were not read before, data shards first, until
    /// <paramref name="wanted"/> are there.
    /// </summary>
    public async Task ReadAsync(
        StripeBuffers buffers, StripeInfo stripe, int wanted, CancellationToken cancellation)
    {
        int total = _positions.Length;
        int read = total - buffers.Shards.AsSpan().Count(ShardState.Missing);
        for (int shard = 0; shard < total && read < wanted; shard++)
        {
            int position = ShardPlacement.PositionOf(stripe.StripeIndex, shard, total);
            Stream? stream = _positions[position];
            if (stream is null || buffers.Shards[shard] != ShardState.Missing)
            {
                continue;
            }

            stream.Position = _offsets[(int)stripe.StripeIndex];
            Memory<byte> header = buffers.Header(shard);
            Memory<byte> payload = buffers.Shard(shard, stripe.ShardBytes);
            if (await stream.ReadAtLeastAsync(header, header.Length, false, cancellation)
                    == header.Length
                && await stream.ReadAtLeastAsync(payload, payload.Length, false, cancellation)
                    == payload.Length)
            {
                buffers.Shards[shard] = ShardState.Read;
                read++;
            }
        }
    }

    /// <summary>
    /// As <see cref="ReadAsync"/>, for file streams: positional, so that several threads may call
    /// it.
    /// </summary>
    public void Read(StripeBuffers buffers, in StripeInfo stripe, int wanted)
    {
        int total = _positions.Length;
        int read = total - buffers.Shards.AsSpan().Count(ShardState.Missing);
        long offset = _offsets[(int)stripe.StripeIndex];
        for (int shard = 0; shard < total && read < wanted; shard++)
        {
            int position = ShardPlacement.PositionOf(stripe.StripeIndex, shard, total);
            if (_positions[position] is not FileStream file
                || buffers.Shards[shard] != ShardState.Missing)
            {
                continue;
            }

            Span<byte> header = buffers.Header(shard).Span;
            Span<byte> payload = buffers.Shard(shard, stripe.ShardBytes).Span;
            if (RandomAccess.Read(file.SafeFileHandle, header, offset) == header.Length
                && RandomAccess.Read(file.SafeFileHandle, payload, offset + header.Length)
                    == payload.Length)
            {
                buffers.Shards[shard] = ShardState.Read;
                read++;
            }
        }
    }

    /// <summary>The manifest's bytes, or none where the stream's end makes no sense.</summary>
    private static async Task<byte[]> ReadManifestAsync(
        Stream stream, CancellationToken cancellation)
    {
        long end = stream.Length;
        byte[] tail = new byte[(int)Math.Min(end, FooterBlockBytes)];
        stream.Position = end - tail.Length;
        await stream.ReadAtLeastAsync(tail, tail.Length, false, cancellation);
        (long start, long bytes) = LocateManifest(tail, end);
        if (bytes is < ManifestCodec.FixedBytes or > ManifestCodec.BytesMax
            || start < 0 || start + bytes > end)
        {
            return [];
        }

        byte[] encoded = new byte[bytes];
        stream.Position = start;
        await stream.ReadAtLeastAsync(encoded, encoded.Length, false, cancellation);
        return encoded;
    }

    private static (long Start, long Bytes) LocateManifest(ReadOnlySpan<byte> tail, long end)
    {
        if (tail.Length == FooterBlockBytes && tail.StartsWith(FooterMagic))
        {
            return (
                BinaryPrimitives.ReadInt64LittleEndian(tail[FooterManifestOffset..]),
                BinaryPrimitives.ReadUInt32LittleEndian(tail[FooterManifestBytesOffset..]));
        }

        if (tail.Length < ManifestCodec.TrailerBytes)
        {
            return (0, 0);
        }

        long bytes =
            BinaryPrimitives.ReadUInt32LittleEndian(tail[^ManifestCodec.TrailerBytes..]);
        return (end - bytes, bytes);
    }

    /// <summary>The first header names the position: shard i of stripe 0 lies at position
    /// i.</summary>
    private async Task PlaceAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] header = new byte[StripeCodec.HeaderBytes];
        for (int stripe = 0; stripe < _offsets.Length; stripe++)
        {
            stream.Position = _offsets[stripe];
            int read = await stream.ReadAtLeastAsync(header, header.Length, false, cancellation);
            int shard = ShardHeader.IndexOf(header.AsSpan(0, read), Manifest.ObjectId);
            if (shard >= 0 && shard < _positions.Length)
            {
                int position =
                    ShardPlacement.PositionOf((ulong)stripe, shard, _positions.Length);
                _positions[position] ??= stream;
                return;
            }
        }
    }
}
