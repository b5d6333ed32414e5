namespace Pangea.DataPlane.Erasure.Tests;

/// <summary>
/// What the tests start as a process of its own: prints the active kernel, why, and whether it
/// codes a stripe as the scalar kernel does; or the error.
/// </summary>
internal static class Program
{
    private static int Main()
    {
        try
        {
            byte[] data = Reference.RandomBytes(8 * 500, 1);
            byte[] parity = new byte[4 * 500];
            byte[] expected = new byte[4 * 500];
            ReedSolomon.Create(8, 4).Encode(data, parity, 500);
            ReedSolomon.Create(8, 4, ErasureKernel.Scalar).Encode(data, expected, 500);
            Console.WriteLine(
                $"{ErasureKernels.Active}, {ErasureKernels.ActiveReason}, "
                + $"{parity.AsSpan().SequenceEqual(expected)}");
            return 0;
        }
        catch (InvalidOperationException error)
        {
            Console.WriteLine(error.Message);
            return 1;
        }
    }
}
