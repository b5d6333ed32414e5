using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Erasure;
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>What a call costs beside the multiplication: decoding tables and allocations.</summary>
internal static unsafe class ErasureCosts
{
    private const int Calls = 10_000;

    public static IEnumerable<BenchRow> Run(BenchOptions options)
    {
        foreach ((int k, int m, int lost) in new[] { (8, 4, 4), (8, 8, 8) })
        {
            string name = $"invert and tables, {lost} of {k} data lost";
            if (options.Wants(name))
            {
                yield return InvertAndTables(options, name, k, m, lost);
            }
        }

        const string AllocationCase = "allocated by Encode and Reconstruct";
        if (options.Wants(AllocationCase))
        {
            yield return BenchRow.Alone(
                AllocationCase, AllocatedBytes(), "B", 0, false, $"{Calls} calls of each, no pattern twice in a row");
        }
    }

    private static BenchRow InvertAndTables(BenchOptions options, string name, int k, int m, int lost)
    {
        var planner = new DecodingPlanner(k, m, CodingMatrix.Parity(k, m));
        CodingKernel kernel = ErasureKernels.Implementation(ErasureKernels.Active);
        byte[] table = GC.AllocateArray<byte>(kernel.TableBytes(k, m), pinned: true);
        ShardSet wanted = ShardSet.Range(0, lost);
        ShardSet present = ShardSet.Range(0, k + m).Except(wanted);
        planner.TryChooseInputs(present, out ShardSet inputs);
        return PairedRun.MeasureBatches(
            options,
            count =>
            {
                fixed (byte* entries = table)
                {
                    for (int i = 0; i < count; i++)
                    {
                        planner.Build(inputs, wanted, kernel, entries);
                    }
                }
            },
            null).Duration(name, "us", 1.6, "");
    }

    /// <summary>Walks through more loss patterns than the cache keeps, so that misses are among the
    /// calls.</summary>
    private static double AllocatedBytes()
    {
        const int ShardBytes = 512;
        var code = ReedSolomon.Create(8, 4);
        byte[] stripe = new byte[12 * ShardBytes];
        double allocated = 0;

        // The first walk lets the JIT finish.
        for (int walk = 0; walk < 2; walk++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int call = 0; call < Calls; call++)
            {
                code.Encode(stripe.AsSpan(0, 8 * ShardBytes), stripe.AsSpan(8 * ShardBytes), ShardBytes);
                ShardSet wanted = ShardSet.Of(call % 7, 7 + call / 7 % 5);
                ShardSet present = ShardSet.Range(0, 12).Except(wanted);
                code.Reconstruct(stripe, ShardBytes, present, wanted);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        return allocated;
    }
}
