using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>The golden files pin the format: what was written once is read for ever.</summary>
public sealed class GoldenTests
{
    [Fact]
    public async Task Writes_the_golden_files_when_asked()
    {
        string? folder = Environment.GetEnvironmentVariable("PANGEA_WRITE_GOLDEN");
        foreach (string name in folder is null ? [] : GoldenObjects.Names)
        {
            string target = Directory.CreateDirectory(Path.Combine(folder!, name)).FullName;
            byte[][] shards = await GoldenObjects.EncodeAsync(name);
            for (int i = 0; i < shards.Length; i++)
            {
                await File.WriteAllBytesAsync(Path.Combine(target, $"{i:00}.shard"), shards[i]);
            }

            byte[] content = GoldenObjects.Content(name);
            await File.WriteAllBytesAsync(Path.Combine(target, "content"), content);
            using KeyRing keys = GoldenObjects.Keys();
            await File.WriteAllTextAsync(Path.Combine(target, "keys"), keys.FormatSecrets());
        }
    }

    [Fact]
    public async Task Raw_objects_are_encoded_to_the_very_same_bytes()
    {
        byte[][] shards = await GoldenObjects.EncodeAsync(GoldenObjects.Raw);

        for (int i = 0; i < shards.Length; i++)
        {
            Assert.Equal(Golden(GoldenObjects.Raw, i), shards[i]);
        }
    }

    [Theory]
    [InlineData(GoldenObjects.Raw)]
    [InlineData(GoldenObjects.Compressed)]
    public async Task Golden_objects_are_restored_after_every_loss(string name)
    {
        CesOptions options = GoldenObjects.Options(name);
        int total = options.Redundancy.TotalShards;
        using KeyRing keys = KeyRing.Parse(
            await File.ReadAllTextAsync(Path.Combine(GoldenObjects.Folder(name), "keys"))).Value;
        for (int first = 0; first < total; first++)
        {
            var streams = new Stream?[total];
            for (int i = 0; i < options.Redundancy.DataShards; i++)
            {
                streams[i] = new MemoryStream(Golden(name, (first + i) % total));
            }

            using var output = new MemoryStream();
            Result<Manifest> manifest = await new CesDecoder(keys).DecodeAsync(streams, output);

            Assert.True(manifest.IsOk, manifest.Fault?.ToString());
            Assert.Equal(GoldenObjects.Content(name), output.ToArray());
            Assert.Equal(options.Name, manifest.Value.Name.Text);
        }
    }

    private static byte[] Golden(string name, int shard) =>
        File.ReadAllBytes(Path.Combine(GoldenObjects.Folder(name), $"{shard:00}.shard"));
}
