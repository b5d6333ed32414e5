using System.Security.Cryptography;

using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>
/// The pipeline of one stripe on one core, beside the pieces it is made of, and the whole job from
/// files to files beside the shell pipeline that an administrator would write.
/// </summary>
public sealed class CesArea : IBenchArea
{
    private const int StripeBytes = 1024 * 1024;
    private const int HeaderStride = 4096;
    private const string Bcl = "BCL ChaCha20Poly1305";

    public string Name => "ces";

    public string Summary =>
        "compress, encrypt, shard: beside the BCL, libsodium, libzstd, age and zfec";

    public IEnumerable<BenchRow> Run(BenchOptions options) =>
        Cipher(options)
            .Concat(Incompressible(options))
            .Concat(Compression(options))
            .Concat(SmallObjects(options))
            .Concat(Library(options))
            .Concat(Garbage(options))
            .Concat(WholeJob.Run(options));

    private static IEnumerable<BenchRow> Cipher(BenchOptions options)
    {
        string? sodium = Sodium.Version();
        if (sodium is null && options.Wants("libsodium"))
        {
            options.Progress("libsodium is not installed: the rows beside it are left out");
        }

        using var key = MasterKey.Generate();
        using ObjectCipher ours = ObjectCipher.Create(key, ObjectId.New());
        byte[] secret = RandomNumberGenerator.GetBytes(32);
        using var bcl = new ChaCha20Poly1305(secret);
        foreach (int bytes in new[] { 64 * 1024, StripeBytes })
        {
            byte[] plain = Random(bytes);
            byte[] output = new byte[bytes + Sodium.TagBytes];
            byte[] aad = new byte[64];
            byte[] nonce = new byte[Sodium.NonceBytes];
            byte[] tag = new byte[Sodium.TagBytes];
            void Ours() => ours.Seal(1, aad, plain, output.AsSpan(0, bytes), tag);
            string caseName = $"XChaCha20-Poly1305, {bytes / 1024} KiB, beside the BCL";
            if (options.Wants(caseName))
            {
                yield return PairedRun
                    .Measure(options, Ours, () => bcl.Encrypt(
                        nonce.AsSpan(0, 12), plain, output.AsSpan(0, bytes), tag, aad))
                    .Rate(caseName, bytes, 0.97, Bcl);
            }

            caseName = $"XChaCha20-Poly1305, {bytes / 1024} KiB, beside libsodium";
            if (options.Wants(caseName) && sodium is not null)
            {
                yield return PairedRun
                    .Measure(options, Ours, () => Sodium.Seal(secret, nonce, plain, output))
                    .Rate(caseName, bytes, 2.8, $"libsodium {sodium}");
            }
        }
    }

    private static IEnumerable<BenchRow> Incompressible(BenchOptions options)
    {
        using var stripe = new BenchStripe(Random(StripeBytes), StripeBytes, 4096, HeaderStride);
        using var bcl = new ChaCha20Poly1305(RandomNumberGenerator.GetBytes(32));
        byte[] nonce = new byte[12];
        byte[] tag = new byte[16];
        byte[] sealedBytes = new byte[StripeBytes];
        void Alone() => bcl.Encrypt(nonce, stripe.Plain, sealedBytes, tag);
        void AloneBack() => bcl.Decrypt(nonce, sealedBytes, tag, stripe.Restored);
        (string Case, Action Ours, Action Rival, double Goal, double? Ratio)[] cases =
        [
            ("process incompressible stripes",
                () => stripe.Encode(CompressionLevel.Balanced), Alone, 3.3, 0.7),
            ("restore, all data shards present", () => stripe.Decode([]), AloneBack, 3.5, null),
            ("restore, 4 data shards lost",
                () => stripe.Decode([0, 2, 5, 7]), AloneBack, 3.2, null),
        ];
        Alone();
        stripe.Encode(CompressionLevel.Balanced);
        foreach ((string name, Action ours, Action rival, double goal, double? ratio) in cases)
        {
            if (!options.Wants(name))
            {
                continue;
            }

            PairedResult result = PairedRun.Measure(options, ours, rival);
            yield return result.Rate(name, StripeBytes, goal, Bcl) with { GoalIsAbsolute = true };
            if (ratio is not null)
            {
                yield return result.Rate($"{name}, part of cipher", StripeBytes, ratio, Bcl);
            }
        }
    }

    private static IEnumerable<BenchRow> Compression(BenchOptions options)
    {
        using var zstd = new PlainZstd(StripeBytes);
        if (options.Wants("text at level 3"))
        {
            byte[][] text = Corpus.TextStripes(StripeBytes, 16);
            using var stripe = new BenchStripe(text[0], StripeBytes, 4096, HeaderStride);

            // All stripes are one operation: they differ by a factor of two in what they cost.
            yield return PairedRun.Measure(
                options,
                () => Array.ForEach(text, one => stripe.Encode(one, CompressionLevel.Balanced)),
                () => Array.ForEach(text, one => zstd.Compress(one, 3)))
                .Rate(
                    "text at level 3, whole process", (double)StripeBytes * text.Length, 0.94,
                    "libzstd -3 alone");
        }

        // What compression costs where there is nothing to gain: the whole process with it beside
        // the whole process without.
        using var random = new BenchStripe(Random(StripeBytes), StripeBytes, 4096, HeaderStride);
        CompressionLevel[] levels =
        [
            CompressionLevel.Fast, CompressionLevel.Balanced, CompressionLevel.Binary,
            CompressionLevel.Dense,
        ];
        foreach (CompressionLevel level in levels)
        {
            string name = $"random, whole process, level {level.Zstd}";
            if (options.Wants(name))
            {
                PairedResult result = PairedRun.Measure(
                    options,
                    () => random.Encode(level),
                    () => random.Encode(CompressionLevel.Skip));
                double stageNs = result.OursNs * (1 - (1 / result.TimeRatio));
                yield return result.Rate(
                    name, StripeBytes, 0.95, "no compression",
                    $"the stage takes {stageNs / 1000:F1} us a stripe");
            }
        }
    }

    private static IEnumerable<BenchRow> SmallObjects(BenchOptions options)
    {
        const int Bytes = 4096;
        (string Case, byte[] Content, CompressionLevel Level, double? Goal)[] cases =
        [
            ("4 KiB objects, incompressible", Random(Bytes), CompressionLevel.Balanced, 150),
            ("4 KiB objects, text, level 1",
                Corpus.TextStripes(Bytes, 1)[0], CompressionLevel.Fast, null),
        ];
        foreach ((string name, byte[] content, CompressionLevel level, double? goal) in cases)
        {
            if (!options.Wants(name))
            {
                continue;
            }

            using var stripe = new BenchStripe(content, Bytes, 64, 128);
            PairedResult result = PairedRun.Measure(options, () => stripe.EncodeNewObject(level));
            yield return BenchRow.Alone(
                name, 1e6 / result.OursNs, "k calls/s", goal,
                note: "new id, new key, stripe to shards; manifest not included");
        }
    }

    private static IEnumerable<BenchRow> Library(BenchOptions options)
    {
        const string Case = "4 KiB objects through CesEncoder";
        if (!options.Wants(Case))
        {
            yield break;
        }

        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        using CesEncoder encoder = CesEncoder.Create(keys).Value;
        MemoryStream[] shards = [.. Enumerable.Range(0, 12).Select(_ => new MemoryStream())];
        var source = new MemoryStream(Random(4096));
        PairedResult result = PairedRun.Measure(options, () =>
        {
            source.Position = 0;
            Array.ForEach(shards, shard => shard.SetLength(0));
            if (!encoder.EncodeAsync(source, shards).GetAwaiter().GetResult().IsOk)
            {
                throw new InvalidOperationException("a 4 KiB object was not stored");
            }
        });
        yield return BenchRow.Alone(
            Case, 1e6 / result.OursNs, "k calls/s", null,
            note: "memory streams, manifest and SHA-256 included, as ces_process does it");
    }

    private static IEnumerable<BenchRow> Garbage(BenchOptions options)
    {
        const string Case = "garbage per stripe";
        if (!options.Wants(Case))
        {
            yield break;
        }

        const int Stripes = 10_000;
        byte[] text = Corpus.TextStripes(16 * 1024, 1)[0];
        using var stripe = new BenchStripe(text, text.Length, 4096, HeaderStride);
        stripe.Cycle(2_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        stripe.Cycle(Stripes);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        yield return BenchRow.Alone(
            Case, (double)allocated / Stripes, "B", 0, higherIsBetter: false,
            note: $"{Stripes} stripes of text, processed and restored with two shards lost");
    }

    private static byte[] Random(int bytes)
    {
        byte[] content = GC.AllocateArray<byte>(bytes, pinned: true);
        new Random(7).NextBytes(content);
        return content;
    }
}
