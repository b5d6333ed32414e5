using System.Diagnostics;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// Someone else's program (outsider/restore.py, written from docs/shard-format.md alone) restores
/// objects that this code made: golden ones, and fresh ones with several stripes.
/// </summary>
public sealed class OutsiderTests
{
    [SkippableTheory]
    [InlineData(GoldenObjects.Raw)]
    [InlineData(GoldenObjects.Compressed)]
    public async Task Restores_a_golden_object_from_k_shards(string name)
    {
        string folder = GoldenObjects.Folder(name);
        int k = GoldenObjects.Options(name).Redundancy.DataShards;
        string[] shards = [.. Directory.GetFiles(folder, "*.shard").Order().TakeLast(k)];

        (int exit, string errors, byte[] restored) =
            await RestoreAsync(Path.Combine(folder, "keys"), shards);

        Assert.True(exit == 0, errors);
        Assert.Equal(GoldenObjects.Content(name), restored);
    }

    [SkippableTheory]
    [InlineData(CompressionMode.None)]
    [InlineData(CompressionMode.Balanced)]
    public async Task Restores_several_stripes_as_they_lie_on_devices(CompressionMode compression)
    {
        byte[] content = [.. StripeFixture.Text(9_000, 1), .. StripeFixture.Random(9_000, 2)];
        string folder = Directory.CreateTempSubdirectory("pangea-outsider-").FullName;
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions
        {
            StripeBytes = 4096,
            HeaderStride = 4096,
            ShardAlignment = 4096,
            Compression = compression,
        };
        byte[][] encoded = await GoldenObjects.EncodeAsync(keys, options, content);
        await File.WriteAllTextAsync(Path.Combine(folder, "keys"), keys.FormatSecrets());
        encoded[2][5000] ^= 1;
        var shards = new List<string>();
        for (int i = 0; i < encoded.Length; i++)
        {
            shards.Add(Path.Combine(folder, $"{i}"));
            await File.WriteAllBytesAsync(shards[^1], encoded[i]);
        }

        (int exit, string errors, byte[] restored) =
            await RestoreAsync(Path.Combine(folder, "keys"), [.. shards.Skip(1).Take(9)]);

        Directory.Delete(folder, recursive: true);
        Assert.True(exit == 0, errors);
        Assert.Equal(content, restored);
    }

    [SkippableFact]
    public async Task Leaves_out_a_forged_shard()
    {
        byte[] content = StripeFixture.Random(4_000, 3);
        string folder = Directory.CreateTempSubdirectory("pangea-outsider-").FullName;
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        var options = new CesOptions { StripeBytes = 4096, Redundancy = new Redundancy(3, 2) };
        byte[][] encoded = await GoldenObjects.EncodeAsync(keys, options, content);
        await File.WriteAllTextAsync(Path.Combine(folder, "keys"), keys.FormatSecrets());

        // Damage, and the checksums mended: one header and 1344 payload bytes in position 1.
        byte[] forged = encoded[1];
        forged[700] ^= 1;
        BitConverter.TryWriteBytes(
            forged.AsSpan(120), Crc32C.Compute(forged.AsSpan(128, 1344)));
        BitConverter.TryWriteBytes(forged.AsSpan(124), Crc32C.Compute(forged.AsSpan(0, 124)));
        var shards = new List<string>();
        for (int i = 0; i < 4; i++)
        {
            shards.Add(Path.Combine(folder, $"{i}"));
            await File.WriteAllBytesAsync(shards[^1], encoded[i]);
        }

        (int exit, string errors, byte[] restored) =
            await RestoreAsync(Path.Combine(folder, "keys"), [.. shards]);

        Directory.Delete(folder, recursive: true);
        Assert.True(exit == 0, errors);
        Assert.Equal(content, restored);
    }

    [SkippableFact]
    public async Task Refuses_with_too_few_shards()
    {
        string folder = GoldenObjects.Folder(GoldenObjects.Raw);
        string[] shards = [.. Directory.GetFiles(folder, "*.shard").Order().Take(2)];

        (int exit, string errors, _) = await RestoreAsync(Path.Combine(folder, "keys"), shards);

        Assert.NotEqual(0, exit);
        Assert.Contains("needs 3 of 5 shards, has 2", errors);
    }

    private static async Task<(int Exit, string Errors, byte[] Restored)> RestoreAsync(
        string keys, string[] shards)
    {
        string script = Path.Combine(
            Path.GetDirectoryName(Path.GetDirectoryName(GoldenObjects.Folder("x")))!,
            "outsider", "restore.py");
        string output = Path.GetTempFileName();
        var start = new ProcessStartInfo("python3", [script, keys, output, .. shards])
        {
            RedirectStandardError = true,
        };
        Process? process = null;
        try
        {
            process = Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip.If(true, "python3 is not installed");
        }

        string errors = await process!.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        byte[] restored = await File.ReadAllBytesAsync(output);
        File.Delete(output);
        return (process.ExitCode, errors, restored);
    }
}
