using System.IO.Pipelines;

using Pangea.DataPlane.Ces.Abi;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>The library between streams and pipes that fail, end early or change their
/// mind.</summary>
public sealed class HostileStreamTests
{
    private static readonly CesOptions s_small =
        new() { StripeBytes = 4096, Redundancy = new Redundancy(3, 2) };

    [Theory]
    [InlineData(0)]
    [InlineData(3_000)]
    public async Task A_bad_sector_costs_the_shard_it_lies_in(int at)
    {
        byte[] content = StripeFixture.Random(20_000, 1);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, s_small, content);
        using var output = new MemoryStream();

        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select(Scratch)], output);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, output.ToArray());

        Stream? Scratch(byte[] shard, int index) =>
            index < 2 ? new ScratchedStream(shard, at, at + 512) : new MemoryStream(shard);
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_counts_as_lost()
    {
        byte[] content = StripeFixture.Random(20_000, 2);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, s_small, content);
        using var output = new MemoryStream();

        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select((shard, i) => Dead(shard, i < 2))], output);
        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, output.ToArray());

        manifest = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select(shard => Dead(shard, true))], output);
        Assert.Equal(FaultCode.Io, manifest.Fault!.Code);

        static Stream? Dead(byte[] shard, bool isDead) =>
            isDead ? new ScratchedStream(shard, 0, shard.Length) : new MemoryStream(shard);
    }

    [Fact]
    public async Task A_rotation_during_an_object_is_for_the_next_one()
    {
        byte[] content = StripeFixture.Text(20_000, 3);
        MasterKey first = MasterKey.Generate();
        using KeyRing keys = KeyRing.Of(first);
        MemoryStream[] shards = [.. Enumerable.Range(0, 5).Select(_ => new MemoryStream())];
        using CesEncoder encoder = CesEncoder.Create(keys, s_small).Value;
        var source = new EventfulStream(
            content, 9_000, () => Assert.True(keys.Rotate(MasterKey.Generate()).IsOk));

        Result<Manifest> manifest = await encoder.EncodeAsync(source, shards);

        Assert.Equal(2, keys.Count);
        Assert.Equal(first.Id, manifest.Value.KeyId);
        using var output = new MemoryStream();
        Result<Manifest> restored = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select(shard => new MemoryStream(shard.ToArray()))], output);
        Assert.True(restored.IsOk, restored.Fault?.ToString());
        Assert.Equal(content, output.ToArray());
    }

    [Fact]
    public async Task A_handle_freed_during_a_call_seals_with_its_key_to_the_end()
    {
        byte[] content = StripeFixture.Text(20_000, 4);
        byte[] secret = StripeFixture.Random(MasterKey.Bytes, 5);
        CesInstance instance = CesInstance.Create(
            MasterKey.FromBytes(secret).Value, new CesNativeOptions { StripeBytes = 4096 }).Value;
        MasterKey key = instance.Key;
        instance.Retain(); // As a call does.

        // As ces_free does, from another thread.
        Result<MemoryStream[]> shards =
            instance.Process(new EventfulStream(content, 9_000, instance.Release));

        Assert.True(shards.IsOk, shards.Fault?.ToString());
        using KeyRing keys = KeyRing.Of(MasterKey.FromBytes(secret).Value);
        using var output = new MemoryStream();
        Result<Manifest> restored = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Value.Select(shard => new MemoryStream(shard.ToArray()))], output);
        Assert.True(restored.IsOk, restored.Fault?.ToString());
        Assert.Equal(content, output.ToArray());

        instance.Release();
        Assert.Throws<ObjectDisposedException>(() => key.Secret.Length);
    }

    [Theory]
    [InlineData(uint.MaxValue, uint.MaxValue, 0)]
    [InlineData(uint.MaxValue, 4, 0)]
    [InlineData(1, 200, 1 << 24)]
    public void Impossible_options_from_c_are_refused_and_their_key_is_wiped(
        uint dataShards, uint parityShards, uint stripeBytes)
    {
        MasterKey key = MasterKey.Generate();

        Result<CesInstance> instance = CesInstance.Create(
            key,
            new CesNativeOptions
            {
                DataShards = dataShards,
                ParityShards = parityShards,
                StripeBytes = stripeBytes,
            });

        Assert.Equal(FaultCode.InvalidParameters, instance.Fault!.Code);
        Assert.Throws<ObjectDisposedException>(() => key.Secret.Length);
    }

    [Fact]
    public async Task A_canceled_read_is_no_end_of_the_object()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var source = new Pipe();
        await source.Writer.WriteAsync(StripeFixture.Text(10_000, 6));
        using CesEncoder encoder = CesEncoder.Create(keys, s_small).Value;
        Task<Result<Manifest>> encoding = encoder.EncodeAsync(
            source.Reader,
            [.. Enumerable.Range(0, 5).Select(_ => PipeWriter.Create(new MemoryStream()))]);

        source.Reader.CancelPendingRead();

        Assert.Equal(FaultCode.Canceled, (await encoding).Fault!.Code);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task Shard_streams_that_nobody_reads_count_as_lost(int closed, bool isStored)
    {
        byte[] content = StripeFixture.Text(20_000, 7);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        Pipe[] pipes =
        [
            .. Enumerable.Range(0, 5).Select(
                _ => new Pipe(new PipeOptions(pauseWriterThreshold: 0))),
        ];
        foreach (Pipe pipe in pipes[..closed])
        {
            await pipe.Reader.CompleteAsync();
        }

        using CesEncoder encoder = CesEncoder.Create(keys, s_small).Value;
        Result<Manifest> manifest = await encoder.EncodeAsync(
            PipeReader.Create(new MemoryStream(content)), [.. pipes.Select(pipe => pipe.Writer)]);

        Assert.Equal(isStored, manifest.IsOk);
        if (!isStored)
        {
            Assert.Equal(FaultCode.Unavailable, manifest.Fault!.Code);
            Assert.Contains("only 3 of 5", manifest.Fault.Message);
        }
    }

    [Fact]
    public async Task An_output_that_nobody_reads_ends_the_restore()
    {
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] shards =
            await GoldenObjects.EncodeAsync(keys, s_small, StripeFixture.Text(20_000, 8));
        var output = new Pipe();
        await output.Reader.CompleteAsync();

        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select(shard => new MemoryStream(shard))], output.Writer);

        Assert.Equal(FaultCode.Canceled, manifest.Fault!.Code);
    }

    [Fact]
    public async Task A_name_that_looks_like_a_footer_is_none()
    {
        // Exactly 4096 bytes of manifest follow the fixed part, and they begin with the name.
        byte[] content = StripeFixture.Random(1000 * 4096, 9);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        CesOptions options = s_small with { Redundancy = new Redundancy(2, 1), Name = "PGFOOT01" };
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, options, content);
        Assert.True(shards[0].AsSpan(shards[0].Length - 4096).StartsWith("PGFOOT01"u8));
        using var output = new MemoryStream();

        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [.. shards.Select(shard => new MemoryStream(shard))], output);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, output.ToArray());
    }

    [Fact]
    public async Task A_header_that_contradicts_the_manifest_does_not_place_its_stream()
    {
        byte[] content = StripeFixture.Random(20_000, 10);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, s_small, content);

        // The stream of position 0 begins with a whole header of stripe 1, which says shard 1 and
        // would put the stream of position 1 out of its place.
        int record = shards[0].Length;
        for (int at = 128; at < shards[0].Length; at++)
        {
            if (shards[0].AsSpan(at).StartsWith("PGSHARD1"u8))
            {
                record = at;
                break;
            }
        }

        shards[2].AsSpan(record, 128).CopyTo(shards[0]);
        using var output = new MemoryStream();

        // Of five streams one is missing and another has one damaged header: enough if placed well.
        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [
                new MemoryStream(shards[0]), new MemoryStream(shards[1]),
                new MemoryStream(shards[2]), null, new MemoryStream(shards[4]),
            ],
            output);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, output.ToArray());
    }

    /// <summary>Whoever can write one header could otherwise cost the object two
    /// shards.</summary>
    [Theory]
    [InlineData(0, 1, 2, 4)]
    [InlineData(1, 0, 2, 4)]
    public async Task A_forged_first_header_does_not_take_another_streams_position(
        params int[] given)
    {
        byte[] content = StripeFixture.Random(20_000, 12);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        byte[][] shards = await GoldenObjects.EncodeAsync(keys, s_small, content);
        shards[1].AsSpan(0, 128).CopyTo(shards[0]);
        using var output = new MemoryStream();

        Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(
            [.. given.Select(it => new MemoryStream(shards[it]))], output);

        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        Assert.Equal(content, output.ToArray());
    }

    [Fact]
    public async Task The_adaptive_level_gives_way_where_compressing_is_the_narrow_place()
    {
        byte[] content = StripeFixture.Text(200 * 4096, 11);
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        CesOptions archive = s_small with { Compression = CompressionMode.Archive };
        CesOptions adaptive = s_small with { Compression = CompressionMode.Adaptive };

        long best = await StoredAsync(keys, archive, new MemoryStream(content));
        long hurried = await StoredAsync(keys, adaptive, new MemoryStream(content));
        Assert.True(hurried > best, $"{hurried} bytes stored, archive stores {best}");

        byte[] less = content[..(10 * 4096)];
        Assert.Equal(
            await StoredAsync(keys, archive, new MemoryStream(less)),
            await StoredAsync(keys, adaptive, new SlowStream(less)));
    }

    private static async Task<long> StoredAsync(KeyRing keys, CesOptions options, Stream source)
    {
        using CesEncoder encoder = CesEncoder.Create(keys, options).Value;
        Result<Manifest> manifest = await encoder.EncodeAsync(
            source, [.. Enumerable.Range(0, 5).Select(_ => new MemoryStream())]);
        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        return manifest.Value.Stripes.StoredBytes;
    }
}
