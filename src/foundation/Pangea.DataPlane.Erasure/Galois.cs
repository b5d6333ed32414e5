using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Erasure;

/// <summary>
/// Arithmetic in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), whose element 2 generates all
/// 255 non-zero elements. Addition and subtraction are XOR. The tables are written once and never
/// freed.
/// </summary>
internal static unsafe class Galois
{
    /// <summary>The reduction polynomial; part of the shard format.</summary>
    public const int Polynomial = 0x11D;

    /// <summary>Bytes of one entry of <see cref="NibbleTables"/>.</summary>
    public const int NibbleTableBytes = 32;

    private static readonly byte[] s_exp = new byte[510];
    private static readonly byte[] s_log = new byte[256];

    /// <summary>
    /// 256 entries of 32 bytes: c times 0x00..0x0F, then c times 0x00, 0x10, .. 0xF0. A byte
    /// shuffle looks up 16 products at once, and c*x = c*(low nibble) ^ c*(high nibble) because
    /// multiplying is linear.
    /// </summary>
    public static readonly byte* NibbleTables;

    /// <summary>
    /// 256 bit matrices in the layout of <c>vgf2p8affineqb</c>: byte 7-i of the qword is the row
    /// which makes bit i of the product (Intel SDM, GF2P8AFFINEQB). That instruction's own
    /// multiplication (GF2P8MULB) is fixed to polynomial 0x11B; a bit matrix works for any
    /// polynomial.
    /// </summary>
    public static readonly ulong* AffineMatrices;

    static Galois()
    {
        int power = 1;
        for (int exponent = 0; exponent < 255; exponent++)
        {
            s_exp[exponent] = s_exp[exponent + 255] = (byte)power;
            s_log[power] = (byte)exponent;
            power <<= 1;
            power ^= power > 255 ? Polynomial : 0;
        }

        // SAFETY: both blocks hold 256 entries and every index below is c (0..255) times the entry
        // size plus an offset within the entry. They are never freed, so the pointers stay valid.
        NibbleTables = (byte*)NativeMemory.AlignedAlloc(256 * NibbleTableBytes, 64);
        AffineMatrices = (ulong*)NativeMemory.AlignedAlloc(256 * sizeof(ulong), 64);
        for (int c = 0; c < 256; c++)
        {
            for (int nibble = 0; nibble < 16; nibble++)
            {
                byte* entry = NibbleTables + c * NibbleTableBytes + nibble;
                entry[0] = Multiply((byte)c, (byte)nibble);
                entry[16] = Multiply((byte)c, (byte)(nibble << 4));
            }

            AffineMatrices[c] = AffineMatrix((byte)c);
        }
    }

    public static byte Multiply(byte a, byte b) =>
        a == 0 || b == 0 ? (byte)0 : s_exp[s_log[a] + s_log[b]];

    /// <summary>1/a; zero has no inverse, and asking for it is a bug in the caller.</summary>
    public static byte Invert(byte a)
    {
        if (a == 0)
        {
            throw new DivideByZeroException("0 has no inverse in GF(2^8)");
        }

        return s_exp[255 - s_log[a]];
    }

    public static byte Divide(byte a, byte b) => Multiply(a, Invert(b));

    /// <summary>Row i of the matrix has bit j set where c * 2^j has bit i.</summary>
    private static ulong AffineMatrix(byte c)
    {
        ulong matrix = 0;
        for (int j = 0; j < 8; j++)
        {
            byte column = Multiply(c, (byte)(1 << j));
            for (int i = 0; i < 8; i++)
            {
                ulong bit = (uint)(column >> i) & 1;
                matrix |= bit << ((7 - i) * 8 + j);
            }
        }

        return matrix;
    }
}
