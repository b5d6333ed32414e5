using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// Reed-Solomon against ISA-L, in one process, on one core, in alternating rounds. GB/s count data
/// bytes: k shards per stripe, whatever the parity.
/// </summary>
public sealed unsafe class ErasureArea : IBenchArea
{
    /// <summary>Several times the last-level cache of every machine we know (up to 128
    /// MiB).</summary>
    private const long ColdArenaBytes = 768L * 1024 * 1024;

    private const int KiB = 1024;

    private static readonly string s_rival = IsaL.Version ?? "ISA-L is not installed";

    public string Name => "erasure";

    public string Summary => "Reed-Solomon kernels against ISA-L, warm and cold";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        options.Progress($"kernel {ErasureKernels.Name(ErasureKernels.Active)}, rival {s_rival}");
        return Warm(options)
            .Concat(Cold(options))
            .Concat(Reconstruction(options))
            .Concat(ForcedKernels(options))
            .Concat(ErasureCosts.Run(options));
    }

    private static IEnumerable<BenchRow> Warm(BenchOptions options)
    {
        foreach ((int k, int m) in new[] { (8, 4), (10, 4), (6, 6) })
        {
            foreach (int shardBytes in new[] { 4 * KiB, 64 * KiB, 256 * KiB, 1024 * KiB })
            {
                string name = $"encode {k}+{m}, {shardBytes / KiB} KiB, warm";
                if (options.Wants(name))
                {
                    double goal = m == 6 ? 3.5 : shardBytes <= 64 * KiB ? 3.9 : 2.6;
                    yield return Encode(options, name, k, m, shardBytes, 0, goal, null);
                }
            }
        }
    }

    private static IEnumerable<BenchRow> Cold(BenchOptions options)
    {
        foreach ((int k, int m) in new[] { (8, 4), (10, 4), (6, 6) })
        {
            foreach (int shardBytes in new[] { 64 * KiB, 256 * KiB, 1024 * KiB })
            {
                string name = $"encode {k}+{m}, {shardBytes / KiB} KiB, cold";
                if (options.Wants(name))
                {
                    double goal = m == 6 ? 2.3 : 2.4;
                    yield return Encode(options, name, k, m, shardBytes, ColdArenaBytes, goal, null);
                }

                string copyName = name + ", copy";
                if (options.Wants(copyName))
                {
                    yield return AgainstCopy(options, copyName, k, m, shardBytes);
                }
            }
        }
    }

    private static IEnumerable<BenchRow> ForcedKernels(BenchOptions options)
    {
        foreach (ErasureKernel kernel in ErasureKernels.Available)
        {
            foreach (int shardBytes in new[] { 4 * KiB, 64 * KiB, 1024 * KiB })
            {
                string kernelName = ErasureKernels.Name(kernel);
                string name = $"encode 8+4, {shardBytes / KiB} KiB, forced {kernelName}";
                if (options.Wants(name) && kernel != ErasureKernel.Scalar)
                {
                    double? goal = kernel == ErasureKernel.Avx2 ? 0.8 : null;
                    yield return Encode(options, name, 8, 4, shardBytes, 0, goal, kernel);
                }
            }
        }
    }

    private static BenchRow Encode(
        BenchOptions options,
        string name,
        int k,
        int m,
        int shardBytes,
        long arenaBytes,
        double? goal,
        ErasureKernel? kernel)
    {
        using StripeArena arena = new(k + m, shardBytes, arenaBytes);
        var code = ReedSolomon.Create(k, m, kernel);
        Action<int> ours = count =>
        {
            for (int i = 0; i < count; i++)
            {
                byte** shards = arena.Next();
                code.Encode(
                    new ReadOnlySpan<byte>(shards[0], k * shardBytes),
                    new Span<byte>(shards[k], m * shardBytes),
                    shardBytes);
            }
        };
        Action<int>? rival = null;
        if (IsaL.Version is not null)
        {
            IsaL isaL = new(k, m);
            CheckSameParity(arena, code, isaL);
            rival = count =>
            {
                for (int i = 0; i < count; i++)
                {
                    byte** shards = arena.Next();
                    isaL.Encode(shards, shards + k, shardBytes);
                }
            };
        }

        return PairedRun.MeasureBatches(options, ours, rival)
            .Rate(name, (double)k * shardBytes, goal, s_rival);
    }

    /// <summary>The rival copies the data shards to another cold arena, which is what any pass
    /// costs.</summary>
    private static BenchRow AgainstCopy(
        BenchOptions options, string name, int k, int m, int shardBytes)
    {
        using StripeArena arena = new(k + m, shardBytes, ColdArenaBytes);
        using StripeArena target = new(k, shardBytes, ColdArenaBytes / 2);
        var code = ReedSolomon.Create(k, m);
        return PairedRun.MeasureBatches(
            options,
            count =>
            {
                for (int i = 0; i < count; i++)
                {
                    byte** shards = arena.Next();
                    code.Encode(
                        new ReadOnlySpan<byte>(shards[0], k * shardBytes),
                        new Span<byte>(shards[k], m * shardBytes),
                        shardBytes);
                }
            },
            count =>
            {
                for (int i = 0; i < count; i++)
                {
                    long bytes = (long)k * shardBytes;
                    Buffer.MemoryCopy(arena.Next()[0], target.Next()[0], bytes, bytes);
                }
            }).Rate(name, (double)k * shardBytes, 1.0, "memcpy of the data");
    }

    /// <summary>Our own encode is the rival: decoding is the same work with another
    /// matrix.</summary>
    private static IEnumerable<BenchRow> Reconstruction(BenchOptions options)
    {
        foreach (int shardBytes in new[] { 4 * KiB, 64 * KiB, 256 * KiB, 1024 * KiB })
        {
            string name = $"reconstruct 4 data of 8+4, {shardBytes / KiB} KiB";
            if (options.Wants(name))
            {
                yield return Reconstruct(options, name, shardBytes);
            }
        }
    }

    private static BenchRow Reconstruct(BenchOptions options, string name, int shardBytes)
    {
        using StripeArena arena = new(12, shardBytes);
        var code = ReedSolomon.Create(8, 4);
        ShardSet wanted = ShardSet.Of(0, 2, 5, 6);
        ShardSet present = ShardSet.Range(0, 12).Except(wanted);
        return PairedRun.MeasureBatches(
            options,
            count =>
            {
                for (int i = 0; i < count; i++)
                {
                    code.Reconstruct(
                        new Span<byte>(arena.Next()[0], 12 * shardBytes), shardBytes, present, wanted);
                }
            },
            count =>
            {
                for (int i = 0; i < count; i++)
                {
                    byte** shards = arena.Next();
                    code.Encode(
                        new ReadOnlySpan<byte>(shards[0], 8 * shardBytes),
                        new Span<byte>(shards[8], 4 * shardBytes),
                        shardBytes);
                }
            }).Rate(name, 8.0 * shardBytes, 0.9, "our own encode");
    }

    /// <summary>A benchmark of two different results would be worth nothing.</summary>
    private static void CheckSameParity(StripeArena arena, ReedSolomon code, IsaL isaL)
    {
        int k = code.DataShards;
        int parityBytes = code.ParityShards * arena.ShardBytes;
        byte** shards = arena.Next();
        isaL.Encode(shards, shards + k, arena.ShardBytes);
        if (!code.Verify(
            new ReadOnlySpan<byte>(shards[0], k * arena.ShardBytes),
            new ReadOnlySpan<byte>(shards[k], parityBytes),
            arena.ShardBytes))
        {
            throw new InvalidOperationException($"{s_rival} and we disagree about {k}+{code.ParityShards}");
        }
    }
}
