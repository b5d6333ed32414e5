namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The specification: every output byte is the sum (XOR) over all inputs of coefficient times input
/// byte. The other kernels must equal this one; it also runs where there are no vectors.
/// </summary>
internal sealed unsafe class ScalarKernel : CodingKernel
{
    public ScalarKernel()
        : base(new KernelShape(1, 1, 255, 4, 4, false))
    {
    }

    protected override void Expand(byte coefficient, byte* entry) => *entry = coefficient;

    protected override void Pass(in Product pass)
    {
        // SAFETY: indices stay below the counts and below pass.To, which the caller vouches for.
        bool accumulate = pass.Has(ProductMode.Accumulate);
        for (int output = 0; output < pass.OutputCount; output++)
        {
            for (nuint at = pass.From; at < pass.To; at++)
            {
                byte sum = accumulate ? pass.Outputs[output][at] : (byte)0;
                for (int input = 0; input < pass.InputCount; input++)
                {
                    byte coefficient = pass.Table[input * pass.TableStride + output];
                    sum ^= Galois.Multiply(coefficient, pass.Inputs[input][at]);
                }

                pass.Outputs[output][at] = sum;
            }
        }
    }
}
