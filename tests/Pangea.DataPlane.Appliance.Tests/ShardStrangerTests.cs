using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: what the appliance wrote on its devices is restored without any of our code. Method: the
/// script outsider/restore.py, written from docs/shard-format.md alone, with the key file and the
/// shard files of eight of twelve devices.
/// </summary>
public sealed class ShardStrangerTests
{
    [SkippableFact]
    public void A_stranger_restores_an_object_from_the_devices()
    {
        Skip.IfNot(File.Exists("/usr/bin/python3"), "python3 is not installed");
        using Appliance appliance = Appliance.Start(["--stripe-bytes", "65536"]);
        byte[] content = new byte[300_000];
        new Random(4).NextBytes(content.AsSpan(0, 100_000));
        for (int i = 100_000; i < content.Length; i++)
        {
            content[i] = (byte)("stripes and shards "[i % 19] + (i >> 16));
        }

        string file = Path.Combine(appliance.Directory, "file");
        File.WriteAllBytes(file, content);
        CommandResult put = appliance.Run("put", file, "--name", "for strangers");
        Assert.True(put.ExitCode == 0, put.Error);
        Assert.Equal(0, appliance.Stop());

        string[] shards =
        [
            .. Enumerable.Range(0, 12)
                .Where(i => i is not (2 or 5 or 7 or 11))
                .SelectMany(i => Directory.GetFiles(
                    Path.Combine(appliance.DevicePath(i), "objects"))),
        ];
        string restored = Path.Combine(appliance.Directory, "restored");
        string keys = Path.Combine(appliance.StatePath, "keys", "master.key");
        var start = new ProcessStartInfo(
            "/usr/bin/python3", [Script(), keys, restored, .. shards])
        {
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.True(process.ExitCode == 0, errors);
        Assert.Equal(8, shards.Length);
        Assert.Equal(content, File.ReadAllBytes(restored));
    }

    private static string Script([CallerFilePath] string file = "") => Path.GetFullPath(
        Path.Combine(
            Path.GetDirectoryName(file)!,
            "../Pangea.DataPlane.Ces.Tests/outsider/restore.py"));
}
