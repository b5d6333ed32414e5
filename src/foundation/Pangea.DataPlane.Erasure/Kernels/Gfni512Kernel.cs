// HOT PATH. Budget for 8+4, per 64 data bytes: 3 bit matrix products (the first parity row is ones
// and costs a masked XOR), of which the CPU starts two per cycle, so 1.5 cycles; loads, XORs and
// stores have to hide behind them. At 4.1 GHz that is about 170 GB/s of data while everything sits
// in the L1 cache.
using System.Runtime.Intrinsics.X86;

namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// 64-byte vectors with bit matrix products: multiplying by a constant is linear over the bits, so
/// it is one 8x8 bit matrix, which one instruction applies to 64 bytes. Inputs are taken in pairs,
/// so that one three-way XOR adds two products, and two or four vectors share every matrix load.
/// </summary>
/// <remarks>
/// Inputs are unrolled in the source, not looped over: the hardware prefetchers recognise a stream
/// by the address of the instruction that loads from it, and one load in a loop that walks over
/// eight shards looks like no stream at all. That alone was worth a factor of two from memory
/// (experiment 0001).
/// </remarks>
internal sealed unsafe class Gfni512Kernel : CodingKernel
{
    private const int VectorBytes = 64;

    public Gfni512Kernel()
        : base(new KernelShape(VectorBytes, sizeof(ulong), 12, 6, 6, true))
    {
    }

    public override bool CanCheck(in Product product) =>
        Crc32C.CanFold && product.InputCount is >= 4 and <= 12 && product.OutputCount <= 4;

    public override void MultiplyAndCheck(in Product product, uint* states)
    {
        switch (product.InputCount)
        {
            case 4:
                CheckForInputs<Four>(product, states);
                break;
            case 5:
                CheckForInputs<Five>(product, states);
                break;
            case 6:
                CheckForInputs<Six>(product, states);
                break;
            case 7:
                CheckForInputs<Seven>(product, states);
                break;
            case 8:
                CheckForInputs<Eight>(product, states);
                break;
            case 9:
                CheckForInputs<Nine>(product, states);
                break;
            case 10:
                CheckForInputs<Ten>(product, states);
                break;
            case 11:
                CheckForInputs<Eleven>(product, states);
                break;
            default:
                CheckForInputs<Twelve>(product, states);
                break;
        }

        if (product.Has(ProductMode.Stream))
        {
            Sse.StoreFence();
        }
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

    private static void CheckForInputs<TInputs>(in Product product, uint* states)
        where TInputs : struct, ICount
    {
        switch (product.OutputCount)
        {
            case 1:
                CheckForOutputs<TInputs, One>(product, states);
                break;
            case 2:
                CheckForOutputs<TInputs, Two>(product, states);
                break;
            case 3:
                CheckForOutputs<TInputs, Three>(product, states);
                break;
            default:
                CheckForOutputs<TInputs, Four>(product, states);
                break;
        }
    }

    private static void CheckForOutputs<TInputs, TOutputs>(in Product product, uint* states)
        where TInputs : struct, ICount
        where TOutputs : struct, ICount
    {
        if (product.Has(ProductMode.Stream) && product.OutputsAreAligned(VectorBytes))
        {
            Gfni512CheckLoop<TInputs, TOutputs, One>.Run(product, states);
        }
        else
        {
            Gfni512CheckLoop<TInputs, TOutputs, Zero>.Run(product, states);
        }
    }

    private static void ForInputs<TInputs>(in Product pass)
        where TInputs : struct, ICount
    {
        // Four outputs of four vectors fill half the registers; six still have room for two.
        switch (pass.OutputCount)
        {
            case 1:
                ForVectors<TInputs, One, Four>(pass);
                break;
            case 2:
                ForVectors<TInputs, Two, Four>(pass);
                break;
            case 3:
                ForVectors<TInputs, Three, Four>(pass);
                break;
            case 4:
                ForVectors<TInputs, Four, Four>(pass);
                break;
            case 5:
                ForVectors<TInputs, Five, Two>(pass);
                break;
            default:
                ForVectors<TInputs, Six, Two>(pass);
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
            Gfni512Loop<TInputs, TOutputs, TVectors, TPlain, Zero>.Run(pass, pass.From, middle);
        }
        else if (pass.Has(ProductMode.StreamHalf))
        {
            Gfni512Loop<TInputs, TOutputs, Two, TPlain, Two>.Run(pass, pass.From, middle);
        }
        else
        {
            Gfni512Loop<TInputs, TOutputs, Two, TPlain, One>.Run(pass, pass.From, middle);
        }

        if (middle < pass.To)
        {
            Gfni512Loop<TInputs, TOutputs, One, TPlain, Zero>.Run(pass, middle, pass.To);
        }
    }
}
