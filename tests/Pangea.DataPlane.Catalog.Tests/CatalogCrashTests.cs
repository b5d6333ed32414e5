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

    private static int RunAndKill(string directory, Random random)
    {
        var start = new ProcessStartInfo(
            Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal)
                ? Environment.ProcessPath
                : "dotnet",
            [typeof(CrashChild).Assembly.Location, "crash", directory])
        {
            RedirectStandardOutput = true,
        };
        using Process child = Process.Start(start)!;
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
