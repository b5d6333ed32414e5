using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// The matrix that makes parity, and its inverses. The coefficients are part of the shard format
/// (docs/erasure-matrix.md): a Cauchy matrix scaled so that its first row and first column are
/// ones.
/// </summary>
internal static unsafe class CodingMatrix
{
    private const int VectorBytes = 16;

    /// <summary>
    /// The factor of data shard <paramref name="column"/> in parity shard <paramref name="row"/>.
    /// With n' = n ^ 255 it is (row' * column') / ((row ^ column)' * 255): the Cauchy element
    /// 1/(row' ^ column), times row', times column'/255. Scaling rows and columns by non-zero
    /// factors keeps every square part invertible, which is why any k of the k+m shards restore the
    /// data. It does not depend on k or m: every code is a part of one code over 255 shards.
    /// </summary>
    public static byte Coefficient(int row, int column)
    {
        byte scale = Galois.Multiply((byte)(row ^ 255), (byte)(column ^ 255));
        byte difference = Galois.Multiply((byte)(row ^ column ^ 255), 255);
        return Galois.Divide(scale, difference);
    }

    /// <summary>Coefficients of all parity rows, row by row: parityShards rows of dataShards
    /// bytes.</summary>
    public static byte[] Parity(int dataShards, int parityShards)
    {
        byte[] matrix = new byte[dataShards * parityShards];
        for (int row = 0; row < parityShards; row++)
        {
            for (int column = 0; column < dataShards; column++)
            {
                matrix[row * dataShards + column] = Coefficient(row, column);
            }
        }

        return matrix;
    }

    /// <summary>Bytes between the rows that <see cref="Reduce"/> works on, for rows of this
    /// width.</summary>
    public static int RowStride(int width) => (width + VectorBytes - 1) & -VectorBytes;

    /// <summary>
    /// Gauss-Jordan elimination of [A | B], A being count x count, in place: it becomes [1 | A^-1
    /// B]. Every A that arises from <see cref="Coefficient"/> is invertible and so is each of its
    /// leading parts, hence no row is ever exchanged. Row r begins at rows + r * stride, its width
    /// (A and B) is padded to <paramref name="stride"/>, a multiple of 16; what the padding holds
    /// does not matter.
    /// </summary>
    public static void Reduce(byte* rows, int count, int stride)
    {
        for (int pivot = 0; pivot < count; pivot++)
        {
            byte* pivotRow = rows + pivot * stride;
            Scale(pivotRow, Galois.Invert(pivotRow[pivot]), stride);
            for (int row = 0; row < count; row++)
            {
                if (row != pivot)
                {
                    byte* target = rows + row * stride;
                    AddScaled(target, pivotRow, target[pivot], stride);
                }
            }
        }
    }

    /// <summary>target ^= factor * source, over <paramref name="bytes"/>, a multiple of
    /// 16.</summary>
    public static void AddScaled(byte* target, byte* source, byte factor, int bytes)
    {
        byte* table = Galois.NibbleTables + factor * Galois.NibbleTableBytes;
        Vector128<byte> low = Vector128.Load(table);
        Vector128<byte> high = Vector128.Load(table + VectorBytes);

        // SAFETY: the caller's rows are stride bytes long and bytes is a multiple of the vector
        // width.
        for (int at = 0; at < bytes; at += VectorBytes)
        {
            Vector128<byte> product = Product(Vector128.Load(source + at), low, high);
            (product ^ Vector128.Load(target + at)).Store(target + at);
        }
    }

    private static void Scale(byte* row, byte factor, int bytes)
    {
        byte* table = Galois.NibbleTables + factor * Galois.NibbleTableBytes;
        Vector128<byte> low = Vector128.Load(table);
        Vector128<byte> high = Vector128.Load(table + VectorBytes);

        // SAFETY: as above.
        for (int at = 0; at < bytes; at += VectorBytes)
        {
            Product(Vector128.Load(row + at), low, high).Store(row + at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Product(
        Vector128<byte> value, Vector128<byte> low, Vector128<byte> high)
    {
        Vector128<byte> nibble = Vector128.Create((byte)0x0F);
        Vector128<byte> highNibbles = (value.AsUInt16() >> 4).AsByte() & nibble;
        return Vector128.ShuffleNative(low, value & nibble)
            ^ Vector128.ShuffleNative(high, highNibbles);
    }
}
