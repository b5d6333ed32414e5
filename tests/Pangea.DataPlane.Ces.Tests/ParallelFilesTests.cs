using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>Files to files on several threads gives the same objects as one thread on
/// streams.</summary>
public sealed class ParallelFilesTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("pangea-parallel-").FullName;

    private readonly KeyRing _keys = KeyRing.Of(MasterKey.Generate());

    public void Dispose()
    {
        _keys.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 3)]
    [InlineData(300_000, 1)]
    [InlineData(300_000, 4)]
    public async Task Writes_the_same_bytes_as_the_stream_encoder(int bytes, int threads)
    {
        byte[] content = Mixed(bytes);
        CesOptions options = GoldenObjects.Options(GoldenObjects.Compressed);
        byte[][] expected = await GoldenObjects.EncodeAsync(_keys, options, content);

        Result<Manifest> manifest = Encode(options, content, threads);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], await File.ReadAllBytesAsync(Shard(i)));
        }
    }

    [Theory]
    [InlineData(1, CompressionMode.Balanced)]
    [InlineData(4, CompressionMode.Balanced)]
    [InlineData(4, CompressionMode.Adaptive)]
    public async Task Restores_with_four_shards_lost_and_others_damaged(
        int threads, CompressionMode compression)
    {
        byte[] content = Mixed(700_000);
        var options = new CesOptions { StripeBytes = 16_384, Compression = compression };
        Assert.True(Encode(options, content, threads).IsOk);
        byte[] damaged = await File.ReadAllBytesAsync(Shard(5));
        damaged[200] ^= 1;
        await File.WriteAllBytesAsync(Shard(5), damaged);

        (Result<Manifest> manifest, byte[] restored) = Decode(threads, lost: [0, 3, 11]);
        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, restored);

        // The damaged shard is needed now, but only in the stripe that it was damaged in.
        (Result<Manifest> tooFew, _) = Decode(threads, lost: [0, 3, 11, 7]);
        Assert.Equal(FaultCode.Unavailable, tooFew.Fault!.Code);
        (tooFew, _) = Decode(threads, lost: [0, 3, 11, 7, 8]);
        Assert.Contains("needs 8 of 12 shards, has", tooFew.Fault!.Message);
    }

    [SkippableFact]
    public void A_full_disk_is_a_fault()
    {
        Skip.IfNot(File.Exists("/dev/full"), "no /dev/full");
        byte[] content = Mixed(100_000);
        File.WriteAllBytes(Path.Combine(_folder, "content"), content);
        using SafeFileHandle source = File.OpenHandle(Path.Combine(_folder, "content"));
        using SafeFileHandle full =
            File.OpenHandle("/dev/full", FileMode.Open, FileAccess.Write);

        Result<Manifest> manifest = ParallelFiles.Encode(
            _keys, new CesOptions { StripeBytes = 4096 }, source,
            [.. Enumerable.Repeat(full, 12)], 3);

        Assert.Equal(FaultCode.Io, manifest.Fault!.Code);
    }

    /// <summary>One pool for objects of several geometries and lengths: whatever comes back from
    /// it holds an older stripe.</summary>
    [Fact]
    public void Buffers_of_a_pool_serve_one_object_after_the_other()
    {
        using var pool = new StripePool(3);
        foreach (int bytes in new[] { 700_000, 5_000, 0, 300_000, 699_999 })
        {
            foreach (int stripeBytes in new[] { 16_384, 65_536 })
            {
                byte[] content = Mixed(bytes);
                var options = new CesOptions { StripeBytes = stripeBytes };
                Assert.True(Encode(options, content, 3, pool).IsOk);
                (Result<Manifest> manifest, byte[] restored) = Decode(3, [1, 4, 6, 10], pool);
                Assert.True(manifest.IsOk, manifest.Fault?.ToString());
                Assert.Equal(content, restored);
            }
        }
    }

    /// <summary>The kernel refuses what is not aligned, so this writes with O_DIRECT.</summary>
    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(262_144)]
    [InlineData(700_001)]
    public void A_direct_output_has_the_exact_length(int bytes)
    {
        byte[] content = Mixed(bytes);
        Assert.True(Encode(new CesOptions { StripeBytes = 65_536 }, content, 2).IsOk);
        using SafeFileHandle? output = DirectFile.Create(Path.Combine(_folder, "restored"));
        Skip.If(output is null, "the file system of the temporary folder has no O_DIRECT");

        (Result<Manifest> manifest, byte[] restored) = Decode(2, [0, 2], output: output);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, restored);
    }

    [Fact]
    public void Refuses_a_direct_output_for_stripes_of_broken_blocks()
    {
        byte[] content = Mixed(50_000);
        Assert.True(Encode(new CesOptions { StripeBytes = 16_000 }, content, 2).IsOk);
        using SafeFileHandle output = File.OpenHandle(
            Path.Combine(_folder, "restored"), FileMode.Create, FileAccess.ReadWrite);

        (Result<Manifest> manifest, _) = Decode(2, [], output: output);

        Assert.Equal(FaultCode.InvalidParameters, manifest.Fault!.Code);
    }

    private static byte[] Mixed(int bytes)
    {
        byte[] content = StripeFixture.Text(bytes, 1);
        StripeFixture.Random(bytes / 3, 2).CopyTo(content, bytes / 3);
        return content;
    }

    private string Shard(int index) => Path.Combine(_folder, $"{index}.shard");

    private Result<Manifest> Encode(
        CesOptions options, byte[] content, int threads, StripePool? pool = null)
    {
        string path = Path.Combine(_folder, "content");
        File.WriteAllBytes(path, content);
        using SafeFileHandle source = File.OpenHandle(path);
        SafeFileHandle[] shards =
        [
            .. Enumerable.Range(0, options.Redundancy.TotalShards).Select(
                i => File.OpenHandle(Shard(i), FileMode.Create, FileAccess.Write)),
        ];
        Result<Manifest> manifest =
            ParallelFiles.Encode(_keys, options, source, shards, threads, pool);
        foreach (SafeFileHandle shard in shards)
        {
            shard.Dispose();
        }

        return manifest;
    }

    private (Result<Manifest> Manifest, byte[] Restored) Decode(
        int threads, int[] lost, StripePool? pool = null, SafeFileHandle? output = null)
    {
        string path = Path.Combine(_folder, "restored");
        FileStream?[] shards =
        [
            .. Enumerable.Range(0, 12).Select(
                i => lost.Contains(i) ? null : File.OpenRead(Shard(i))),
        ];
        Result<Manifest> manifest;
        using (SafeFileHandle restored =
            output ?? File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite))
        {
            manifest = ParallelFiles.Decode(
                _keys, shards, restored, threads, checkHash: threads > 1, pool,
                isOutputDirect: output is not null);
        }

        foreach (FileStream? shard in shards)
        {
            shard?.Dispose();
        }

        return (manifest, File.ReadAllBytes(path));
    }
}
