namespace Pangea.DataPlane.Erasure.Tests;

/// <summary>
/// The field and the code written out the slow way, from the definition and sharing nothing with
/// the library: bit by bit multiplication, inverses by trial, parity by the formula of the
/// documentation.
/// </summary>
internal static class Reference
{
    public static byte Multiply(int a, int b)
    {
        int product = 0;
        for (int bit = 0; bit < 8; bit++)
        {
            product ^= (b >> bit & 1) != 0 ? a << bit : 0;
        }

        for (int bit = 14; bit >= 8; bit--)
        {
            product ^= (product >> bit & 1) != 0 ? 0x11D << (bit - 8) : 0;
        }

        return (byte)product;
    }

    public static byte Divide(int a, int b)
    {
        for (int quotient = 0; quotient < 256; quotient++)
        {
            if (Multiply(quotient, b) == a)
            {
                return (byte)quotient;
            }
        }

        throw new DivideByZeroException();
    }

    /// <summary>docs/erasure-matrix.md: (i' * j') / ((i ^ j)' * 255) with n' = n ^ 255.</summary>
    public static byte Coefficient(int row, int column) =>
        Divide(Multiply(row ^ 255, column ^ 255), Multiply(row ^ column ^ 255, 255));

    public static byte[] Encode(
        ReadOnlySpan<byte> data, int dataShards, int parityShards, int shardBytes)
    {
        byte[] parity = new byte[parityShards * shardBytes];
        for (int row = 0; row < parityShards; row++)
        {
            for (int column = 0; column < dataShards; column++)
            {
                byte coefficient = Coefficient(row, column);
                for (int at = 0; at < shardBytes; at++)
                {
                    parity[row * shardBytes + at] ^=
                        Multiply(coefficient, data[column * shardBytes + at]);
                }
            }
        }

        return parity;
    }

    public static byte[] RandomBytes(int bytes, int seed)
    {
        byte[] buffer = new byte[bytes];
        new Random(seed).NextBytes(buffer);
        return buffer;
    }
}
