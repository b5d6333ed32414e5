namespace Pangea.DataPlane.Erasure.Tests;

public sealed unsafe class GaloisTests
{
    [Fact]
    public void Multiplies_as_polynomials_modulo_0x11D_do()
    {
        for (int a = 0; a < 256; a++)
        {
            for (int b = 0; b < 256; b++)
            {
                Assert.Equal(Reference.Multiply(a, b), Galois.Multiply((byte)a, (byte)b));
            }
        }
    }

    [Fact]
    public void Every_element_but_zero_has_an_inverse()
    {
        for (int a = 1; a < 256; a++)
        {
            Assert.Equal(1, Galois.Multiply((byte)a, Galois.Invert((byte)a)));
        }

        Assert.Throws<DivideByZeroException>(() => Galois.Invert(0));
    }

    [Fact]
    public void Nibble_tables_hold_the_products_of_both_nibbles()
    {
        for (int c = 0; c < 256; c++)
        {
            byte* table = Galois.NibbleTables + c * Galois.NibbleTableBytes;
            for (int x = 0; x < 256; x++)
            {
                Assert.Equal(
                    Galois.Multiply((byte)c, (byte)x), table[x & 15] ^ table[16 + (x >> 4)]);
            }
        }
    }

    /// <summary>Applies the bit matrices as the manual of the instruction says, without the
    /// instruction.</summary>
    [Fact]
    public void Affine_matrices_multiply()
    {
        for (int c = 0; c < 256; c++)
        {
            ulong matrix = Galois.AffineMatrices[c];
            for (int x = 0; x < 256; x++)
            {
                int product = 0;
                for (int bit = 0; bit < 8; bit++)
                {
                    uint row = (byte)(matrix >> (7 - bit) * 8);
                    product |= (System.Numerics.BitOperations.PopCount(row & (uint)x) & 1) << bit;
                }

                Assert.Equal(Galois.Multiply((byte)c, (byte)x), product);
            }
        }
    }
}
