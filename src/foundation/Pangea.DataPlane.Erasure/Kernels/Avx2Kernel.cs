// HOT PATH. Budget for 8+4, per 32 data bytes: 6 shuffles, 3 instructions for the nibbles and 7
// XORs on four pipes, which is 4 cycles, or about 33 GB/s at 4.1 GHz.
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 32 bytes at a time with table shuffles, which look up within each 16 bytes; the 16-byte tables
/// are therefore broadcast. See <see cref="Vector128Kernel"/> for the arithmetic and <see
/// cref="Gfni512Kernel"/> for why the inputs are unrolled.
/// </summary>
internal sealed unsafe class Avx2Kernel : CodingKernel
{
    private const int VectorBytes = 32;

    public Avx2Kernel()
        : base(new KernelShape(VectorBytes, Galois.NibbleTableBytes, 12, 4, 4, true))
    {
    }

    // SAFETY: an entry has the CoefficientBytes of the shape; the loop says why its own accesses
    // are sound, the dispatch below touches no memory.
    protected override void Expand(byte coefficient, byte* entry) =>
        Unsafe.CopyBlock(
            entry,
            Galois.NibbleTables + coefficient * Galois.NibbleTableBytes,
            Galois.NibbleTableBytes);

    protected override void Pass(in Product pass)
    {
        switch (pass.InputCount)
        {
            case 1:
                ForInputs<One>(pass);
                break;
            case 2:
                ForInputs<Two>(pass);
                break;
            case 3:
                ForInputs<Three>(pass);
                break;
            case 4:
                ForInputs<Four>(pass);
                break;
            case 5:
                ForInputs<Five>(pass);
                break;
            case 6:
                ForInputs<Six>(pass);
                break;
            case 7:
                ForInputs<Seven>(pass);
                break;
            case 8:
                ForInputs<Eight>(pass);
                break;
            case 9:
                ForInputs<Nine>(pass);
                break;
            case 10:
                ForInputs<Ten>(pass);
                break;
            case 11:
                ForInputs<Eleven>(pass);
                break;
            default:
                ForInputs<Twelve>(pass);
                break;
        }
    }

    private static void ForInputs<TInputs>(in Product pass)
        where TInputs : struct, ICount
    {
        switch (pass.OutputCount)
        {
            case 1:
                ForPlain<TInputs, One>(pass);
                break;
            case 2:
                ForPlain<TInputs, Two>(pass);
                break;
            case 3:
                ForPlain<TInputs, Three>(pass);
                break;
            default:
                ForPlain<TInputs, Four>(pass);
                break;
        }
    }

    private static void ForPlain<TInputs, TOutputs>(in Product pass)
        where TInputs : struct, ICount
        where TOutputs : struct, ICount
    {
        if (pass.Has(ProductMode.PlainFirst))
        {
            Avx2Loop<TInputs, TOutputs, One>.Run(pass);
        }
        else
        {
            Avx2Loop<TInputs, TOutputs, Zero>.Run(pass);
        }
    }
}
