using System.Buffers.Binary;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces;

/// <summary>The shard streams of one object, sorted by position, with the manifest they
/// share.</summary>
internal sealed class ShardStreams
{
    // The appliance ends its files with a footer block that says where the manifest is.
    private const int FooterBlockBytes = 4096;
    private const int FooterVersionOffset = 8;
    private const int FooterManifestBytesOffset = 12;
    private const int FooterManifestOffset = 16;
    private const int FooterCrcOffset = 28;
    private const uint FooterVersion = 1;

    // A stream that cannot be read here is dead, not merely scratched.
    private const int UnreadableHeadersMax = 16;

    // Headers that must agree on a position; a healthy stream is placed after that many reads.
    private const int VotesEnough = 3;

    private readonly Stream?[] _positions;
    private readonly int[] _votes;
    private readonly long[] _offsets;

    private ShardStreams(Manifest manifest)
    {
        Manifest = manifest;
        _positions = new Stream?[manifest.Geometry.Redundancy.TotalShards];
        _votes = new int[_positions.Length];
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
    /// count as lost, and so do streams that cannot be read. The fault is that of the first stream
    /// where none has a genuine manifest.
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

            Result<byte[]> read = await ReadManifestAsync(stream, cancellation);
            if (!read.IsOk)
            {
                fault ??= read.Fault;
                continue;
            }

            byte[] encoded = read.Value;
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

            Memory<byte> header = buffers.Header(shard);
            Memory<byte> payload = buffers.Shard(shard, stripe.ShardBytes);
            long offset = _offsets[(int)stripe.StripeIndex];
            if (await IsReadAsync(stream, offset, header, cancellation)
                && await IsReadAsync(stream, offset + header.Length, payload, cancellation))
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

            Memory<byte> header = buffers.Header(shard);
            Memory<byte> payload = buffers.Shard(shard, stripe.ShardBytes);
            if (IsRead(file, offset, header.Span)
                && IsRead(file, offset + header.Length, payload.Span))
            {
                buffers.Shards[shard] = ShardState.Read;
                read++;
            }
        }
    }

    /// <summary>
    /// Fills the buffer from that offset. A bad sector costs the shard it lies in and not the
    /// object, so an error is no more than "not there".
    /// </summary>
    private static async Task<bool> IsReadAsync(
        Stream stream, long offset, Memory<byte> buffer, CancellationToken cancellation)
    {
        try
        {
            stream.Position = offset;
            return await stream.ReadAtLeastAsync(buffer, buffer.Length, false, cancellation)
                == buffer.Length;
        }
        catch (Exception failure) when (IsUnreadable(failure))
        {
            return false;
        }
    }

    /// <summary>As <see cref="IsReadAsync"/>, positional.</summary>
    private static bool IsRead(FileStream file, long offset, Span<byte> buffer)
    {
        try
        {
            return RandomAccess.Read(file.SafeFileHandle, buffer, offset) == buffer.Length;
        }
        catch (Exception failure) when (IsUnreadable(failure))
        {
            return false;
        }
    }

    private static bool IsUnreadable(Exception failure) =>
        failure is IOException or UnauthorizedAccessException;

    /// <summary>The manifest's bytes, none where the stream's end makes no sense; Io where it
    /// cannot be read.</summary>
    private static async Task<Result<byte[]>> ReadManifestAsync(
        Stream stream, CancellationToken cancellation)
    {
        try
        {
            return await FindManifestAsync(stream, cancellation);
        }
        catch (Exception failure) when (IsUnreadable(failure))
        {
            return new Fault(FaultCode.Io, $"a shard stream cannot be read: {failure.Message}");
        }
    }

    private static async Task<byte[]> FindManifestAsync(
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
        if (IsFooter(tail))
        {
            long start = BinaryPrimitives.ReadInt64LittleEndian(tail[FooterManifestOffset..]);
            long length =
                BinaryPrimitives.ReadUInt32LittleEndian(tail[FooterManifestBytesOffset..]);
            if (start >= 0 && start <= end - FooterBlockBytes - length)
            {
                return (start, length);
            }
        }

        if (tail.Length < ManifestCodec.TrailerBytes)
        {
            return (0, 0);
        }

        long bytes =
            BinaryPrimitives.ReadUInt32LittleEndian(tail[^ManifestCodec.TrailerBytes..]);
        return (end - bytes, bytes);
    }

    /// <summary>
    /// The block before the end of an appliance's file. The magic alone does not decide: the last
    /// 4096 bytes of a library's file may begin with an object's name.
    /// </summary>
    private static bool IsFooter(ReadOnlySpan<byte> tail) =>
        tail.Length == FooterBlockBytes
        && tail.StartsWith(FooterMagic)
        && BinaryPrimitives.ReadUInt32LittleEndian(tail[FooterVersionOffset..]) == FooterVersion
        && BinaryPrimitives.ReadUInt32LittleEndian(tail[FooterCrcOffset..])
            == Crc32C.Compute(tail[..FooterCrcOffset]);

    /// <summary>
    /// Headers say where a stream belongs (shard i of stripe 0 lies at position i), but each can be
    /// forged on its own: so several vote, and a stream with fewer votes makes way. In an object of
    /// one stripe the first stream to claim a position has it.
    /// </summary>
    private async Task PlaceAsync(Stream stream, CancellationToken cancellation)
    {
        var votes = new int[_positions.Length];
        byte[] header = new byte[StripeCodec.HeaderBytes];
        int unreadable = 0;
        for (int stripe = 0; stripe < _offsets.Length; stripe++)
        {
            if (!await IsReadAsync(stream, _offsets[stripe], header, cancellation))
            {
                if (++unreadable == UnreadableHeadersMax)
                {
                    break;
                }

                continue;
            }

            int shard = IndexOf(header, stripe);
            if (shard < 0)
            {
                continue;
            }

            int position = ShardPlacement.PositionOf((ulong)stripe, shard, _positions.Length);
            if (++votes[position] == VotesEnough)
            {
                break;
            }
        }

        Place(stream, votes);
    }

    private void Place(Stream stream, ReadOnlySpan<int> votes)
    {
        int best = -1;
        for (int position = 0; position < votes.Length; position++)
        {
            if (votes[position] > _votes[position]
                && (best < 0 || votes[position] > votes[best]))
            {
                best = position;
            }
        }

        if (best >= 0)
        {
            _positions[best] = stream;
            _votes[best] = votes[best];
        }
    }

    /// <summary>The shard index of a header that is genuine but for what only the key can tell; -1
    /// for any other.</summary>
    private int IndexOf(ReadOnlySpan<byte> header, int stripe)
    {
        Span<byte> identity = stackalloc byte[ShardHeader.IdentityBytes];
        StripeInfo expected = Manifest.Stripe(stripe);
        ShardHeader.WriteIdentity(
            identity, Manifest.ObjectId, Manifest.KeyId, Manifest.Geometry, expected);
        int shard = ShardHeader.IndexOf(header, Manifest.ObjectId);
        return shard >= 0 && shard < _positions.Length
            && ShardHeader.Check(header, identity, shard) == ShardState.Ok
                ? shard
                : -1;
    }
}
