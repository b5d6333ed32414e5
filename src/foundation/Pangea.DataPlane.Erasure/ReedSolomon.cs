// HOT PATH. A call costs the pointer lists on the stack (k + m words) and one virtual call; the
// work is in Kernels/. Encode reads k and writes m bytes per column; nothing is allocated.
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// A systematic Reed-Solomon code over GF(2^8): k data shards are kept as they are, m parity shards
/// are added, and any k of the k + m restore the rest. The matrix is fixed
/// (docs/erasure-matrix.md). Immutable and safe for any number of threads; make one per (k, m) and
/// keep it.
/// </summary>
/// <remarks>
/// Shards of one call have one length, any length, any alignment. A call that is misused throws an
/// <see cref="ArgumentException"/> before it has written anything.
/// </remarks>
public sealed unsafe partial class ReedSolomon
{
    /// <summary>Most shards of a code, data and parity together.</summary>
    public const int ShardsMax = 255;

    /// <summary>
    /// Stripes (data and parity together) from this size on are streamed past the cache by <see
    /// cref="OutputCaching.Auto"/>: they do not stay in a core's own cache anyway, and not reading
    /// the output lines before overwriting them saves a third of the traffic (experiment 0001).
    /// </summary>
    public const int StreamStripeBytesMin = 1024 * 1024;

    private readonly CodingKernel _kernel;
    private readonly byte[] _matrix;
    private readonly byte[] _encodeTable;
    private readonly DecodingPlanner _planner;
    private readonly DecodingCache _decoding;

    private ReedSolomon(int dataShards, int parityShards, ErasureKernel kernel)
    {
        DataShards = dataShards;
        ParityShards = parityShards;
        Kernel = kernel;
        _kernel = ErasureKernels.Implementation(kernel);
        _matrix = CodingMatrix.Parity(dataShards, parityShards);
        _planner = new DecodingPlanner(dataShards, parityShards, _matrix);
        _decoding = new DecodingCache(_planner, _kernel);
        _encodeTable = GC.AllocateUninitializedArray<byte>(
            _kernel.TableBytes(dataShards, parityShards) + CodingKernel.Alignment, pinned: true);
        fixed (byte* coefficients = _matrix)
        {
            _kernel.BuildTable(
                coefficients, dataShards, dataShards, parityShards, EncodeTable);
        }
    }

    /// <summary>k.</summary>
    public int DataShards { get; }

    /// <summary>m.</summary>
    public int ParityShards { get; }

    /// <summary>k + m.</summary>
    public int TotalShards => DataShards + ParityShards;

    /// <summary>What this instance calculates with.</summary>
    public ErasureKernel Kernel { get; }

    // SAFETY: the array is on the pinned heap and has one Alignment to spare.
    private byte* EncodeTable
    {
        get
        {
            fixed (byte* table = _encodeTable)
            {
                return (byte*)(((nuint)table + CodingKernel.Alignment - 1)
                    & ~(nuint)(CodingKernel.Alignment - 1));
            }
        }
    }

    /// <summary>The code for k + m shards.</summary>
    /// <param name="dataShards">k, at least 1.</param>
    /// <param name="parityShards">m, at least 1; k + m is at most <see cref="ShardsMax"/>.</param>
    /// <param name="kernel">Null for <see cref="ErasureKernels.Active"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">k or m is out of range.</exception>
    /// <exception cref="NotSupportedException">This CPU does not have the kernel.</exception>
    /// <exception cref="InvalidOperationException">
    /// No kernel was given and PANGEA_ERASURE_KERNEL names none that this CPU has.
    /// </exception>
    public static ReedSolomon Create(int dataShards, int parityShards, ErasureKernel? kernel = null)
    {
        if (dataShards < 1 || dataShards >= ShardsMax)
        {
            throw new ArgumentOutOfRangeException(
                nameof(dataShards), dataShards, $"data shards (k) must be 1..{ShardsMax - 1}");
        }

        if (parityShards < 1 || parityShards > ShardsMax - dataShards)
        {
            throw new ArgumentOutOfRangeException(
                nameof(parityShards),
                parityShards,
                $"parity shards (m) must be 1..{ShardsMax - dataShards} with k = {dataShards}");
        }

        ErasureKernel chosen = kernel ?? ErasureKernels.Active;
        string? missing = ErasureKernels.MissingFeature(chosen);
        if (missing is not null)
        {
            throw new NotSupportedException(
                $"erasure kernel {ErasureKernels.Name(chosen)}: this CPU has no {missing}");
        }

        return new ReedSolomon(dataShards, parityShards, chosen);
    }

    /// <summary>
    /// The factor (GF(2^8), polynomial 0x11D) of a data shard in a parity shard: row 0..m-1, column
    /// 0..k-1. Part of the shard format.
    /// </summary>
    public static byte Coefficient(int row, int column)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfNegative(column);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(row + column, ShardsMax - 2, nameof(column));
        return CodingMatrix.Coefficient(row, column);
    }

    /// <summary>Writes the parity of a stripe whose shards lie one after the other.</summary>
    /// <param name="data">k shards, k * shardBytes bytes.</param>
    /// <param name="parity">Receives m shards, m * shardBytes bytes; must not overlap the
    /// data.</param>
    /// <param name="shardBytes">Length of a shard, 0 or more.</param>
    /// <param name="caching">Where the parity should end up.</param>
    public void Encode(
        ReadOnlySpan<byte> data,
        Span<byte> parity,
        int shardBytes,
        OutputCaching caching = OutputCaching.Auto)
    {
        CheckStripe(data, parity, shardBytes);
        if (data.Overlaps(parity))
        {
            throw new ArgumentException("parity overlaps the data", nameof(parity));
        }

        // SAFETY: the spans are pinned for the call and hold k and m shards (checked above).
        byte** inputs = stackalloc byte*[DataShards];
        byte** outputs = stackalloc byte*[ParityShards];
        fixed (byte* first = data)
        fixed (byte* firstParity = parity)
        {
            PointAt(inputs, DataShards, first, shardBytes);
            PointAt(outputs, ParityShards, firstParity, shardBytes);
            _kernel.Multiply(Encoding(
                inputs, outputs, shardBytes, Mode(caching, ParityShards, shardBytes)));
        }
    }

    /// <summary>Writes the parity of a stripe whose shards lie anywhere.</summary>
    /// <param name="data">k shards of one length.</param>
    /// <param name="parity">m shards of that length, overlapping neither the data nor each
    /// other.</param>
    /// <param name="caching">Where the parity should end up.</param>
    public void Encode(
        ReadOnlySpan<ShardPointer> data,
        ReadOnlySpan<ShardPointer> parity,
        OutputCaching caching = OutputCaching.Auto)
    {
        int shardBytes = CheckPointers(data, parity);
        CheckApart(data, parity);

        // SAFETY: the caller keeps the shards in place; counts and lengths have been checked.
        byte** inputs = stackalloc byte*[DataShards];
        byte** outputs = stackalloc byte*[ParityShards];
        PointAt(inputs, data);
        PointAt(outputs, parity);
        _kernel.Multiply(Encoding(
            inputs, outputs, shardBytes, Mode(caching, ParityShards, shardBytes)));
    }

    /// <summary>The first parity row is all ones: c(0,j) = 1.</summary>
    private Product Encoding(byte** inputs, byte** outputs, int bytes, ProductMode mode) => new()
    {
        Table = EncodeTable,
        TableStride = ParityShards,
        Inputs = inputs,
        InputCount = DataShards,
        Outputs = outputs,
        OutputCount = ParityShards,
        To = (nuint)bytes,
        Mode = mode | ProductMode.PlainFirst,
        PlainInputs = DataShards,
    };

    private ProductMode Mode(OutputCaching caching, int outputs, int shardBytes)
    {
        long stripeBytes = (long)(DataShards + outputs) * shardBytes;
        return caching switch
        {
            OutputCaching.Keep => ProductMode.Write,
            OutputCaching.Stream => ProductMode.Stream,
            _ when stripeBytes < StreamStripeBytesMin => ProductMode.Write,
            _ when outputs * 2 <= DataShards => ProductMode.Stream,
            _ => ProductMode.Stream | ProductMode.StreamHalf,
        };
    }

    private static void PointAt(byte** pointers, int count, byte* first, int shardBytes)
    {
        for (int shard = 0; shard < count; shard++)
        {
            pointers[shard] = first + (nint)shard * shardBytes;
        }
    }

    private static void PointAt(byte** pointers, ReadOnlySpan<ShardPointer> shards)
    {
        for (int shard = 0; shard < shards.Length; shard++)
        {
            pointers[shard] = (byte*)shards[shard].Address;
        }
    }
}
