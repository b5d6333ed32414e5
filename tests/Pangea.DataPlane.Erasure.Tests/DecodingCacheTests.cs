namespace Pangea.DataPlane.Erasure.Tests;

public sealed class DecodingCacheTests
{
    private const int ShardBytes = 64;

    [Fact]
    public void Works_a_pattern_out_once()
    {
        var code = ReedSolomon.Create(8, 4);
        byte[] stripe = MakeStripe(code);
        for (int call = 0; call < 10; call++)
        {
            Lose(code, stripe, 1, 5);
            Lose(code, stripe, 0, 11);
        }

        Assert.Equal(2, code.DecodingMisses);
    }

    /// <summary>The last pattern is found without the checks, so nothing else may be taken for
    /// it.</summary>
    [Fact]
    public void The_pattern_used_last_does_not_stand_for_another()
    {
        var code = ReedSolomon.Create(8, 4);
        byte[] stripe = MakeStripe(code);
        Assert.Equal(
            ErasureStatus.TooFewShards, code.Reconstruct(stripe, ShardBytes, default, default));
        Lose(code, stripe, 1, 5);

        ShardSet present = ShardSet.Range(0, 12).Except(ShardSet.Of(1, 5));
        byte[] damaged = [.. stripe];
        damaged.AsSpan(5 * ShardBytes, ShardBytes).Clear();
        byte[] untouched = [.. damaged];
        Assert.Equal(ErasureStatus.Ok, code.Reconstruct(damaged, ShardBytes, present, default));
        Assert.Equal(untouched, damaged);
        Assert.Equal(
            ErasureStatus.Ok, code.Reconstruct(damaged, ShardBytes, present, ShardSet.Of(5)));
        Assert.Equal(stripe, damaged);
        Assert.Equal(
            ErasureStatus.TooFewShards,
            code.Reconstruct(damaged, ShardBytes, present.Lowest(7), ShardSet.Of(5)));
        Assert.Throws<ArgumentException>(
            () => code.Reconstruct(damaged, ShardBytes, present, ShardSet.Of(0)));
        Assert.Throws<ArgumentException>(
            () => code.Reconstruct(damaged, ShardBytes - 1, present, ShardSet.Of(5)));
        Assert.Equal(stripe, damaged);
    }

    /// <summary>Goal: the slot used last may be rewritten by another thread at any
    /// moment.</summary>
    [Fact]
    public void Threads_that_repeat_a_pattern_keep_it()
    {
        var code = ReedSolomon.Create(100, 100);
        byte[] stripe = MakeStripe(code);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            byte[] own = [.. stripe];
            for (int round = 0; round < 60; round++)
            {
                int first = (worker + round / 5) % 9;
                Lose(code, own, first, first + 1 + round / 5);
            }
        });
    }

    [Fact]
    public void Is_bounded_and_stays_right_when_it_overflows()
    {
        var code = ReedSolomon.Create(20, 10);
        byte[] stripe = MakeStripe(code);
        int patterns = 0;
        for (int first = 0; first < 30; first++)
        {
            for (int second = first + 1; second < 30; second++)
            {
                Lose(code, stripe, first, second);
                patterns++;
            }
        }

        Assert.True(code.DecodingSlots < patterns);
        Assert.Equal(patterns, code.DecodingMisses);
    }

    /// <summary>
    /// Goal: a table is never rewritten while somebody decodes with it. Many threads, few slots (a
    /// large code), more patterns than slots.
    /// </summary>
    [Fact]
    public void Threads_with_different_patterns_do_not_disturb_each_other()
    {
        var code = ReedSolomon.Create(100, 100);
        byte[] stripe = MakeStripe(code);
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 16 }, worker =>
        {
            var random = new Random(worker);
            byte[] own = [.. stripe];
            for (int round = 0; round < 60; round++)
            {
                int first = random.Next(0, 12);
                Lose(code, own, first, first + 1 + random.Next(0, 100));
            }
        });
    }

    [Fact]
    public void No_call_allocates()
    {
        var code = ReedSolomon.Create(8, 4);
        byte[] stripe = MakeStripe(code);
        byte[] parity = new byte[4 * ShardBytes];
        uint[] checksums = new uint[12];
        long allocated = 0;

        // The first walk lets everything be compiled and set up; the patterns of the second are
        // new.
        for (int walk = 0; walk < 2; walk++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int call = 0; call < 10_000; call++)
            {
                Span<byte> data = stripe.AsSpan(0, 8 * ShardBytes);
                code.Encode(data, parity, ShardBytes);
                code.EncodeWithChecksums(data, parity, ShardBytes, checksums);
                code.Verify(data, parity, ShardBytes);
                code.Update(call % 8, data[..ShardBytes], data[..ShardBytes], parity);
                ShardSet wanted = ShardSet.Of(call % 6, 6 + call / 6 % 6);
                ShardSet present = ShardSet.Range(0, 12).Except(wanted);
                code.Reconstruct(stripe, ShardBytes, present, wanted);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    private static byte[] MakeStripe(ReedSolomon code)
    {
        byte[] stripe = Reference.RandomBytes(code.TotalShards * ShardBytes, 5);
        int dataBytes = code.DataShards * ShardBytes;
        code.Encode(stripe.AsSpan(0, dataBytes), stripe.AsSpan(dataBytes), ShardBytes);
        return stripe;
    }

    private static void Lose(ReedSolomon code, byte[] stripe, int first, int second)
    {
        byte[] damaged = [.. stripe];
        ShardSet lost = ShardSet.Of(first, second);
        damaged.AsSpan(first * ShardBytes, ShardBytes).Clear();
        damaged.AsSpan(second * ShardBytes, ShardBytes).Clear();
        code.Reconstruct(
            damaged, ShardBytes, ShardSet.Range(0, code.TotalShards).Except(lost), lost);
        Assert.True(damaged.AsSpan().SequenceEqual(stripe), $"{first} and {second}");
    }
}
