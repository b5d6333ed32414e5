using System.Diagnostics;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The catalog alone: what filling, finding, listing, checkpoints and opening cost with one and
/// with ten million objects, and how much of its file stays mapped. Entries have twelve locations,
/// names a common prefix and a number in random order.
/// </summary>
internal sealed class CatalogCases(BenchOptions options, string folder)
{
    private const int PageEntries = 100;
    private const int RandomMax = 1_000_000;
    private static readonly string[] s_cases =
        ["set", "find", "list", "checkpoint", "open", "mapped", "file"];

    public IEnumerable<BenchRow> Run()
    {
        int[] counts = options.Quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000];
        foreach (int count in counts)
        {
            string size = count < 1_000_000 ? $"{count / 1000} k" : $"{count / 1_000_000} M";
            if (s_cases.Any(name => options.Wants(Case(name, size))))
            {
                options.Progress($"a catalog of {size} objects");
                foreach (BenchRow row in RunOne(count, size))
                {
                    yield return row;
                }
            }
        }
    }

    private static string Case(string name, string size) => $"catalog of {size}, {name}";

    private List<BenchRow> RunOne(int count, string size)
    {
        string directory = Path.Combine(folder, "catalog");
        Directory.CreateDirectory(directory);
        List<BenchRow> rows = [];
        ObjectCatalog catalog = Open(directory, count);
        long started = Stopwatch.GetTimestamp();
        Fill(catalog, count);
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        rows.Add(BenchRow.Alone(
            Case("set", size),
            count / seconds,
            "objects/s",
            null,
            note: count > RandomMax ? "in order" : "random order, checkpoints included"));

        var random = new Random(1);
        rows.Add(Time(Case("find", size), "us", 1e6, null, () =>
            Invariant.Check(catalog.Find(Name(random.Next(count))) is not null)));
        rows.Add(Time(Case("list", size), "us", 1e6, null, () =>
        {
            string after = Name(random.Next(count / 2)).Text;
            Invariant.Check(catalog.List("", after, PageEntries, out _).Count == PageEntries);
        }) with
        { Note = $"a page of {PageEntries} after a random name" });
        rows.Add(Checkpoint(catalog, count, size));
        ListAll(catalog, count);
        rows.Add(BenchRow.Alone(
            Case("mapped", size),
            MappedBytes(directory) / 1048576.0,
            "MiB",
            64,
            higherIsBetter: false,
            note: "resident part of the file's map after listing everything"));
        rows.Add(BenchRow.Alone(
            Case("file", size),
            catalog.FileBytes / (double)catalog.Count,
            "B/object",
            null,
            higherIsBetter: false));
        catalog.Dispose();

        started = Stopwatch.GetTimestamp();
        using (ObjectCatalog reopened = Open(directory, count))
        {
            rows.Add(BenchRow.Alone(
                Case("open", size),
                Stopwatch.GetElapsedTime(started).TotalMilliseconds,
                "ms",
                null,
                higherIsBetter: false));
        }

        Directory.Delete(directory, recursive: true);
        return [.. rows.Where(row => options.Wants(row.Case))];
    }

    /// <summary>New versions of random objects, as many as make a checkpoint due.</summary>
    private BenchRow Checkpoint(ObjectCatalog catalog, int count, string size)
    {
        var random = new Random(2);
        int changes = new CatalogOptions().CheckpointChanges;
        List<double> ms = [];
        for (int round = 0; round < (options.Quick ? 3 : 7); round++)
        {
            for (int i = 0; i < changes; i++)
            {
                catalog.Set(Entry(random.Next(count), round));
            }

            long started = Stopwatch.GetTimestamp();
            Write(catalog);
            ms.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return BenchRow.Alone(
            Case("checkpoint", size),
            PairedRun.Median(ms),
            "ms",
            null,
            higherIsBetter: false,
            note: $"{changes} random objects replaced, on a thread of its own");
    }

    private static void Fill(ObjectCatalog catalog, int count)
    {
        // Multiplying by a number without a common factor visits every index once.
        long stride = count > RandomMax ? 1 : 1_000_003;
        for (long i = 0; i < count; i++)
        {
            catalog.Set(Entry((int)(i * stride % count), i));
            if (catalog.WantsCheckpoint)
            {
                Write(catalog);
            }
        }

        Write(catalog);
    }

    private static void ListAll(ObjectCatalog catalog, int count)
    {
        long listed = 0;
        string? after = null;
        bool more;
        do
        {
            List<ObjectEntry> page = catalog.List("", after, Limits.ListPageMax, out more);
            listed += page.Count;
            after = page[^1].Name.Text;
        }
        while (more);
        Invariant.Check(listed == count);
    }

    private BenchRow Time(string name, string unit, double perSecond, double? goal, Action action)
    {
        PairedResult result = PairedRun.Measure(options, action);
        return BenchRow.Alone(
            name, result.OursNs / 1e9 * perSecond, unit, goal, higherIsBetter: false);
    }

    private static ObjectCatalog Open(string directory, int count)
    {
        CatalogOptions options = new();
        Result<ObjectCatalog> opened = ObjectCatalog.Open(directory, options with
        {
            CheckpointChanges = count > RandomMax ? 65_536 : options.CheckpointChanges,
        });
        Invariant.Check(opened.IsOk, opened.Fault?.Message);
        return opened.Value;
    }

    private static void Write(ObjectCatalog catalog)
    {
        Result written = catalog.CheckpointAsync([]).GetAwaiter().GetResult();
        Invariant.Check(written.IsOk, written.Fault?.Message);
    }

    private static ObjectName Name(int index) => ObjectName.Parse(
        $"bench/objects/{index / 1000:D5}/{index:D8}").Value;

    private static ObjectEntry Entry(int index, long version)
    {
        var locations = new ShardLocation[12];
        for (int i = 0; i < locations.Length; i++)
        {
            locations[i] = new ShardLocation(
                (byte)i, (uint)(version / 40_000) + 1, (uint)(version % 40_000) * 1536, 1280);
        }

        return new ObjectEntry(
            Name(index), ObjectId.New(), 1_790_000_000_000 + version, 4096, 15_360, 8, 4, 0, 0,
            default, [.. locations]);
    }

    /// <summary>Resident bytes of the data file's mapping (proc(5), smaps).</summary>
    private static long MappedBytes(string directory)
    {
        bool isOurs = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains(directory, StringComparison.Ordinal))
            {
                isOurs = line.EndsWith("data.mdb", StringComparison.Ordinal);
            }
            else if (isOurs && line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
            }
        }

        return 0;
    }
}
