namespace Pangea.DataPlane.Benchmarks.Ces;

/// <summary>Real data of this machine, always in the same order; padded by repetition where
/// short.</summary>
internal static class Corpus
{
    private static readonly string[] s_text =
        ["/usr/share/doc", "/usr/share/perl", "/usr/lib/python3", "/usr/share/common-licenses"];

    private static readonly string[] s_programs = ["/usr/bin", "/usr/lib/x86_64-linux-gnu"];

    private static readonly string[] s_compressedEndings =
        [".gz", ".xz", ".zip", ".jar", ".deb", ".png", ".nupkg", ".whl"];

    /// <summary>Stripes of readable text.</summary>
    public static byte[][] TextStripes(int stripeBytes, int count)
    {
        byte[] all = Collect(s_text, (long)stripeBytes * count, IsText);
        return [.. all.Chunk(stripeBytes).Take(count)];
    }

    /// <summary>Half programs, a quarter text, a quarter compressed archives.</summary>
    public static void WriteMixed(string path, int bytes)
    {
        byte[] text = Collect(s_text, bytes / 4, IsText);
        byte[] programs = Collect(s_programs, bytes / 2, file => !IsCompressed(file));
        byte[] archives = Collect(["/usr/share", "/usr/lib"], bytes / 4, IsCompressed);
        using FileStream file = File.Create(path);
        const int Turns = 16;
        for (int turn = 0; turn < Turns; turn++)
        {
            foreach (byte[] kind in new[] { text, programs, archives })
            {
                file.Write(kind, turn * (kind.Length / Turns), kind.Length / Turns);
            }
        }
    }

    private static bool IsCompressed(string file) =>
        s_compressedEndings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal));

    private static bool IsText(string file)
    {
        if (IsCompressed(file))
        {
            return false;
        }

        byte[] head = new byte[512];
        using FileStream stream = File.OpenRead(file);
        return !head.AsSpan(0, stream.Read(head)).Contains((byte)0);
    }

    private static byte[] Collect(string[] folders, long bytes, Func<string, bool> wanted)
    {
        byte[] all = new byte[bytes];
        int at = 0;
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            IgnoreInaccessible = true,
            AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Device,
        };
        foreach (string folder in folders.Where(Directory.Exists))
        {
            IEnumerable<string> files = Directory.EnumerateFiles(folder, "*", options)
                .Order(StringComparer.Ordinal);
            foreach (string file in files.Where(wanted))
            {
                using FileStream stream = File.OpenRead(file);
                at += stream.ReadAtLeast(all.AsSpan(at), all.Length - at, false);
                if (at == all.Length)
                {
                    return all;
                }
            }
        }

        if (at == 0)
        {
            // A machine without any such file: random bytes are at least incompressible.
            new Random(1).NextBytes(all);
            return all;
        }

        for (int from = 0; at < all.Length; from++, at++)
        {
            all[at] = all[from];
        }

        return all;
    }
}
