// HOT PATH. As Gfni512Kernel with half the width and half the registers.
namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 32-byte vectors with bit matrix products, for processors that have GFNI and no AVX-512. The same
/// scheme as <see cref="Gfni512Kernel"/> without the three-way XOR.
/// </summary>
internal sealed unsafe class Gfni256Kernel : CodingKernel
{
    private const int VectorBytes = 32;

    public Gfni256Kernel()
        : base(new KernelShape(VectorBytes, sizeof(ulong), 12, 4, 4, true))
    {
    }

    // SAFETY: an entry has the CoefficientBytes of the shape; the loops say why their own accesses
    // are sound, the dispatch below touches no memory.
    protected override void Expand(byte coefficient, byte* entry) =>
        *(ulong*)entry = Galois.AffineMatrices[coefficient];

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
                ForVectors<TInputs, One, Two>(pass);
                break;
            case 2:
                ForVectors<TInputs, Two, Two>(pass);
                break;
            case 3:
                ForVectors<TInputs, Three, Two>(pass);
                break;
            default:
                ForVectors<TInputs, Four, Two>(pass);
                break;
        }
    }

    private static void ForVectors<TInputs, TOutputs, TVectors>(in Product pass)
        where TInputs : struct, ICount
        where TOutputs : struct, ICount
        where TVectors : struct, ICount
    {
        if (pass.Has(ProductMode.PlainFirst))
        {
            ForStores<TInputs, TOutputs, TVectors, One>(pass);
        }
        else
        {
            ForStores<TInputs, TOutputs, TVectors, Zero>(pass);
        }
    }

    /// <summary>
    /// Streams take two vectors at a time, which keeps each load instruction on consecutive lines;
    /// in the cache as many as the registers hold. What is left goes vector by vector.
    /// </summary>
    private static void ForStores<TInputs, TOutputs, TVectors, TPlain>(in Product pass)
        where TInputs : struct, ICount
        where TOutputs : struct, ICount
        where TVectors : struct, ICount
        where TPlain : struct, ICount
    {
        bool stream = pass.Has(ProductMode.Stream) && pass.OutputsAreAligned(VectorBytes);
        if (stream)
        {
            pass.PrefetchInputs();
        }

        uint wide = (uint)((stream ? 2 : TVectors.Value) * VectorBytes);
        nuint middle = pass.To - (pass.To - pass.From) % wide;
        if (!stream)
        {
            Gfni256Loop<TInputs, TOutputs, TVectors, TPlain, Zero>.Run(pass, pass.From, middle);
        }
        else if (pass.Has(ProductMode.StreamHalf))
        {
            Gfni256Loop<TInputs, TOutputs, Two, TPlain, Two>.Run(pass, pass.From, middle);
        }
        else
        {
            Gfni256Loop<TInputs, TOutputs, Two, TPlain, One>.Run(pass, pass.From, middle);
        }

        if (middle < pass.To)
        {
            Gfni256Loop<TInputs, TOutputs, One, TPlain, Zero>.Run(pass, middle, pass.To);
        }
    }
}
