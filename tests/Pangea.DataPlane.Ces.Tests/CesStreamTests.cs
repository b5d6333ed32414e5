using System.IO.Pipelines;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>The pipeline as a library: streams and pipes in, shard streams out, and back.</summary>
public sealed class CesStreamTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(8192)]
    [InlineData(100_000)]
    public async Task Restores_any_length_from_any_k_streams_in_any_order(int bytes)
    {
        byte[] content = StripeFixture.Text(bytes, bytes);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { StripeBytes = 4096, Redundancy = new Redundancy(4, 3) };
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, options, content);
        Stream?[] kept =
            [.. shards.Select(shard => new MemoryStream(shard)).Skip(2).Take(4).Reverse()];

        (Result<Manifest> manifest, byte[] restored) = await DecodeAsync(keys, kept);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, restored);
        Assert.Equal(bytes, manifest.Value.Bytes);
    }

    [Fact]
    public async Task Works_on_pipes_that_deliver_in_crumbs()
    {
        byte[] content = StripeFixture.Text(50_000, 3);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { StripeBytes = 4096, Redundancy = new Redundancy(2, 1) };
        var source = new Pipe();
        var shards = Enumerable.Range(0, 3).Select(_ => new MemoryStream()).ToArray();
        PipeWriter[] writers = [.. shards.Select(shard => PipeWriter.Create(shard))];
        Task<Result<Manifest>> encoding = CesEncoder.Create(keys, options).Value
            .EncodeAsync(source.Reader, writers);
        for (int at = 0; at < content.Length; at += 777)
        {
            await source.Writer.WriteAsync(
                content.AsMemory(at, Math.Min(777, content.Length - at)));
        }

        await source.Writer.CompleteAsync();
        Result<Manifest> manifest = await encoding;

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        (_, byte[] restored) =
            await DecodeAsync(keys, [null, new MemoryStream(shards[1].ToArray()),
                new MemoryStream(shards[2].ToArray())]);
        Assert.Equal(content, restored);
    }

    [Fact]
    public async Task Stripes_may_be_longer_than_a_pipe_holds()
    {
        // A default pipe stops its writer at 64 KiB; a stripe has 1 MiB.
        byte[] content = StripeFixture.Random(2_500_000, 8);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var source = new Pipe();
        MemoryStream[] shards = [.. Enumerable.Range(0, 12).Select(_ => new MemoryStream())];
        using CesEncoder encoder = CesEncoder.Create(keys).Value;
        Task<Result<Manifest>> encoding = encoder.EncodeAsync(
            source.Reader, [.. shards.Select(shard => PipeWriter.Create(shard))]);
        await source.Writer.WriteAsync(content);
        await source.Writer.CompleteAsync();

        Assert.True((await encoding).IsOk);
        var output = new Pipe();
        using var decoder = new CesDecoder(keys);
        Task<Result<Manifest>> decoding = decoder.DecodeAsync(
            [.. shards.Select(shard => new MemoryStream(shard.ToArray()))], output.Writer);
        var restored = new MemoryStream();
        Task reading = output.Reader.CopyToAsync(restored);

        Assert.True((await decoding).IsOk);
        await output.Writer.CompleteAsync();
        await reading;
        Assert.Equal(content, restored.ToArray());
    }

    [Fact]
    public async Task Mends_damage_and_says_when_it_cannot()
    {
        byte[] content = StripeFixture.Random(100_000, 4);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { StripeBytes = 16_384 };
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, options, content);
        for (int i = 0; i < 4; i++)
        {
            shards[i][200] ^= 0xFF;
        }

        (Result<Manifest> mended, byte[] restored) = await DecodeAsync(keys, Streams(shards));
        Assert.True(mended.IsOk, mended.Fault?.ToString());
        Assert.Equal(content, restored);

        shards[4][200] ^= 0xFF;
        (Result<Manifest> lost, restored) = await DecodeAsync(keys, Streams(shards));
        Assert.Equal(FaultCode.Unavailable, lost.Fault!.Code);
        Assert.Contains("needs 8 of 12 shards, has 7", lost.Fault.Message);
        Assert.Empty(restored);
    }

    [Fact]
    public async Task Old_objects_stay_readable_after_a_rotation()
    {
        byte[] content = StripeFixture.Text(5_000, 5);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] older = await GoldenObjects.EncodeAsync(keys, new CesOptions(), content);
        Assert.True(keys.Rotate(MasterKey.Generate()).IsOk);
        byte[][] newer = await GoldenObjects.EncodeAsync(keys, new CesOptions(), content);

        (Result<Manifest> first, byte[] restored) = await DecodeAsync(keys, Streams(older));
        Assert.Equal(content, restored);
        (Result<Manifest> second, restored) = await DecodeAsync(keys, Streams(newer));
        Assert.Equal(content, restored);
        Assert.Equal(keys.Ids, [first.Value.KeyId, second.Value.KeyId]);
    }

    [Fact]
    public async Task Shards_of_another_object_count_as_lost()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { Redundancy = new Redundancy(2, 2) };
        byte[] content = StripeFixture.Text(9_000, 6);
        byte[][] mine = await GoldenObjects.EncodeAsync(keys, options, content);
        byte[][] other =
            await GoldenObjects.EncodeAsync(keys, options, StripeFixture.Text(9_000, 7));

        (Result<Manifest> mixed, byte[] restored) =
            await DecodeAsync(keys, Streams([mine[0], other[1], mine[3], other[2]]));
        Assert.True(mixed.IsOk, mixed.Fault?.ToString());
        Assert.Equal(content, restored);

        (Result<Manifest> tooFew, _) =
            await DecodeAsync(keys, Streams([mine[0], other[1], other[2], other[3]]));
        Assert.Equal(FaultCode.Unavailable, tooFew.Fault!.Code);
    }

    [Fact]
    public async Task Garbage_and_nothing_are_refused()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());

        (Result<Manifest> nothing, _) = await DecodeAsync(keys, [null, null]);
        Assert.Equal(FaultCode.Unavailable, nothing.Fault!.Code);
        for (int bytes = 0; bytes < 9_000; bytes += 100)
        {
            (Result<Manifest> garbage, _) =
                await DecodeAsync(keys, [new MemoryStream(StripeFixture.Random(bytes, bytes))]);
            Assert.Equal(FaultCode.Corrupt, garbage.Fault!.Code);
        }
    }

    [Fact]
    public void Bad_options_are_refused_by_name()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        (CesOptions Options, string Field)[] cases =
        [
            (new CesOptions { StripeBytes = 100 }, "stripeBytes"),
            (new CesOptions { ShardAlignment = 3 }, "shardAlignment"),
            (new CesOptions { HeaderStride = 64 }, "headerStride"),
            (new CesOptions { Redundancy = new Redundancy(0, 4) }, "redundancy"),
            (new CesOptions { Name = "" }, "name"),
        ];
        foreach ((CesOptions options, string field) in cases)
        {
            Result<CesEncoder> encoder = CesEncoder.Create(keys, options);
            Assert.Equal(FaultCode.InvalidParameters, encoder.Fault!.Code);
            Assert.Equal(field, encoder.Fault.Field);
        }
    }

    private static Stream?[] Streams(byte[][] shards) =>
        [.. shards.Select(shard => new MemoryStream(shard))];

    private static async Task<(Result<Manifest> Manifest, byte[] Restored)> DecodeAsync(
        KeyRing keys, Stream?[] shards)
    {
        using var output = new MemoryStream();
        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(shards, output);
        return (manifest, output.ToArray());
    }
}
