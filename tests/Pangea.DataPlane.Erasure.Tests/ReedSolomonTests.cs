using System.Numerics;
using FsCheck;
using FsCheck.Fluent;

namespace Pangea.DataPlane.Erasure.Tests;

public sealed unsafe class ReedSolomonTests
{
    [Fact]
    public void Encodes_what_the_documentation_says()
    {
        byte[] data = Reference.RandomBytes(8 * 1000, 5);
        byte[] parity = new byte[4 * 1000];

        ReedSolomon.Create(8, 4).Encode(data, parity, 1000);

        Assert.Equal(Reference.Encode(data, 8, 4, 1000), parity);
    }

    [Fact]
    public void The_first_parity_shard_is_the_xor_of_the_data()
    {
        byte[] data = [0x01, 0x02, 0x04, 0xF0];
        byte[] parity = new byte[2];

        ReedSolomon.Create(2, 1).Encode(data, parity, 2);

        Assert.Equal([0x05, 0xF2], parity);
    }

    /// <summary>
    /// Goal: any k of k + m shards restore all others, for every k + m up to 20. All loss patterns
    /// where there are at most 2,000 of them, that many random ones elsewhere; loss is total (m
    /// shards), which contains every smaller loss because the surplus shards are not read.
    /// </summary>
    [Fact]
    public void Restores_every_loss_up_to_20_shards()
    {
        const int PatternsMax = 2000;
        const int ShardBytes = 16;
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int shards = 2; shards <= 20; shards++)
        {
            for (int k = 1; k < shards; k++)
            {
                var code = ReedSolomon.Create(k, shards - k);
                byte[] stripe = MakeStripe(code, ShardBytes, random.Next());
                byte[] damaged = new byte[stripe.Length];
                uint all = (1u << shards) - 1;
                bool exhaustive = Binomial(shards, k) <= PatternsMax;
                uint pattern = (1u << (shards - k)) - 1;
                for (int round = 0; exhaustive ? pattern <= all : round < PatternsMax; round++)
                {
                    uint lost = exhaustive ? pattern : RandomSubset(random, shards, shards - k);
                    if (!RestoresLoss(code, stripe, damaged, lost, ShardBytes))
                    {
                        Assert.Fail($"{k}+{shards - k} loses {lost:b}, seed {seed}");
                    }

                    pattern = NextOfSameCount(pattern);
                }
            }
        }
    }

    [Fact]
    public void Restores_random_large_codes()
    {
        Gen<(int K, int M, int Bytes, int Seed)> codes =
            from k in Gen.Choose(1, 254)
            from m in Gen.Choose(1, 255 - k)
            from bytes in Gen.Choose(0, 300)
            from seed in Gen.Choose(0, int.MaxValue - 1)
            select (k, m, bytes, seed);
        Prop.ForAll(
            codes.ToArbitrary(),
            shape =>
            {
                var random = new Random(shape.Seed);
                var code = ReedSolomon.Create(shape.K, shape.M);
                byte[] stripe = MakeStripe(code, shape.Bytes, shape.Seed);
                byte[] damaged = [.. stripe];
                int[] order = [.. Enumerable.Range(0, code.TotalShards)];
                random.Shuffle(order);
                int lostCount = random.Next(1, shape.M + 1);
                ShardSet lost = ShardSet.Of(order.AsSpan(0, lostCount));
                foreach (int shard in order[..lostCount])
                {
                    damaged.AsSpan(shard * shape.Bytes, shape.Bytes).Fill(0xEE);
                }

                ShardSet present = ShardSet.Range(0, code.TotalShards).Except(lost);
                Assert.Equal(
                    ErasureStatus.Ok, code.Reconstruct(damaged, shape.Bytes, present, lost));
                Assert.Equal(stripe, damaged);
            }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Reconstructs_only_what_is_wanted()
    {
        const int ShardBytes = 100;
        var code = ReedSolomon.Create(5, 3);
        byte[] stripe = MakeStripe(code, ShardBytes, 3);
        byte[] damaged = [.. stripe];
        damaged.AsSpan(1 * ShardBytes, ShardBytes).Fill(0xEE);
        damaged.AsSpan(4 * ShardBytes, ShardBytes).Fill(0xEE);
        damaged.AsSpan(6 * ShardBytes, ShardBytes).Fill(0xEE);
        byte[] expected = [.. damaged];
        stripe.AsSpan(4 * ShardBytes, ShardBytes).CopyTo(expected.AsSpan(4 * ShardBytes));

        code.Reconstruct(damaged, ShardBytes, ShardSet.Of(0, 2, 3, 5, 7), ShardSet.Of(4));

        Assert.Equal(expected, damaged);
    }

    [Fact]
    public void Reconstructs_shards_that_lie_anywhere_in_any_order()
    {
        const int ShardBytes = 333;
        var code = ReedSolomon.Create(4, 3);
        byte[] stripe = MakeStripe(code, ShardBytes, 9);
        byte[] restored = new byte[3 * ShardBytes];
        fixed (byte* shards = stripe)
        fixed (byte* target = restored)
        {
            int[] present = [6, 0, 5, 3];
            int[] wanted = [4, 1, 2];
            ShardPointer[] sources = new ShardPointer[4];
            ShardPointer[] targets = new ShardPointer[3];
            for (int at = 0; at < sources.Length; at++)
            {
                sources[at] = new ShardPointer(shards + present[at] * ShardBytes, ShardBytes);
            }

            for (int at = 0; at < targets.Length; at++)
            {
                targets[at] = new ShardPointer(target + at * ShardBytes, ShardBytes);
            }

            Assert.Equal(ErasureStatus.Ok, code.Reconstruct(present, sources, wanted, targets));
            for (int at = 0; at < wanted.Length; at++)
            {
                Assert.True(stripe.AsSpan(wanted[at] * ShardBytes, ShardBytes)
                    .SequenceEqual(restored.AsSpan(at * ShardBytes, ShardBytes)));
            }
        }
    }

    [Fact]
    public void Pointers_and_spans_give_the_same_parity()
    {
        const int ShardBytes = 777;
        var code = ReedSolomon.Create(6, 6);
        byte[] stripe = MakeStripe(code, ShardBytes, 11);
        byte[] parity = new byte[6 * ShardBytes];
        fixed (byte* shards = stripe)
        fixed (byte* target = parity)
        {
            ShardPointer[] data = Split(shards, 6, ShardBytes);
            ShardPointer[] outputs = Split(target, 6, ShardBytes);
            code.Encode(data, outputs);
            Assert.True(code.Verify(data, outputs));
        }

        Assert.True(parity.AsSpan().SequenceEqual(stripe.AsSpan(6 * ShardBytes)));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(8, 4, 4096)]
    [InlineData(3, 2, 20001)]
    [InlineData(100, 155, 700)]
    public void Verify_notices_any_changed_byte(int k, int m, int shardBytes)
    {
        var code = ReedSolomon.Create(k, m);
        byte[] stripe = MakeStripe(code, shardBytes, k);
        Span<byte> data = stripe.AsSpan(0, k * shardBytes);
        Span<byte> parity = stripe.AsSpan(k * shardBytes);
        Assert.True(code.Verify(data, parity, shardBytes));

        for (int at = 0; at < stripe.Length; at += 1 + stripe.Length / 97)
        {
            stripe[at] ^= 0x40;
            Assert.False(code.Verify(data, parity, shardBytes));
            stripe[at] ^= 0x40;
        }

        stripe[^1] ^= 1;
        Assert.False(code.Verify(data, parity, shardBytes));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 4)]
    [InlineData(6, 6)]
    [InlineData(20, 15)]
    public void Update_equals_encoding_again(int k, int m)
    {
        const int ShardBytes = 1111;
        var code = ReedSolomon.Create(k, m);
        byte[] stripe = MakeStripe(code, ShardBytes, 21);
        byte[] parity = [.. stripe.AsSpan(k * ShardBytes)];
        byte[] pointed = [.. parity];
        int changed = k / 2;
        byte[] newData = Reference.RandomBytes(ShardBytes, 22);
        byte[] oldData = [.. stripe.AsSpan(changed * ShardBytes, ShardBytes)];

        code.Update(changed, oldData, newData, parity);
        fixed (byte* before = oldData)
        fixed (byte* after = newData)
        fixed (byte* target = pointed)
        {
            code.Update(
                changed, new ShardPointer(before, ShardBytes), new ShardPointer(after, ShardBytes),
                Split(target, m, ShardBytes));
        }

        newData.CopyTo(stripe.AsSpan(changed * ShardBytes));
        Assert.True(code.Verify(stripe.AsSpan(0, k * ShardBytes), parity, ShardBytes));
        Assert.Equal(parity, pointed);
    }

    /// <summary>Every number of inputs and outputs around what the fused loop takes, every
    /// kernel.</summary>
    [Fact]
    public void Checksums_are_those_of_the_shards()
    {
        foreach (ErasureKernel kernel in ErasureKernels.Available)
        {
            for (int k = 1; k <= 14; k++)
            {
                for (int m = 1; m <= 6; m++)
                {
                    CompareChecksums(ReedSolomon.Create(k, m, kernel), 64 * (k + m) + m - 1);
                }
            }

            foreach (int shardBytes in new[] { 0, 1, 63, 64, 512, 4095, 4096, 12289 })
            {
                CompareChecksums(ReedSolomon.Create(8, 4, kernel), shardBytes);
            }
        }
    }

    [Theory]
    [InlineData(OutputCaching.Auto)]
    [InlineData(OutputCaching.Keep)]
    [InlineData(OutputCaching.Stream)]
    public void Caching_does_not_change_the_bytes(OutputCaching caching)
    {
        const int ShardBytes = 128 * 1024 + 64;
        var code = ReedSolomon.Create(8, 4);
        byte[] stripe = MakeStripe(code, ShardBytes, 31);
        byte[] parity = GC.AllocateUninitializedArray<byte>(4 * ShardBytes + 64, pinned: true);
        for (int offset = 0; offset < 64; offset += 16)
        {
            Span<byte> target = parity.AsSpan(offset, 4 * ShardBytes);
            code.Encode(stripe.AsSpan(0, 8 * ShardBytes), target, ShardBytes, caching);
            Assert.True(target.SequenceEqual(stripe.AsSpan(8 * ShardBytes)));
        }
    }

    private static void CompareChecksums(ReedSolomon code, int shardBytes)
    {
        byte[] data = Reference.RandomBytes(code.DataShards * shardBytes, shardBytes);
        byte[] memory = GC.AllocateArray<byte>(code.ParityShards * shardBytes + 64, pinned: true);
        uint[] checksums = new uint[code.TotalShards];
        byte[] expected = new byte[code.ParityShards * shardBytes];
        code.Encode(data, expected, shardBytes);
        foreach (OutputCaching caching in new[] { OutputCaching.Keep, OutputCaching.Stream })
        {
            Span<byte> parity = memory.AsSpan(0, expected.Length);
            parity.Clear();
            Array.Clear(checksums);

            code.EncodeWithChecksums(data, parity, shardBytes, checksums, caching);

            Assert.True(parity.SequenceEqual(expected));
            for (int shard = 0; shard < code.TotalShards; shard++)
            {
                ReadOnlySpan<byte> bytes = shard < code.DataShards
                    ? data.AsSpan(shard * shardBytes, shardBytes)
                    : parity.Slice((shard - code.DataShards) * shardBytes, shardBytes);
                Assert.True(
                    Crc32C.Compute(bytes) == checksums[shard],
                    $"{code.Kernel} {code.DataShards}+{code.ParityShards}: shard {shard}");
            }
        }
    }

    private static ShardPointer[] Split(byte* first, int count, int shardBytes)
    {
        var shards = new ShardPointer[count];
        for (int shard = 0; shard < count; shard++)
        {
            shards[shard] = new ShardPointer(first + shard * shardBytes, shardBytes);
        }

        return shards;
    }

    private static byte[] MakeStripe(ReedSolomon code, int shardBytes, int seed)
    {
        byte[] stripe = Reference.RandomBytes(code.TotalShards * shardBytes, seed);
        int dataBytes = code.DataShards * shardBytes;
        code.Encode(stripe.AsSpan(0, dataBytes), stripe.AsSpan(dataBytes), shardBytes);
        return stripe;
    }

    private static bool RestoresLoss(
        ReedSolomon code, byte[] stripe, byte[] damaged, uint lost, int shardBytes)
    {
        stripe.CopyTo(damaged, 0);
        ShardSet wanted = default;
        for (uint left = lost; left != 0; left &= left - 1)
        {
            int shard = BitOperations.TrailingZeroCount(left);
            wanted = wanted.With(shard);
            damaged.AsSpan(shard * shardBytes, shardBytes).Fill(0xEE);
        }

        ShardSet present = ShardSet.Range(0, code.TotalShards).Except(wanted);
        return code.Reconstruct(damaged, shardBytes, present, wanted) == ErasureStatus.Ok
            && damaged.AsSpan().SequenceEqual(stripe);
    }

    private static uint RandomSubset(Random random, int of, int count)
    {
        uint set = 0;
        while (BitOperations.PopCount(set) < count)
        {
            set |= 1u << random.Next(of);
        }

        return set;
    }

    /// <summary>The next larger number with as many bits set (Gosper).</summary>
    private static uint NextOfSameCount(uint set)
    {
        uint lowest = set & (uint)-(int)set;
        uint ripple = set + lowest;
        return ripple | (((set ^ ripple) >> 2) / lowest);
    }

    private static long Binomial(int n, int k)
    {
        long result = 1;
        for (int i = 1; i <= k; i++)
        {
            result = result * (n - k + i) / i;
        }

        return result;
    }
}
