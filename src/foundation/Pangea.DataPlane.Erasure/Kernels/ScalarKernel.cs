namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// The specification: every output byte is the sum (XOR) over all inputs of coefficient times input
/// byte. The other kernels must equal this one; it also runs where there are no vectors.
/// </summary>
internal sealed unsafe class ScalarKernel : CodingKernel
{
    public override int StepBytes => 1;

    public override int OutputsPerPass => 4;

    public override int CoefficientBytes => 1;

    protected override void Expand(byte coefficient, byte* entry) => *entry = coefficient;

    protected override void Pass(
        byte* table,
        byte** inputs,
        int inputCount,
        byte** outputs,
        int outputCount,
        nuint from,
        nuint to,
        PassMode mode)
    {
        // SAFETY: indices stay below the counts and below to, which the caller vouches for.
        bool accumulate = (mode & PassMode.Accumulate) != 0;
        for (int output = 0; output < outputCount; output++)
        {
            for (nuint at = from; at < to; at++)
            {
                byte sum = accumulate ? outputs[output][at] : (byte)0;
                for (int input = 0; input < inputCount; input++)
                {
                    byte coefficient = table[input * outputCount + output];
                    sum ^= Galois.Multiply(coefficient, inputs[input][at]);
                }

                outputs[output][at] = sum;
            }
        }
    }
}
