using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure.Tests;

/// <summary>Every kernel of this CPU against the scalar one, which is tested against the
/// definition.</summary>
public sealed unsafe class KernelTests
{
    private const int GuardBytes = 64;
    private const byte Guard = 0xA5;

    private static readonly ProductMode[] s_modes =
    [
        ProductMode.Write,
        ProductMode.Accumulate,
        ProductMode.Stream,
        ProductMode.Stream | ProductMode.StreamHalf,
        ProductMode.PlainFirst,
        ProductMode.PlainFirst | ProductMode.Accumulate,
        ProductMode.PlainFirst | ProductMode.Stream | ProductMode.StreamHalf,
    ];

    public static TheoryData<ErasureKernel> Kernels => [.. ErasureKernels.All];

    public static TheoryData<ErasureKernel, int> KernelsAndCounts
    {
        get
        {
            TheoryData<ErasureKernel, int> data = [];
            foreach (ErasureKernel kernel in ErasureKernels.All)
            {
                for (int outputs = 1; outputs <= 14; outputs++)
                {
                    data.Add(kernel, outputs);
                }
            }

            return data;
        }
    }

    [Fact]
    public void The_scalar_kernel_is_the_definition()
    {
        (int, int, int)[] shapes = [(1, 1, 1), (8, 4, 100), (10, 4, 33), (3, 9, 64)];
        foreach ((int k, int m, int bytes) in shapes)
        {
            byte[] data = Reference.RandomBytes(k * bytes, 17);
            byte[] parity = new byte[m * bytes];
            ReedSolomon.Create(k, m, ErasureKernel.Scalar).Encode(data, parity, bytes);
            Assert.Equal(Reference.Encode(data, k, m, bytes), parity);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Multiplies_every_byte_by_all_256_coefficients(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        CodingKernel implementation = ErasureKernels.Implementation(kernel);
        byte[] all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        byte[] products = new byte[256];
        byte* table = stackalloc byte[implementation.TableBytes(1, 1)];
        for (int c = 0; c < 256; c++)
        {
            byte coefficient = (byte)c;
            fixed (byte* input = all)
            fixed (byte* output = products)
            {
                byte* inputs = input;
                byte* outputs = output;
                implementation.BuildTable(&coefficient, 1, 1, 1, table);
                implementation.Multiply(new Product
                {
                    Table = table,
                    TableStride = 1,
                    Inputs = &inputs,
                    InputCount = 1,
                    Outputs = &outputs,
                    OutputCount = 1,
                    To = 256,
                    Mode = ProductMode.Write,
                });
            }

            for (int x = 0; x < 256; x++)
            {
                Assert.Equal(Reference.Multiply(c, x), products[x]);
            }
        }
    }

    /// <summary>Every length once, with shapes and offsets that walk along with it.</summary>
    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Equals_scalar_for_every_length_up_to_4097(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        for (int bytes = 0; bytes <= 4097; bytes++)
        {
            int inputs = 1 + bytes % 5;
            int outputs = 1 + bytes % 7;
            Compare(
                kernel, inputs, outputs, bytes, bytes % 64, bytes * 7 % 64,
                ProductMode.Write, bytes);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(KernelsAndCounts))]
    public void Equals_scalar_for_every_number_of_outputs(ErasureKernel kernel, int outputs)
    {
        SkipIfMissing(kernel);
        foreach (ProductMode mode in s_modes)
        {
            for (int inputs = 1; inputs <= 14; inputs++)
            {
                Compare(kernel, inputs, outputs, 64 * 9 + 5, 0, 0, mode, inputs);
                Compare(kernel, inputs, outputs, 64 * 4, 1, 3, mode, inputs);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Equals_scalar_for_random_shapes(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        Gen<(int Inputs, int Outputs, int Bytes, int Offsets, int Mode, int Seed)> shapes =
            from inputs in Gen.Choose(1, 24)
            from outputs in Gen.Choose(1, 16)
            from bytes in Gen.Choose(0, 4097)
            from offsets in Gen.Choose(0, 64 * 64 - 1)
            from mode in Gen.Choose(0, s_modes.Length - 1)
            from seed in Gen.Choose(0, int.MaxValue - 1)
            select (inputs, outputs, bytes, offsets, mode, seed);
        Prop.ForAll(
            shapes.ToArbitrary(),
            shape => Compare(
                kernel, shape.Inputs, shape.Outputs, shape.Bytes,
                shape.Offsets % 64, shape.Offsets / 64,
                s_modes[shape.Mode], shape.Seed)).QuickCheckThrowOnFailure();
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Equals_scalar_at_the_largest_shapes(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        Compare(kernel, 254, 1, 1030, 3, 5, ProductMode.Write, 1);
        Compare(kernel, 1, 254, 1030, 3, 5, ProductMode.Write, 2);
        Compare(kernel, 128, 127, 1030, 0, 0, ProductMode.Stream, 3);
    }

    /// <summary>
    /// The first output of a chain is also the sum of the others: for the scalar kernel, which does
    /// not chain, a first row that is the sum of all rows.
    /// </summary>
    [SkippableTheory]
    [InlineData(ErasureKernel.Avx2)]
    [InlineData(ErasureKernel.Gfni256)]
    [InlineData(ErasureKernel.Gfni512)]
    public void Chains_as_if_the_first_row_were_the_sum(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        KernelShape shape = ErasureKernels.Implementation(kernel).Shape;
        Assert.True(shape.CanChain);
        ProductMode[] modes =
        [
            ProductMode.Write,
            ProductMode.Accumulate,
            ProductMode.Stream,
            ProductMode.Stream | ProductMode.StreamHalf,
        ];
        foreach (ProductMode mode in modes)
        {
            ProductMode chained = mode | ProductMode.PlainFirst | ProductMode.Chained;
            for (int outputs = 1; outputs <= shape.OutputsMax; outputs++)
            {
                for (int inputs = 1; inputs <= 30; inputs++)
                {
                    Compare(kernel, inputs, outputs, 64 * 9 + 5, 0, 0, chained, inputs);
                    Compare(kernel, inputs, outputs, 64 * 4 + 33, 1, 3, chained, 7 * inputs);
                }
            }
        }
    }

    /// <summary>
    /// Codes with random coefficients in buffers at the given offsets from 64-byte alignment, with
    /// guard bytes around every output, on the kernel and on the scalar one.
    /// </summary>
    private static void Compare(
        ErasureKernel kernel,
        int inputs,
        int outputs,
        int bytes,
        int inputOffset,
        int outputOffset,
        ProductMode mode,
        int seed)
    {
        byte[] coefficients = Reference.RandomBytes(inputs * outputs, seed);
        int plainInputs = 0;
        if ((mode & ProductMode.PlainFirst) != 0)
        {
            plainInputs = seed % (inputs + 1);
            coefficients.AsSpan(0, inputs).Clear();
            coefficients.AsSpan(0, plainInputs).Fill(1);
        }

        int stride = (bytes + 64 + 2 * GuardBytes + 63) & -64;
        byte[] before = Reference.RandomBytes((inputs + outputs) * stride, seed + 1);
        byte[] expected = Code(ErasureKernel.Scalar);
        byte[] actual = Code(kernel);
        int difference = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(
            difference == expected.Length,
            $"{kernel} differs at byte {difference % stride - GuardBytes - outputOffset} of output "
            + $"{difference / stride - inputs}: {inputs}x{outputs}, {bytes} bytes, "
            + $"offsets {inputOffset} and {outputOffset}, {mode}, seed {seed}");

        byte[] Code(ErasureKernel with)
        {
            CodingKernel implementation = ErasureKernels.Implementation(with);
            byte[] memory = GC.AllocateUninitializedArray<byte>(before.Length + 64, pinned: true);
            byte[] table = new byte[implementation.TableBytes(inputs, outputs)];
            ProductMode how = mode;
            byte[] factors = coefficients;
            if (with == ErasureKernel.Scalar && (mode & ProductMode.Chained) != 0)
            {
                how &= ~(ProductMode.Chained | ProductMode.PlainFirst);
                factors = SumIntoFirstRow(coefficients, inputs);
            }

            byte** sources = stackalloc byte*[inputs];
            byte** targets = stackalloc byte*[outputs];
            fixed (byte* unaligned = memory)
            fixed (byte* entries = table)
            fixed (byte* matrix = factors)
            {
                byte* start = (byte*)(((nuint)unaligned + 63) & ~(nuint)63);
                var region = new Span<byte>(start, before.Length);
                before.CopyTo(region);
                for (int input = 0; input < inputs; input++)
                {
                    sources[input] = start + input * stride + GuardBytes + inputOffset;
                }

                for (int output = 0; output < outputs; output++)
                {
                    byte* target = start + (inputs + output) * stride + GuardBytes + outputOffset;
                    targets[output] = target;
                    new Span<byte>(target - GuardBytes, GuardBytes).Fill(Guard);
                    new Span<byte>(target + bytes, GuardBytes).Fill(Guard);
                }

                implementation.BuildTable(matrix, inputs, inputs, outputs, entries);
                implementation.Multiply(new Product
                {
                    Table = entries,
                    TableStride = outputs,
                    Inputs = sources,
                    InputCount = inputs,
                    Outputs = targets,
                    OutputCount = outputs,
                    To = (nuint)bytes,
                    Mode = how,
                    PlainInputs = plainInputs,
                });
                return region.ToArray();
            }
        }
    }

    private static byte[] SumIntoFirstRow(byte[] coefficients, int columns)
    {
        byte[] sum = [.. coefficients];
        for (int at = columns; at < sum.Length; at++)
        {
            sum[at % columns] ^= sum[at];
        }

        return sum;
    }

    private static void SkipIfMissing(ErasureKernel kernel) =>
        Skip.If(
            ErasureKernels.MissingFeature(kernel) is not null,
            $"this CPU has no {ErasureKernels.MissingFeature(kernel)}");
}
