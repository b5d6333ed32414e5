using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>
/// Compares text with a file of the repository. PANGEA_GOLDEN=write rewrites the files instead, for a change
/// that is meant.
/// </summary>
internal static class Golden
{
    public static void Check(string path, string actual)
    {
        if (Environment.GetEnvironmentVariable("PANGEA_GOLDEN") == "write")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }

        Assert.True(File.Exists(path), $"{path} is missing: run the test with PANGEA_GOLDEN=write");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    /// <summary>A path inside this test project.</summary>
    public static string Text(string name, [CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "Golden", name);

    /// <summary>A path inside the repository.</summary>
    public static string Repository(string path, [CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", path);
}
