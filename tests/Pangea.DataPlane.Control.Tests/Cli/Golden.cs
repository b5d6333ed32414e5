namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>
/// Compares text with a file of the repository. PANGEA_GOLDEN=write rewrites the files instead, for
/// a change that is meant.
/// </summary>
internal static class Golden
{
    public static void Check(string path, string actual)
    {
        if (Environment.GetEnvironmentVariable("PANGEA_GOLDEN") == "write")
        {
            File.WriteAllText(path, actual);
        }

        Assert.True(File.Exists(path), $"{path} is missing: run the test with PANGEA_GOLDEN=write");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    /// <summary>A golden text of this test project.</summary>
    public static string Text(string name) =>
        Repository($"tests/Pangea.DataPlane.Control.Tests/Golden/{name}");

    /// <summary>A path inside the repository, which is found by its solution file.</summary>
    public static string Repository(string path)
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null
            && !File.Exists(Path.Combine(directory, "Pangea.DataPlane.sln")))
        {
            directory = Path.GetDirectoryName(directory);
        }

        Assert.NotNull(directory);
        return Path.Combine(directory, path);
    }
}
