using System.Collections.Concurrent;
using FsCheck;
using FsCheck.Fluent;

namespace Pangea.DataPlane.Erasure.Tests;

/// <summary>
/// The whole code on every kernel of this CPU, against the scalar one. The first loss patterns keep
/// parity shard 0, because those are the ones that kernels decode by a chain (the first lost shard
/// as the sum of everything else).
/// </summary>
public sealed unsafe class KernelCodeTests
{
    private const int GuardBytes = 64;
    private const byte Guard = 0xA5;

    private static readonly int[] s_lengths =
        [0, 1, 31, 32, 33, 63, 64, 65, 127, 255, 256, 300, 511, 513, 1023, 2049, 4095, 4096, 4097];

    private static readonly OutputCaching[] s_cachings =
        [OutputCaching.Keep, OutputCaching.Stream, OutputCaching.Auto];

    // Making a code takes a megabyte for its decoding tables; the shapes come again and again.
    private static readonly ConcurrentDictionary<(int, int, ErasureKernel), ReedSolomon> s_codes =
        [];

    public static TheoryData<ErasureKernel> Kernels => [.. ErasureKernels.All];

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Restores_data_with_the_first_parity_at_hand(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        int round = 0;
        for (int k = 1; k <= 30; k++)
        {
            for (int lost = 1; lost <= Math.Min(6, k); lost++)
            {
                // Each shape meets several lengths, and all shapes together meet all of them.
                for (int turn = 0; turn < 4; turn++)
                {
                    int bytes = s_lengths[round++ % s_lengths.Length];
                    var random = new Random(round);
                    ShardSet wanted = Choose(random, k, lost);
                    Restore(kernel, k, 6, bytes, wanted, wanted, round);
                }
            }
        }
    }

    /// <summary>Every length once, of a code with a chain of four and one that takes three
    /// passes over the inputs.</summary>
    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Restores_every_length_up_to_4097(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        for (int bytes = 0; bytes <= 4097; bytes++)
        {
            bool small = bytes % 2 == 0;
            ShardSet wanted = small ? ShardSet.Of(0, 2, 5, 6) : ShardSet.Of(1, 11, 12, 28);
            Restore(kernel, small ? 8 : 30, 4, bytes, wanted, wanted, bytes);
        }
    }

    /// <summary>Lost parity among the lost, parity 0 too, and fewer shards asked for than
    /// lost.</summary>
    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Restores_random_losses(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        Gen<(int K, int M, int Bytes, int Seed)> codes =
            from k in Gen.Choose(1, 30)
            from m in Gen.Choose(1, 8)
            from bytes in Gen.Choose(0, 4097)
            from seed in Gen.Choose(0, int.MaxValue - 1)
            select (k, m, bytes, seed);
        Prop.ForAll(
            codes.ToArbitrary(),
            shape =>
            {
                var random = new Random(shape.Seed);
                ShardSet lost = Choose(random, shape.K + shape.M, random.Next(1, shape.M + 1));
                ShardSet wanted = random.Next(2) == 0 ? lost : lost.Lowest(random.Next(1, 9));
                Restore(kernel, shape.K, shape.M, shape.Bytes, lost, wanted, shape.Seed);
            }).QuickCheckThrowOnFailure();
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Verifies_and_notices_a_changed_byte(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        foreach ((int k, int m) in new[] { (1, 1), (8, 4), (6, 6), (13, 3), (30, 7) })
        {
            var code = Code(k, m, kernel);
            foreach (int bytes in s_lengths)
            {
                byte[] stripe = MakeStripe(k, m, bytes, bytes + k);
                Assert.True(Verify());
                for (int shard = 0; shard < k + m && bytes > 0; shard++)
                {
                    int at = shard * bytes + (shard * 7919 + bytes - 1) % bytes;
                    stripe[at] ^= 1;
                    Assert.False(Verify(), $"{kernel} {k}+{m}, {bytes} bytes, byte {at}");
                    stripe[at] ^= 1;
                }

                bool Verify() =>
                    code.Verify(stripe.AsSpan(0, k * bytes), stripe.AsSpan(k * bytes), bytes);
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Kernels))]
    public void Updates_parity_as_if_encoded_again(ErasureKernel kernel)
    {
        SkipIfMissing(kernel);
        int round = 0;
        foreach ((int k, int m) in new[] { (1, 1), (8, 4), (6, 6), (13, 3), (30, 7) })
        {
            var code = Code(k, m, kernel);
            foreach (int bytes in s_lengths)
            {
                int changed = round++ % k;
                byte[] stripe = MakeStripe(k, m, bytes, round);
                byte[] oldData = [.. stripe.AsSpan(changed * bytes, bytes)];
                byte[] newData = Reference.RandomBytes(bytes, round + 1);
                byte[] parity = [.. stripe.AsSpan(k * bytes)];
                newData.CopyTo(stripe.AsSpan(changed * bytes));
                byte[] expected = new byte[m * bytes];
                Code(k, m, ErasureKernel.Scalar)
                    .Encode(stripe.AsSpan(0, k * bytes), expected, bytes);

                code.Update(changed, oldData, newData, parity);

                Assert.True(
                    parity.AsSpan().SequenceEqual(expected),
                    $"{kernel} {k}+{m}, {bytes} bytes, data shard {changed}");
            }
        }
    }

    /// <summary>
    /// Restores with every caching, from shards at an odd address into outputs that are aligned
    /// (so that they can be streamed) and that are not, with guard bytes behind each output.
    /// </summary>
    private static void Restore(
        ErasureKernel kernel, int k, int m, int bytes, ShardSet lost, ShardSet wanted, int seed)
    {
        var code = Code(k, m, kernel);
        byte[] stripe = MakeStripe(k, m, bytes, seed);
        int[] presentIndices = Members(ShardSet.Range(0, k + m).Except(lost));
        int[] wantedIndices = Members(wanted);
        int stride = (bytes + GuardBytes + 63) & -64;
        byte[] memory = GC.AllocateUninitializedArray<byte>(
            wantedIndices.Length * stride + 2 * 64, pinned: true);
        fixed (byte* shards = stripe)
        fixed (byte* unaligned = memory)
        {
            byte* start = (byte*)(((nuint)unaligned + 63) & ~(nuint)63);
            var present = new ShardPointer[presentIndices.Length];
            for (int i = 0; i < present.Length; i++)
            {
                present[i] = new ShardPointer(shards + presentIndices[i] * bytes, bytes);
            }

            foreach (OutputCaching caching in s_cachings)
            {
                byte* first = start + (caching == OutputCaching.Auto ? seed & 63 : 0);
                memory.AsSpan().Fill(Guard);
                var targets = new ShardPointer[wantedIndices.Length];
                for (int i = 0; i < targets.Length; i++)
                {
                    targets[i] = new ShardPointer(first + i * stride, bytes);
                }

                ErasureStatus status = code.Reconstruct(
                    presentIndices, present, wantedIndices, targets, caching);

                Assert.Equal(ErasureStatus.Ok, status);
                for (int i = 0; i < targets.Length; i++)
                {
                    var shard = new ReadOnlySpan<byte>(first + i * stride, stride);
                    Assert.True(
                        shard[..bytes].SequenceEqual(stripe.AsSpan(wantedIndices[i] * bytes, bytes))
                            && shard[bytes..].IndexOfAnyExcept(Guard) < 0,
                        $"{kernel} {k}+{m}, {bytes} bytes, lost {lost}, wanted {wanted}, "
                            + $"{caching}, shard {wantedIndices[i]}, seed {seed}");
                }
            }
        }
    }

    private static ReedSolomon Code(int k, int m, ErasureKernel kernel) =>
        s_codes.GetOrAdd(
            (k, m, kernel), key => ReedSolomon.Create(key.Item1, key.Item2, key.Item3));

    /// <summary>By the scalar kernel, which is the specification.</summary>
    private static byte[] MakeStripe(int k, int m, int bytes, int seed)
    {
        byte[] stripe = Reference.RandomBytes((k + m) * bytes, seed);
        Code(k, m, ErasureKernel.Scalar)
            .Encode(stripe.AsSpan(0, k * bytes), stripe.AsSpan(k * bytes), bytes);
        return stripe;
    }

    private static ShardSet Choose(Random random, int of, int count)
    {
        int[] order = [.. Enumerable.Range(0, of)];
        random.Shuffle(order);
        return ShardSet.Of(order.AsSpan(0, count));
    }

    private static int[] Members(ShardSet set)
    {
        List<int> members = [];
        foreach (int member in set)
        {
            members.Add(member);
        }

        return [.. members];
    }

    private static void SkipIfMissing(ErasureKernel kernel) =>
        Skip.If(
            ErasureKernels.MissingFeature(kernel) is not null,
            $"this CPU has no {ErasureKernels.MissingFeature(kernel)}");
}
