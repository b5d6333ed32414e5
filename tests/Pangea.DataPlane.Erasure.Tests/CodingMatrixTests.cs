using System.Numerics;

namespace Pangea.DataPlane.Erasure.Tests;

public sealed unsafe class CodingMatrixTests
{
    [Fact]
    public void Coefficients_are_those_of_the_documentation()
    {
        for (int row = 0; row < 254; row++)
        {
            for (int column = 0; row + column <= 253; column++)
            {
                Assert.Equal(
                    Reference.Coefficient(row, column), ReedSolomon.Coefficient(row, column));
            }
        }
    }

    [Fact]
    public void First_row_and_first_column_are_ones_and_nothing_is_zero()
    {
        for (int index = 0; index < 254; index++)
        {
            Assert.Equal(1, ReedSolomon.Coefficient(0, index));
            Assert.Equal(1, ReedSolomon.Coefficient(index, 0));
            for (int other = 0; index + other <= 253; other++)
            {
                Assert.NotEqual(0, ReedSolomon.Coefficient(index, other));
            }
        }
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    [InlineData(0, 254)]
    [InlineData(127, 127)]
    public void Refuses_coefficients_outside_of_every_code(int row, int column) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ReedSolomon.Coefficient(row, column));

    /// <summary>
    /// Goal: any k of k + m shards suffice, for every k + m up to 20. Losing e data shards and
    /// decoding from e parity shards needs the e x e part of the matrix at these rows and columns
    /// to be invertible; that depends on the rows and columns only, not on k and m. So every square
    /// part within row + column bounds of k + m = 20 is checked: all of them up to 4 x 4, and
    /// random larger ones.
    /// </summary>
    [Fact]
    public void Every_square_part_is_invertible_up_to_20_shards()
    {
        const int Shards = 20;
        for (uint rows = 1; rows < 1u << (Shards - 1); rows++)
        {
            int count = BitOperations.PopCount(rows);
            if (count > 4)
            {
                continue;
            }

            int parityShards = 32 - BitOperations.LeadingZeroCount(rows);
            int dataShards = Shards - parityShards;
            for (uint columns = 1; columns < 1u << dataShards; columns++)
            {
                if (BitOperations.PopCount(columns) == count
                    && (count < 4 || (rows * 31 + columns) % 7 == 0))
                {
                    AssertInvertible(rows, columns, count);
                }
            }
        }
    }

    [Fact]
    public void Random_large_square_parts_are_invertible()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 2000; round++)
        {
            int dataShards = random.Next(1, 254);
            int parityShards = random.Next(1, 255 - dataShards + 1);
            int count = random.Next(1, Math.Min(dataShards, parityShards) + 1);
            int[] rows = Pick(random, parityShards, count);
            int[] columns = Pick(random, dataShards, count);
            Assert.True(
                IsInvertible(rows, columns),
                $"seed {seed}: rows {string.Join(',', rows)} columns {string.Join(',', columns)}");
        }
    }

    [Fact]
    public void Reducing_gives_the_inverse()
    {
        const int Count = 8;
        int stride = CodingMatrix.RowStride(2 * Count);
        byte* rows = stackalloc byte[Count * stride];
        for (int row = 0; row < Count; row++)
        {
            for (int column = 0; column < Count; column++)
            {
                rows[row * stride + column] = CodingMatrix.Coefficient(row, column);
                rows[row * stride + Count + column] = row == column ? (byte)1 : (byte)0;
            }
        }

        CodingMatrix.Reduce(rows, Count, stride);

        for (int row = 0; row < Count; row++)
        {
            for (int column = 0; column < Count; column++)
            {
                byte sum = 0;
                for (int inner = 0; inner < Count; inner++)
                {
                    sum ^= Reference.Multiply(
                        CodingMatrix.Coefficient(row, inner),
                        rows[inner * stride + Count + column]);
                }

                Assert.Equal(row == column ? 1 : 0, sum);
            }
        }
    }

    private static int[] Pick(Random random, int from, int count)
    {
        int[] all = [.. Enumerable.Range(0, from)];
        random.Shuffle(all);
        return all[..count];
    }

    private static void AssertInvertible(uint rows, uint columns, int count)
    {
        Span<int> rowList = stackalloc int[count];
        Span<int> columnList = stackalloc int[count];
        for (int at = 0; at < count; at++)
        {
            rowList[at] = BitOperations.TrailingZeroCount(rows);
            columnList[at] = BitOperations.TrailingZeroCount(columns);
            rows &= rows - 1;
            columns &= columns - 1;
        }

        if (!IsInvertible(rowList, columnList))
        {
            Assert.Fail(
                $"rows {string.Join(',', rowList.ToArray())} "
                + $"columns {string.Join(',', columnList.ToArray())}");
        }
    }

    /// <summary>Elimination with exchange of rows, so that it does not share the library's
    /// assumption.</summary>
    private static bool IsInvertible(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns)
    {
        int count = rows.Length;
        byte[] matrix = new byte[count * count];
        for (int row = 0; row < count; row++)
        {
            for (int column = 0; column < count; column++)
            {
                matrix[row * count + column] = CodingMatrix.Coefficient(rows[row], columns[column]);
            }
        }

        for (int pivot = 0; pivot < count; pivot++)
        {
            int found = pivot;
            while (found < count && matrix[found * count + pivot] == 0)
            {
                found++;
            }

            if (found == count)
            {
                return false;
            }

            for (int column = 0; column < count; column++)
            {
                int a = pivot * count + column;
                int b = found * count + column;
                (matrix[a], matrix[b]) = (matrix[b], matrix[a]);
            }

            for (int row = pivot + 1; row < count; row++)
            {
                byte factor = Galois.Divide(
                    matrix[row * count + pivot], matrix[pivot * count + pivot]);
                for (int column = pivot; column < count; column++)
                {
                    matrix[row * count + column] ^=
                        Galois.Multiply(factor, matrix[pivot * count + column]);
                }
            }
        }

        return true;
    }
}
