using System.Diagnostics;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// Goal: a process that is killed at any moment leaves exactly the state of its last completed
/// checkpoint, or that of the one under way. Method: <see cref="CrashChild"/>, SIGKILL a random
/// time after a random checkpoint, again and again on one directory.
/// </summary>
public sealed class CatalogCrashTests
{
    private const int Rounds = 15;

    [Fact]
    public void A_killed_process_leaves_the_last_checkpoint_or_the_next()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var directory = new CatalogDirectory();
        var model = new SortedDictionary<string, long>(StringComparer.Ordinal);
        int reached = 0;
        for (int round = 0; round < Rounds; round++)
        {
            int said = RunAndKill(directory.Path, random);
            using ObjectCatalog catalog = directory.Open();
            int number = (int)catalog.Marks.SingleOrDefault().Segment;
            Assert.True(number == said || number == said + 1, $"{number}, said {said}");
            for (; reached < number; reached++)
            {
                CrashChild.Step(
                    reached + 1, (name, bytes) => model[name] = bytes, name => model.Remove(name));
            }

            AssertSameAs(model, catalog, seed);
        }

        Assert.True(reached >= Rounds, $"only {reached} checkpoints in {Rounds} rounds");
    }

    /// <summary>
    /// Goal: a file that ends every process which opens it does not do so for ever.
    /// </summary>
    [Fact]
    public void A_file_that_ends_its_processes_is_given_up_after_eight()
    {
        using var directory = new CatalogDirectory();
        for (int start = 0; start < 8; start++)
        {
            using Process child = Start("die", directory.Path);
            Assert.Equal("", child.StandardOutput.ReadToEnd().Trim());
            child.WaitForExit();
        }

        using (ObjectCatalog catalog = ObjectCatalog.Open(directory.Path).Value)
        {
            Assert.Contains("8 processes in a row", catalog.NeedsRebuild!.Message);
            Assert.True(catalog.Clear().IsOk);
        }

        directory.Open().Dispose();
    }

    private static Process Start(string mode, string directory)
    {
        string dotnet = Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal)
            ? Environment.ProcessPath
            : "dotnet";
        var start = new ProcessStartInfo(
            dotnet, [typeof(CrashChild).Assembly.Location, mode, directory])
        {
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }

    private static int RunAndKill(string directory, Random random)
    {
        using Process child = Start("crash", directory);
        string? last = child.StandardOutput.ReadLine();
        for (int lines = random.Next(1, 8); lines > 0 && last is not null; lines--)
        {
            last = child.StandardOutput.ReadLine();
        }

        Assert.True(last is not null, "the child ended by itself");
        Thread.Sleep(random.Next(20));
        child.Kill();
        while (child.StandardOutput.ReadLine() is { } line)
        {
            last = line;
        }

        child.WaitForExit();
        return int.Parse(last);
    }

    private static void AssertSameAs(
        SortedDictionary<string, long> model, ObjectCatalog catalog, int seed)
    {
        var listed = new List<ObjectEntry>();
        bool more;
        do
        {
            listed.AddRange(catalog.List("", listed.LastOrDefault()?.Name.Text, 1000, out more));
        }
        while (more);
        Assert.True(
            model.Select(pair => (pair.Key, pair.Value)).SequenceEqual(
                listed.Select(entry => (entry.Name.Text, entry.Bytes))),
            $"other entries, seed {seed}");
        Assert.Equal(model.Count, catalog.Expired(long.MaxValue, int.MaxValue).Count);
        foreach (ObjectEntry entry in listed)
        {
            AssertSame(entry, catalog.Find(entry.Id));
        }
    }
}
