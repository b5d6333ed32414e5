using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Erasure;
using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>What stands beside the multiplication: tables, checksums and allocations.</summary>
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
                AllocationCase, AllocatedBytes(), "B", 0, false, $"{Calls} calls of each");
        }

        const string ChecksumCase = "CRC32C of 64 KiB";
        if (options.Wants(ChecksumCase))
        {
            yield return Checksum(options, ChecksumCase);
        }
    }

    private static BenchRow InvertAndTables(
        BenchOptions options, string name, int k, int m, int lost)
    {
        var planner = new DecodingPlanner(k, m, CodingMatrix.Parity(k, m));
        CodingKernel kernel = ErasureKernels.Implementation(ErasureKernels.Active);
        byte[] table = GC.AllocateArray<byte>(kernel.TableBytes(k, m), pinned: true);
        ShardSet wanted = ShardSet.Range(0, lost);
        planner.TryChooseInputs(ShardSet.Range(0, k + m).Except(wanted), out ShardSet inputs);
        Action<int> build = count =>
        {
            fixed (byte* entries = table)
            {
                for (int i = 0; i < count; i++)
                {
                    planner.Build(inputs, wanted, kernel, entries);
                }
            }
        };
        return PairedRun.MeasureBatches(options, build, null, true).Duration(name, "us", 1.6, "");
    }

    /// <summary>
    /// Walks through loss patterns that are new in the measured walk, so that misses of the cache
    /// are among the calls; the walk before lets the JIT finish.
    /// </summary>
    private static double AllocatedBytes()
    {
        const int ShardBytes = 512;
        var code = ReedSolomon.Create(12, 8);
        byte[] stripe = new byte[20 * ShardBytes];
        double allocated = 0;
        for (int walk = 0; walk < 2; walk++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int call = 0; call < Calls; call++)
            {
                code.Encode(
                    stripe.AsSpan(0, 12 * ShardBytes), stripe.AsSpan(12 * ShardBytes), ShardBytes);
                ShardSet wanted = ShardSet.Of(call % 9, 9 + call / 9 % 9, 18 + walk);
                ShardSet present = ShardSet.Range(0, 20).Except(wanted);
                code.Reconstruct(stripe, ShardBytes, present, wanted);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        return allocated;
    }

    private static BenchRow Checksum(BenchOptions options, string name)
    {
        byte[] bytes = GC.AllocateArray<byte>(64 * 1024, pinned: true);
        uint sum = 0;
        Action<int> ours = count =>
        {
            for (int i = 0; i < count; i++)
            {
                sum += Crc32C.Compute(bytes);
            }
        };
        Action<int>? rival = IsaL.Version is null
            ? null
            : count =>
            {
                fixed (byte* first = bytes)
                {
                    for (int i = 0; i < count; i++)
                    {
                        sum += IsaL.Crc32C(first, bytes.Length);
                    }
                }
            };
        return PairedRun.MeasureBatches(options, ours, rival, true)
            .Rate(name, bytes.Length, null, IsaL.Version ?? "ISA-L is not installed");
    }
}
