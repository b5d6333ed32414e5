using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: what the appliance wrote on its devices is restored without any of our code. Method: the
/// script outsider/restore.py, written from docs/shard-format.md alone, with the key file and eight
/// of twelve devices. One object lies in frames, one is packed into the journals; both had an
/// earlier version.
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

        byte[] small = content[99_000..103_000];
        string file = Path.Combine(appliance.Directory, "file");
        File.WriteAllBytes(file, small);
        Put(appliance, file, "for strangers");
        File.WriteAllBytes(file, content);
        Put(appliance, file, "for strangers");
        Put(appliance, file, "für wenige");
        File.WriteAllBytes(file, small);
        Put(appliance, file, "für wenige");
        Assert.Equal(0, appliance.Stop());

        Assert.Equal(content, Restore(appliance, "for strangers"));
        Assert.Equal(small, Restore(appliance, "für wenige"));
    }

    private static void Put(Appliance appliance, string file, string name)
    {
        CommandResult put = appliance.Run("put", file, "--name", name);
        Assert.True(put.ExitCode == 0, put.Error);
    }

    private static byte[] Restore(Appliance appliance, string name)
    {
        string[] devices =
        [
            .. Enumerable.Range(0, 12)
                .Where(i => i is not (2 or 5 or 7 or 11))
                .Select(appliance.DevicePath),
        ];
        string restored = Path.Combine(appliance.Directory, "restored");
        string keys = Path.Combine(appliance.StatePath, "keys", "master.key");
        var start = new ProcessStartInfo(
            "/usr/bin/python3", [Script(), keys, restored, "--name", name, .. devices])
        {
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return File.ReadAllBytes(restored);
    }

    private static string Script([CallerFilePath] string file = "") => Path.GetFullPath(
        Path.Combine(
            Path.GetDirectoryName(file)!,
            "../Pangea.DataPlane.Ces.Tests/outsider/restore.py"));
}
