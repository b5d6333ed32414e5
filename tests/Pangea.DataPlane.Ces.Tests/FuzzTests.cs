using System.Diagnostics;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// Random damage against every reader of outside bytes. Each must answer with the right object or a
/// typed fault: no exception, no other bytes, no memory beyond what the input's own size justifies.
/// PANGEA_FUZZ_SECONDS prolongs each test (<c>just fuzz ces</c>); PANGEA_FUZZ_SEED repeats one.
/// </summary>
public sealed class FuzzTests
{
    // Four tests: a minute of every run of the suite.
    private const double SecondsDefault = 15;

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private static double Seconds =>
        double.TryParse(Environment.GetEnvironmentVariable("PANGEA_FUZZ_SECONDS"), out double value)
            ? value
            : SecondsDefault;

    private static int FirstSeed =>
        int.TryParse(Environment.GetEnvironmentVariable("PANGEA_FUZZ_SEED"), out int value)
            ? value
            : Environment.TickCount & int.MaxValue;

    [Fact]
    public async Task Damaged_shard_streams_give_the_object_or_a_fault()
    {
        byte[] content = [.. StripeFixture.Text(6_000, 1), .. StripeFixture.Random(5_000, 2)];
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { StripeBytes = 4096, Redundancy = new Redundancy(3, 2) };
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, options, content);
        byte[] other = StripeFixture.Text(11_000, 4);
        byte[][] others =
            await GoldenObjects.EncodeAsync(keys, options, other);
        using KeyRing wrong = KeyRing.Of(MasterKey.Generate());
        byte[][] strangers = await GoldenObjects.EncodeAsync(wrong, options, content);
        int restored = 0;
        int refused = 0;
        for (int seed = FirstSeed; _clock.Elapsed.TotalSeconds < Seconds; seed++)
        {
            var random = new Random(seed);
            bool isWrongKey = random.Next(16) == 0;
            Stream?[] damaged =
                [.. shards.Select((_, i) => new MemoryStream(Mix(random, i)))];
            using var output = new MemoryStream();

            Result<Manifest> manifest = await new CesDecoder(isWrongKey ? wrong : keys)
                .DecodeAsync(damaged, output);

            byte[] bytes = output.ToArray();
            Assert.True(
                content.AsSpan().StartsWith(bytes) || other.AsSpan().StartsWith(bytes),
                $"PANGEA_FUZZ_SEED={seed}");
            Assert.True(!manifest.IsOk || bytes.Length == manifest.Value.Bytes, $"seed {seed}");
            Assert.True(
                !manifest.IsOk || bytes.AsSpan().SequenceEqual(content)
                    || bytes.AsSpan().SequenceEqual(other),
                $"PANGEA_FUZZ_SEED={seed}");
            Assert.True(
                manifest.IsOk || manifest.Fault.Code is FaultCode.Corrupt or FaultCode.Unavailable
                    or FaultCode.Unsupported or FaultCode.Denied,
                $"PANGEA_FUZZ_SEED={seed}: {manifest.Fault}");
            _ = manifest.IsOk ? restored++ : refused++;
        }

        Assert.True(restored > 0 && refused > 0, $"{restored} restored, {refused} refused");

        // Mostly this object's own shards, some of another object and some under another key; now
        // and then a record of one under the rest of another.
        byte[] Mix(Random random, int position)
        {
            byte[] mine = shards[position];
            switch (random.Next(12))
            {
                case 0:
                    return Damage(random, others[random.Next(others.Length)]);
                case 1:
                    return Damage(random, strangers[random.Next(strangers.Length)]);
                case 2:
                    byte[] from = others[random.Next(others.Length)];
                    int bytes = random.Next(Math.Min(from.Length, mine.Length));
                    return [.. from[..bytes], .. mine[bytes..]];
                case 3:
                    return Damage(random, shards[random.Next(shards.Length)]);
                default:
                    return Damage(random, mine);
            }
        }
    }

    [Fact]
    public void Damaged_stripes_give_the_plain_bytes_or_a_fault()
    {
        byte[] plain = StripeFixture.Text(8_000, 3);
        using var stripe = new StripeFixture(
            plain, CompressionLevel.Balanced, stripeBytes: 8192, alignment: 64);
        byte[] headers = (byte[])stripe.Headers.Clone();
        byte[] payload = (byte[])stripe.Payload.Clone();
        for (int seed = FirstSeed; _clock.Elapsed.TotalSeconds < Seconds; seed++)
        {
            var random = new Random(seed);
            headers.CopyTo(stripe.Headers, 0);
            payload.CopyTo(stripe.Payload, 0);
            stripe.MarkAllRead();
            for (int i = random.Next(12); i >= 0; i--)
            {
                DamageShard(random, stripe, random.Next(stripe.Total));
            }

            Result decoded = stripe.Decode(out byte[] restored);

            Assert.True(
                decoded.IsOk
                    ? plain.AsSpan().SequenceEqual(restored)
                    : !restored.AsSpan().ContainsAnyExcept((byte)0),
                $"PANGEA_FUZZ_SEED={seed}: {decoded.Fault}");
        }
    }

    [Fact]
    public void Lying_manifests_allocate_no_more_than_they_are_long()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[] genuine = ManifestCodec.Encode(
            ManifestTests.Sample(keys.Current, 500_000, Redundancy.Default), keys.Current);
        for (int seed = FirstSeed; _clock.Elapsed.TotalSeconds < Seconds; seed++)
        {
            var random = new Random(seed);
            byte[] lie = Damage(random, genuine);
            if (lie.Length >= ManifestCodec.TrailerBytes)
            {
                // Mend length and checksum, so that the lie gets past the first door.
                BitConverter.TryWriteBytes(lie.AsSpan(lie.Length - 8), lie.Length);
                uint crc = Crc32C.Compute(lie.AsSpan(0, lie.Length - 4));
                BitConverter.TryWriteBytes(lie.AsSpan(lie.Length - 4), crc);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            Result<Manifest> unauthenticated = ManifestCodec.DecodeUnauthenticated(lie);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.True(allocated < 16_384 + (8 * lie.Length), $"PANGEA_FUZZ_SEED={seed}");
            Assert.True(
                lie.AsSpan().SequenceEqual(genuine) || !ManifestCodec.Decode(lie, keys).IsOk,
                $"PANGEA_FUZZ_SEED={seed}: {unauthenticated.Fault}");
        }
    }

    [Fact]
    public void Any_text_is_a_key_ring_or_a_fault()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        string genuine = keys.FormatSecrets();
        for (int seed = FirstSeed; _clock.Elapsed.TotalSeconds < Seconds; seed++)
        {
            var random = new Random(seed);
            char[] text = genuine.ToCharArray();
            for (int i = random.Next(4); i >= 0; i--)
            {
                int bound = random.Next(2) == 0 ? 128 : 65_536;
                text[random.Next(text.Length)] = (char)random.Next(bound);
            }

            Result<KeyRing> parsed = KeyRing.Parse(text);

            // Upper-case digits and wider gaps mean the same key; nothing else may pass.
            Assert.True(
                !parsed.IsOk || parsed.Value.FormatSecrets() == genuine,
                $"PANGEA_FUZZ_SEED={seed}");
        }
    }

    private static byte[] Damage(Random random, byte[] genuine)
    {
        byte[] bytes = (byte[])genuine.Clone();
        switch (random.Next(8))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                random.NextBytes(bytes);
                return bytes;
            case 2:
                return [.. bytes, .. new byte[random.Next(1, 5_000)]];
            case 3 or 4:
                for (int i = random.Next(4); i >= 0; i--)
                {
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                }

                return bytes;
            default:
                return bytes;
        }
    }

    private static void DamageShard(Random random, StripeFixture stripe, int shard)
    {
        switch (random.Next(4))
        {
            case 0:
                stripe.Lose(shard);
                break;
            case 1:
                stripe.Header(shard)[random.Next(StripeCodec.HeaderBytes)] ^=
                    (byte)(1 << random.Next(8));
                break;
            case 2:
                stripe.Shard(shard)[random.Next(stripe.Info.ShardBytes)] ^=
                    (byte)(1 << random.Next(8));
                break;
            default:
                // A forger: damage and mend the checksums.
                Span<byte> header = stripe.Header(shard);
                stripe.Shard(shard)[random.Next(stripe.Info.ShardBytes)] ^= 1;
                BitConverter.TryWriteBytes(
                    header[120..], Crc32C.Compute(stripe.Shard(shard)));
                BitConverter.TryWriteBytes(header[124..], Crc32C.Compute(header[..124]));
                break;
        }
    }
}
