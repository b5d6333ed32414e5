using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <content>Encoding with the checksums that shards are stored with.</content>
public sealed unsafe partial class ReedSolomon
{
    /// <summary>Of every shard, at a time: 12 shards of this length stay in the cache for both
    /// uses.</summary>
    private const int ChecksumTileBytes = 4096;

    /// <summary>As <see cref="Encode(ReadOnlySpan{byte}, Span{byte}, int, OutputCaching)"/>, and
    /// the CRC-32C of every shard, which costs less together than one after the other.</summary>
    /// <param name="data">k shards, k * shardBytes bytes.</param>
    /// <param name="parity">Receives m shards, m * shardBytes bytes; must not overlap the
    /// data.</param>
    /// <param name="shardBytes">Length of a shard, 0 or more.</param>
    /// <param name="checksums">Receives k + m checksums: data shards, then parity shards.</param>
    /// <param name="caching">Where the parity should end up.</param>
    public void EncodeWithChecksums(
        ReadOnlySpan<byte> data,
        Span<byte> parity,
        int shardBytes,
        Span<uint> checksums,
        OutputCaching caching = OutputCaching.Auto)
    {
        CheckStripe(data, parity, shardBytes);
        if (data.Overlaps(parity))
        {
            throw new ArgumentException("parity overlaps the data", nameof(parity));
        }

        if (checksums.Length != TotalShards)
        {
            throw new ArgumentException(
                $"room for {checksums.Length} checksums, {TotalShards} expected",
                nameof(checksums));
        }

        // SAFETY: the spans are pinned for the call and hold k and m shards and k + m checksums
        // (checked above).
        byte** shards = stackalloc byte*[TotalShards];
        fixed (byte* first = data)
        fixed (byte* firstParity = parity)
        fixed (uint* states = checksums)
        {
            PointAt(shards, DataShards, first, shardBytes);
            PointAt(shards + DataShards, ParityShards, firstParity, shardBytes);
            ProductMode mode = Mode(caching, ParityShards, shardBytes);
            int done = EncodeFused(shards, shardBytes, states, mode);
            EncodeTiles(shards, done, shardBytes, states);
        }
    }

    /// <summary>The whole vectors, when the kernel does both at once; returns how far it
    /// came.</summary>
    private int EncodeFused(byte** shards, int shardBytes, uint* checksums, ProductMode mode)
    {
        int whole = shardBytes & -CodingKernel.Alignment;
        Product product = Encoding(shards, shards + DataShards, whole, mode);
        if (whole == 0 || !_kernel.CanCheck(product))
        {
            new Span<uint>(checksums, TotalShards).Clear();
            return 0;
        }

        _kernel.MultiplyAndCheck(product, checksums);
        for (int shard = 0; shard < TotalShards; shard++)
        {
            checksums[shard] = ~checksums[shard];
            shards[shard] += whole;
        }

        return whole;
    }

    /// <summary>
    /// The other bytes, tile by tile: the data shards come into the cache for their checksums, are
    /// coded there, and the parity is still there for its own.
    /// </summary>
    private void EncodeTiles(byte** shards, int from, int shardBytes, uint* checksums)
    {
        for (int at = from; at < shardBytes; at += ChecksumTileBytes)
        {
            int bytes = Math.Min(ChecksumTileBytes, shardBytes - at);
            AddChecksums(shards, 0, DataShards, bytes, checksums);
            _kernel.Multiply(Encoding(shards, shards + DataShards, bytes, ProductMode.Write));
            AddChecksums(shards, DataShards, TotalShards, bytes, checksums);
            for (int shard = 0; shard < TotalShards; shard++)
            {
                shards[shard] += bytes;
            }
        }
    }

    private static void AddChecksums(byte** shards, int first, int end, int bytes, uint* checksums)
    {
        for (int shard = first; shard < end; shard++)
        {
            checksums[shard] = Crc32C.Compute(
                new ReadOnlySpan<byte>(shards[shard], bytes), checksums[shard]);
        }
    }
}
