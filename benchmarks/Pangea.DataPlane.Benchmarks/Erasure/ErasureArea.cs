using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Benchmarks.Erasure;

/// <summary>
/// Reed-Solomon against ISA-L, in one process, on one core, in alternating rounds. GB/s count data
/// bytes: k shards per stripe, whatever the parity.
/// </summary>
public sealed unsafe class ErasureArea : IBenchArea
{
    /// <summary>Several times the last-level cache of every machine we know.</summary>
    private const long ColdArenaBytes = 768L * 1024 * 1024;

    private const int KiB = 1024;

    private static readonly (int K, int M)[] s_codes = [(8, 4), (10, 4), (6, 6)];
    private static readonly string s_rival = IsaL.Version ?? "ISA-L is not installed";

    public string Name => "erasure";

    public string Summary => "Reed-Solomon kernels against ISA-L, warm and cold";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string kernel = ErasureKernels.Name(ErasureKernels.Active);
        options.Progress($"kernel {kernel} ({ErasureKernels.ActiveReason}), rival {s_rival}");
        return Warm(options)
            .Concat(Cold(options))
            .Concat(Reconstruction(options))
            .Concat(Checksums(options))
            .Concat(ForcedKernels(options))
            .Concat(ErasureCosts.Run(options))
            .Concat(Functions(options));
    }

    /// <summary>
    /// The headline through BenchmarkDotNet. It takes half a minute, so a quick run leaves it out
    /// unless it is asked for by name.
    /// </summary>
    private static IEnumerable<BenchRow> Functions(BenchOptions options)
    {
        const string Name = "BenchmarkDotNet, encode 8+4, 64 KiB, warm";
        bool named = options.Filter?.Contains(
            "BenchmarkDotNet", StringComparison.OrdinalIgnoreCase) == true;
        if (options.Wants(Name) && (named || !options.Quick))
        {
            yield return FunctionRun.Rate(
                Name,
                FunctionRun.Measure<ErasureFunctions>(options),
                nameof(ErasureFunctions.Ours),
                IsaL.Version is null ? null : nameof(ErasureFunctions.Rival),
                ErasureFunctions.DataBytes,
                3.9,
                s_rival);
        }
    }

    private static IEnumerable<BenchRow> Warm(BenchOptions options)
    {
        foreach ((int k, int m) in s_codes)
        {
            foreach (int kib in new[] { 4, 64, 128, 256, 1024 })
            {
                string name = $"encode {k}+{m}, {kib} KiB, warm";
                if (options.Wants(name))
                {
                    double goal = m == 6 ? 3.5 : kib <= 64 ? 3.9 : 2.6;
                    using StripeArena arena = new(k, m, kib * KiB);
                    yield return Encode(
                        options, name, arena, OutputCaching.Auto, kib == 128 ? null : goal);
                }
            }
        }
    }

    /// <summary>The caller knows that its data is cold and says so: OutputCaching.Stream.</summary>
    private static IEnumerable<BenchRow> Cold(BenchOptions options)
    {
        foreach ((int k, int m) in s_codes)
        {
            foreach (int kib in new[] { 64, 256, 1024 })
            {
                string name = $"encode {k}+{m}, {kib} KiB, cold";
                string copyName = name + ", copy";
                if (!options.Wants(name) && !options.Wants(copyName))
                {
                    continue;
                }

                using StripeArena arena = new(k, m, kib * KiB, ColdArenaBytes);
                if (options.Wants(name))
                {
                    double goal = m == 6 ? 2.3 : 2.4;
                    yield return Encode(options, name, arena, OutputCaching.Stream, goal);
                }

                if (options.Wants(copyName))
                {
                    yield return AgainstCopy(options, copyName, arena);
                }
            }
        }
    }

    private static IEnumerable<BenchRow> ForcedKernels(BenchOptions options)
    {
        foreach (ErasureKernel kernel in ErasureKernels.Available)
        {
            foreach (int kib in new[] { 4, 64, 1024 })
            {
                string name = $"encode 8+4, {kib} KiB, forced {ErasureKernels.Name(kernel)}";
                if (options.Wants(name) && kernel != ErasureKernel.Scalar)
                {
                    using StripeArena arena = new(8, 4, kib * KiB);
                    double? goal = kernel == ErasureKernel.Avx2 ? 0.8 : null;
                    yield return Encode(options, name, arena, OutputCaching.Auto, goal, kernel);
                }
            }
        }
    }

    private static BenchRow Encode(
        BenchOptions options,
        string name,
        StripeArena arena,
        OutputCaching caching,
        double? goal,
        ErasureKernel? kernel = null)
    {
        var code = ReedSolomon.Create(arena.DataShards, arena.ParityShards, kernel);
        Action<int>? rival = null;
        if (IsaL.Version is not null)
        {
            IsaL isaL = new(arena.DataShards, arena.ParityShards);
            CheckSameParity(arena, code, isaL);
            rival = count =>
            {
                for (int i = 0; i < count; i++)
                {
                    byte** shards = arena.Point(arena.Next());
                    isaL.Encode(shards, shards + arena.DataShards, arena.ShardBytes);
                }
            };
        }

        return PairedRun.MeasureBatches(options, Encoding(arena, code, caching), rival, true)
            .Rate(name, arena.DataBytes, goal, s_rival);
    }

    /// <summary>
    /// The rival copies the data shards elsewhere, also cold: what any pass over them costs.
    /// </summary>
    private static BenchRow AgainstCopy(BenchOptions options, string name, StripeArena arena)
    {
        using StripeArena target = new(arena.DataShards, 0, arena.ShardBytes, ColdArenaBytes / 2);
        var code = ReedSolomon.Create(arena.DataShards, arena.ParityShards);
        Action<int> copy = count =>
        {
            for (int i = 0; i < count; i++)
            {
                Buffer.MemoryCopy(
                    arena.Next(), target.Next(), arena.DataBytes, arena.DataBytes);
            }
        };
        return PairedRun
            .MeasureBatches(options, Encoding(arena, code, OutputCaching.Stream), copy, true)
            .Rate(name, arena.DataBytes, 1.0, "memcpy of the data");
    }

    private static Action<int> Encoding(
        StripeArena arena, ReedSolomon code, OutputCaching caching) => count =>
    {
        for (int i = 0; i < count; i++)
        {
            byte* stripe = arena.Next();
            code.Encode(arena.Data(stripe), arena.Parity(stripe), arena.ShardBytes, caching);
        }
    };

    /// <summary>
    /// Our own encode is the rival: decoding is the same work with another matrix. Both put their
    /// outputs in the same place: into the cache (the default of Reconstruct), or where Auto puts
    /// them (the default of Encode), which is past it for stripes from 1 MiB on.
    /// </summary>
    private static IEnumerable<BenchRow> Reconstruction(BenchOptions options)
    {
        ShardSet wanted = ShardSet.Of(0, 2, 5, 6);
        ShardSet present = ShardSet.Range(0, 12).Except(wanted);
        foreach (int kib in new[] { 4, 64, 256, 1024 })
        {
            foreach (OutputCaching caching in new[] { OutputCaching.Keep, OutputCaching.Auto })
            {
                string name = $"reconstruct 4 data of 8+4, {kib} KiB, {caching}";
                if (options.Wants(name))
                {
                    using StripeArena arena = new(8, 4, kib * KiB);
                    yield return Reconstruct(options, name, arena, present, wanted, caching);
                }
            }
        }
    }

    private static BenchRow Reconstruct(
        BenchOptions options,
        string name,
        StripeArena arena,
        ShardSet present,
        ShardSet wanted,
        OutputCaching caching)
    {
        var code = ReedSolomon.Create(8, 4);
        Action<int> ours = count =>
        {
            for (int i = 0; i < count; i++)
            {
                Span<byte> stripe = arena.Whole(arena.Next());
                code.Reconstruct(stripe, arena.ShardBytes, present, wanted, caching);
            }
        };
        return PairedRun
            .MeasureBatches(options, ours, Encoding(arena, code, caching), true)
            .Rate(name, arena.DataBytes, 0.9, "our own encode");
    }

    private static IEnumerable<BenchRow> Checksums(BenchOptions options)
    {
        foreach (int kib in new[] { 64, 128, 256, 1024 })
        {
            foreach (bool cold in new[] { false, true })
            {
                string name = $"encode and CRC32C 8+4, {kib} KiB, {(cold ? "cold" : "warm")}";
                if (options.Wants(name))
                {
                    using StripeArena arena = new(8, 4, kib * KiB, cold ? ColdArenaBytes : 0);
                    yield return WithChecksums(
                        options, name, arena, cold ? OutputCaching.Stream : OutputCaching.Auto);
                }
            }
        }
    }

    private static BenchRow WithChecksums(
        BenchOptions options, string name, StripeArena arena, OutputCaching caching)
    {
        var code = ReedSolomon.Create(arena.DataShards, arena.ParityShards);
        uint[] checksums = new uint[code.TotalShards];
        Action<int> fused = count =>
        {
            for (int i = 0; i < count; i++)
            {
                byte* stripe = arena.Next();
                code.EncodeWithChecksums(
                    arena.Data(stripe), arena.Parity(stripe), arena.ShardBytes, checksums, caching);
            }
        };
        return PairedRun
            .MeasureBatches(options, fused, Encoding(arena, code, caching), true)
            .Rate(name, arena.DataBytes, 0.6, "our own encode alone");
    }

    /// <summary>A benchmark of two different results would be worth nothing.</summary>
    private static void CheckSameParity(StripeArena arena, ReedSolomon code, IsaL isaL)
    {
        byte* stripe = arena.Next();
        byte** shards = arena.Point(stripe);
        isaL.Encode(shards, shards + arena.DataShards, arena.ShardBytes);
        if (!code.Verify(arena.Data(stripe), arena.Parity(stripe), arena.ShardBytes))
        {
            throw new InvalidOperationException(
                $"{s_rival} and we disagree about {code.DataShards}+{code.ParityShards}");
        }
    }
}
