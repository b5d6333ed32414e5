using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// The objects of the golden files: fixed key, ids, time and content. docs/shard-format.md shows
/// the first one. PANGEA_WRITE_GOLDEN=DIR writes them anew, which is only right when the format
/// version changes.
/// </summary>
internal static class GoldenObjects
{
    /// <summary>Raw stripes: every byte follows from the specification.</summary>
    public const string Raw = "raw-3+2";

    /// <summary>zstd stripes: the frames depend on libzstd's version, restoring them does
    /// not.</summary>
    public const string Compressed = "zstd-8+4";

    public static readonly string[] Names = [Raw, Compressed];

    /// <summary>The bytes 00, 01, .. 1f: a key for examples only.</summary>
    public static KeyRing Keys()
    {
        byte[] secret = new byte[MasterKey.Bytes];
        for (int i = 0; i < secret.Length; i++)
        {
            secret[i] = (byte)i;
        }

        return KeyRing.Of(MasterKey.FromBytes(secret).Value);
    }

    public static byte[] Content(string name) => name == Raw
        ? "Pangea keeps what it is given, bit for bit.\n"u8.ToArray()
        : System.Text.Encoding.ASCII.GetBytes(string.Concat(
            Enumerable.Range(0, 900).Select(i => $"line {i}: the shard of stripe {i % 7}\n")));

    public static CesOptions Options(string name) => new()
    {
        Name = name == Raw ? "example.txt" : "lines.txt",
        Redundancy = name == Raw ? new Redundancy(3, 2) : Redundancy.Default,
        StripeBytes = name == Raw ? 4096 : 16_384,
        ShardAlignment = name == Raw ? 16 : 64,
        HeaderStride = name == Raw ? 128 : 256,
        Compression = name == Raw ? CompressionMode.None : CompressionMode.Balanced,
        ObjectId = ObjectId.Read(Convert.FromHexString(
            name == Raw ? "404142434445464748494a4b4c4d4e4f" : "606162636465666768696a6b6c6d6e6f")),
        Created = DateTimeOffset.FromUnixTimeMilliseconds(1_790_000_000_000),
    };

    public static async Task<byte[][]> EncodeAsync(string name)
    {
        using KeyRing keys = Keys();
        return await EncodeAsync(keys, Options(name), Content(name));
    }

    public static async Task<byte[][]> EncodeAsync(
        KeyRing keys, CesOptions options, byte[] content)
    {
        CesEncoder encoder = CesEncoder.Create(keys, options).Value;
        int total = options.Redundancy.TotalShards;
        MemoryStream[] streams =
            [.. Enumerable.Range(0, total).Select(_ => new MemoryStream())];
        Result<Manifest> manifest = await encoder.EncodeAsync(new MemoryStream(content), streams);
        Assert.True(manifest.IsOk, manifest.Fault?.ToString());
        return [.. streams.Select(stream => stream.ToArray())];
    }

    /// <summary>The folder with the golden files, in the source tree.</summary>
    public static string Folder(string name)
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !File.Exists(Path.Combine(at, "Pangea.DataPlane.sln")))
        {
            at = Path.GetDirectoryName(at);
        }

        Assert.NotNull(at);
        return Path.Combine(at, "tests", "Pangea.DataPlane.Ces.Tests", "golden", name);
    }
}
