using System.Text;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

public sealed class ObjectCatalogTests : IDisposable
{
    private readonly CatalogDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Keeps_entries_over_a_checkpoint_and_a_new_process()
    {
        ObjectEntry kept = Entry("kept", 5_000_000_000, 1_790_000_000_000);
        ObjectEntry expiring = Entry("expiring", 7, 3, expiresMs: 99, ttlMs: 50);
        LogMark[] marks = [new(0, 3, 4096), new(200, uint.MaxValue, 64)];
        using (ObjectCatalog catalog = _directory.Open())
        {
            Assert.Equal(0, catalog.OrdinalOf(77));
            Assert.Equal(1, catalog.OrdinalOf(UInt128.MaxValue));
            catalog.Set(kept);
            catalog.Set(expiring);
            AssertSame(kept, catalog.Find(kept.Name));
            Assert.True((await catalog.CheckpointAsync(marks)).IsOk);
            Assert.Equal(0, catalog.PendingChanges);
            AssertSame(kept, catalog.Find(kept.Name));
            catalog.Set(Entry("after the checkpoint"));
        }

        using ObjectCatalog reopened = _directory.Open();
        AssertSame(kept, reopened.Find(kept.Name));
        AssertSame(expiring, reopened.Find(expiring.Id));
        Assert.Null(reopened.Find(Name("after the checkpoint")));
        Assert.Equal(marks, reopened.Marks);
        Assert.Equal(1, reopened.OrdinalOf(UInt128.MaxValue));
        Assert.Equal((UInt128)77, reopened.DeviceOf(0));
        Assert.Equal(
            (2, 5_000_000_007L, 10_000_000_014L),
            (reopened.Count, reopened.Bytes, reopened.StoredBytes));
    }

    /// <summary>
    /// Goal: a page is what a plain sorted list would give, whichever layers hold the names.
    /// </summary>
    [Fact]
    public async Task Lists_every_prefix_and_page_as_a_sorted_list_does()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using ObjectCatalog catalog = _directory.Open();
        var names = new HashSet<string>();
        Rune[] letters = [.. "ab/é\U0001f600\uffee0".EnumerateRunes()];
        for (int i = 0; i < 600; i++)
        {
            var text = new StringBuilder();
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                text.Append(letters[random.Next(letters.Length)].ToString());
            }

            string name = text.ToString();
            if (random.Next(4) == 0)
            {
                names.Remove(name);
                catalog.Remove(Name(name));
            }
            else
            {
                names.Add(name);
                catalog.Set(Entry(name));
            }

            if (i is 200 or 400)
            {
                Assert.True((await catalog.CheckpointAsync([])).IsOk);
            }
        }

        foreach (string prefix in new[] { "", "a", "a/", "é", "\U0001f600", "zz", "ab" })
        {
            string[] expected = Sorted(names.Where(
                name => name.StartsWith(prefix, StringComparison.Ordinal)));
            Assert.True(
                expected.SequenceEqual(Pages(catalog, prefix, 7)),
                $"prefix \"{prefix}\", seed {seed}");
        }
    }

    [Fact]
    public void Continues_after_a_name_that_was_removed_meanwhile()
    {
        using ObjectCatalog catalog = _directory.Open();
        foreach (string name in new[] { "a", "b", "c" })
        {
            catalog.Set(Entry(name));
        }

        catalog.Remove(Name("b"));

        Assert.Equal("c", Assert.Single(catalog.List("", "b", 10, out _)).Name.Text);
    }

    [Fact]
    public void Keeps_its_sums_over_replacing_and_removing()
    {
        using ObjectCatalog catalog = _directory.Open();
        catalog.Set(Entry("x", 10));
        ObjectEntry? replaced = catalog.Set(Entry("x", 30));
        catalog.Set(Entry("y", 5));
        catalog.Remove(Name("y"));

        Assert.Equal(10, replaced!.Bytes);
        Assert.Equal((1L, 30L, 60L), (catalog.Count, catalog.Bytes, catalog.StoredBytes));
        Assert.Null(catalog.Remove(Name("unknown")));
    }

    [Fact]
    public async Task Finds_only_the_current_version_by_its_id()
    {
        using ObjectCatalog catalog = _directory.Open();
        ObjectEntry first = Entry("x");
        ObjectEntry second = Entry("x");
        ObjectEntry third = Entry("x");
        catalog.Set(first);
        catalog.Set(second);
        Assert.Null(catalog.Find(first.Id));
        AssertSame(second, catalog.Find(second.Id));
        await catalog.CheckpointAsync([]);
        AssertSame(second, catalog.Find(second.Id));
        catalog.Set(third);
        Assert.Null(catalog.Find(second.Id));
        await catalog.CheckpointAsync([]);
        Assert.Null(catalog.Find(second.Id));
        AssertSame(third, catalog.Find(third.Id));
        catalog.Remove(third.Name);
        Assert.Null(catalog.Find(third.Id));
    }

    /// <summary>
    /// Goal: names that do not fit a key are found, listed and paged like others; among those with
    /// one start of 447 bytes only the order is free.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Long_names_are_found_listed_and_paged(bool written)
    {
        using ObjectCatalog catalog = _directory.Open();
        string start = new('p', NameKey.PrefixBytes);
        string[] names =
        [
            "a", "z", start, start + "!", start + new string('q', 64), new('p', 511),
            new('p', 512), new('p', 1024), start + new string('r', 500),
            start + new string('r', 499) + "s",
            string.Concat(Enumerable.Repeat("é", 512)),
        ];
        foreach (string name in names)
        {
            catalog.Set(Entry(name, name.Length));
        }

        catalog.NoteRemoved(new('p', 1000), 5, 3);
        if (written)
        {
            Assert.True((await catalog.CheckpointAsync([])).IsOk);
        }

        foreach (string name in names)
        {
            Assert.Equal(name, catalog.Find(Name(name))!.Name.Text);
        }

        Assert.Null(catalog.Find(Name(new('p', 1023))));
        string rs = start + new string('r', 499);
        foreach (string prefix in new[] { "", "p", start, start + "!", rs, new('p', 513) })
        {
            string[] expected = [.. names.Where(
                name => name.StartsWith(prefix, StringComparison.Ordinal))];
            List<string> listed = Pages(catalog, prefix, 2);
            Assert.Equal(Sorted(expected), Sorted(listed));
        }

        Assert.Equal("a", catalog.List("", null, 1, out _)[0].Name.Text);
        Assert.Equal("z", Pages(catalog, "", 3)[^2]);
        Assert.Empty(catalog.List(new('p', 2000), new('p', 3000), 5, out _));
        RemovedName removed = Assert.Single(catalog.ListRemoved(null, 10));
        Assert.Equal(new RemovedName(new('p', 1000), 5, 3), removed);
    }

    [Fact]
    public async Task Pages_through_100_000_objects()
    {
        const int count = 100_000;
        using ObjectCatalog catalog = _directory.Open();
        for (int i = 0; i < count; i++)
        {
            catalog.Set(Entry($"objects/{i % 10}/{i:D6}"));
            if (catalog.WantsCheckpoint && i % 3 != 0)
            {
                Assert.True((await catalog.CheckpointAsync([])).IsOk);
            }
        }

        Assert.Equal(count, catalog.Count);
        Assert.Equal(count, Pages(catalog, "", 1000).Count);
        List<string> third = Pages(catalog, "objects/3/", 999);
        Assert.Equal(count / 10, third.Count);
        Assert.Equal(Sorted(third), third);
        Assert.Equal("objects/3/050003", catalog.List(
            "objects/3/", "objects/3/049999", 1, out bool more)[0].Name.Text);
        Assert.True(more);
    }

    [Fact]
    public async Task Names_what_expires_and_forgets_it_when_it_moves()
    {
        using ObjectCatalog catalog = _directory.Open();
        ObjectEntry[] entries = [.. Enumerable.Range(0, 20).Select(
            i => Entry($"e{i:D2}", expiresMs: 100 + i))];
        foreach (ObjectEntry entry in entries[..10])
        {
            catalog.Set(entry);
        }

        catalog.Set(Entry("for ever"));
        await catalog.CheckpointAsync([]);
        foreach (ObjectEntry entry in entries[10..])
        {
            catalog.Set(entry);
        }

        Assert.Empty(catalog.Expired(99, 100));
        Assert.Equal(["e00", "e01"], Names(catalog.Expired(101, 100)));
        Assert.Equal(20, catalog.Expired(1000, 100).Count);
        Assert.Equal(7, catalog.Expired(1000, 7).Count);

        catalog.Set(entries[0] with { ExpiresMs = 5000 }); // refreshed
        catalog.Set(entries[1] with { ExpiresMs = 0 });
        catalog.Set(entries[2] with { Locations = [] }); // moved, still to go
        catalog.Set(Entry("e03")); // replaced
        catalog.Remove(entries[4].Name);
        catalog.Set(entries[15] with { ExpiresMs = 5000 });
        string[] rest = ["e02", .. entries[5..15].Select(entry => entry.Name.Text),
            .. entries[16..].Select(entry => entry.Name.Text)];
        Assert.Equal(rest, Sorted(Names(catalog.Expired(1000, 100))));
        await catalog.CheckpointAsync([]);
        Assert.Equal(rest, Names(catalog.Expired(1000, 100)));
        Assert.Equal(["e00", "e15"], Sorted(Names(catalog.Expired(5000, 100)).Except(rest)));
    }

    [Fact]
    public async Task Removals_remember_the_latest_time_and_every_device()
    {
        using (ObjectCatalog catalog = _directory.Open())
        {
            catalog.NoteRemoved("x", 10, 0b1);
            catalog.NoteRemoved("x", 10, 0b100);
            catalog.NoteRemoved("x", 9, 0b1000);
            catalog.NoteRemoved("y", 1, 1);
            catalog.NoteRemoved("z", 2, 1);
            await catalog.CheckpointAsync([]);
            catalog.NoteRemoved("y", 3, 0b10);
            catalog.ForgetTombstone("z");
            Assert.Equal((10, 3, 0), Times(catalog));
            await catalog.CheckpointAsync([]);
        }

        using ObjectCatalog reopened = _directory.Open();
        Assert.Equal((10, 3, 0), Times(reopened));
        Assert.Equal(
            [new RemovedName("x", 10, 0b101), new RemovedName("y", 3, 0b10)],
            reopened.ListRemoved(null, 10));
        Assert.Equal("y", Assert.Single(reopened.ListRemoved("x", 10)).Name);

        static (long, long, long) Times(ObjectCatalog catalog) =>
            (catalog.RemovedMs("x"), catalog.RemovedMs("y"), catalog.RemovedMs("z"));
    }

    [Fact]
    public async Task Notes_are_kept_by_table_and_in_key_order()
    {
        using (ObjectCatalog catalog = _directory.Open())
        {
            catalog.SetNote("heal", [2], [20]);
            catalog.SetNote("heal", [1, 1], [11]);
            catalog.SetNote("healing", [0], [99]);
            catalog.SetNote("scrub", [], []);
            await catalog.CheckpointAsync([]);
            catalog.SetNote("heal", [1], [10, 10]);
            catalog.SetNote("heal", [2], [21]);
            catalog.DeleteNote("heal", [1, 1]);
            catalog.DeleteNote("heal", [7]);
            Assert.Equal([21], catalog.GetNote("heal", [2])!.Value.ToArray());
            Assert.Null(catalog.GetNote("heal", [1, 1]));
            await catalog.CheckpointAsync([]);
        }

        using ObjectCatalog reopened = _directory.Open();
        List<CatalogNote> notes = reopened.ListNotes("heal", [], 10);
        Assert.Equal<byte[]>([[1], [2]], notes.Select(note => note.Key));
        Assert.Equal<byte[]>([[10, 10], [21]], notes.Select(note => note.Value));
        Assert.Equal([2], Assert.Single(reopened.ListNotes("heal", [1], 10)).Key);
        Assert.Equal(0, reopened.GetNote("scrub", [])!.Value.Length);
        Assert.Empty(Assert.Single(reopened.ListNotes("scrub", [], 10)).Key);
        Assert.Null(reopened.GetNote("heal", [9]));
    }

    [Fact]
    public async Task Counts_downloads_of_one_version_across_checkpoints_and_changes()
    {
        ObjectEntry entry = Entry("popular");
        using (ObjectCatalog catalog = _directory.Open())
        {
            catalog.Set(entry);
            catalog.NoteGet(entry, 100, 1_000);
            await catalog.CheckpointAsync([], withStatistics: true);
            ObjectEntry known = catalog.Find(entry.Name)!;
            Assert.Equal(new ObjectStatistics(1, 100, 1_000), known.Statistics);
            catalog.NoteGet(known, 50, 2_000);
            Assert.Equal(new ObjectStatistics(2, 150, 2_000), catalog.StatisticsOf(known));
            await catalog.CheckpointAsync([], withStatistics: true);

            // Moved by someone who read the entry long ago.
            catalog.Set(entry with { Locations = [] });
            await catalog.CheckpointAsync([]);
            catalog.NoteGet(entry, 1, 3_000);
        }

        using ObjectCatalog reopened = _directory.Open();
        ObjectEntry found = reopened.Find(entry.Name)!;
        Assert.Equal(new ObjectStatistics(2, 150, 2_000), reopened.StatisticsOf(found));
        reopened.NoteGet(found, 1, 4_000);
        reopened.Set(Entry("popular"));
        await reopened.CheckpointAsync([], withStatistics: true);
        Assert.Equal(default, reopened.Find(entry.Name)!.Statistics);
    }

    [Fact]
    public void Downloads_alone_ask_for_a_checkpoint_only_now_and_then()
    {
        using ObjectCatalog catalog = _directory.Open();
        ObjectEntry entry = Entry("popular");
        catalog.Set(entry);
        catalog.NoteGet(entry, 1, 1_000);
        catalog.NoteGet(entry, 1, 20_000);
        Assert.False(catalog.WantsCheckpoint);
        catalog.NoteGet(entry, 1, 31_000);
        Assert.True(catalog.WantsCheckpoint);
    }

    [Fact]
    public async Task Counts_of_many_objects_are_written_over_several_checkpoints()
    {
        const int count = 25;
        using ObjectCatalog catalog = _directory.Open(
            new CatalogOptions { StatisticsMax = 20, StatisticsPerCheckpoint = 8 });
        ObjectEntry[] entries = [.. Enumerable.Range(0, count).Select(i => Entry($"e{i:D2}"))];
        foreach (ObjectEntry entry in entries)
        {
            catalog.Set(entry);
            catalog.NoteGet(entry, 10, 1_000);
        }

        catalog.NoteGet(entries[0], 10, 40_000);
        int checkpoints = 0;
        while (catalog.WantsCheckpoint)
        {
            Assert.True((await catalog.CheckpointAsync([])).IsOk);
            checkpoints++;
        }

        Assert.Equal(3, checkpoints);
        Assert.Equal(2, catalog.Find(entries[0].Name)!.Statistics.Gets);
        Assert.Equal(20, entries.Count(
            entry => catalog.Find(entry.Name)!.Statistics.Gets > 0)); // the rest had no room
    }

    /// <summary>
    /// Goal: neither listing everything nor changing everything leaves the file in memory.
    /// </summary>
    [Fact]
    public async Task Gives_mapped_pages_back()
    {
        const int count = 30_000;
        using ObjectCatalog catalog = _directory.Open(
            new CatalogOptions { ResidentBytesMax = 1 << 20 });
        var random = new Random(3);
        foreach (int i in Enumerable.Range(0, 2 * count))
        {
            catalog.Set(Entry($"{(i < count ? i : random.Next(count)):D8}"));
            if (catalog.WantsCheckpoint)
            {
                Assert.True((await catalog.CheckpointAsync([])).IsOk);
            }
        }

        Assert.Equal(count, Pages(catalog, "", 1000).Count);
        Assert.True(catalog.FileBytes > 8 << 20);
        Assert.InRange(catalog.PagesGivenBack, 5, int.MaxValue);
    }

    [Fact]
    public void A_device_keeps_its_ordinal_until_it_is_forgotten()
    {
        using ObjectCatalog catalog = _directory.Open();
        for (uint device = 1; device <= ObjectCatalog.OrdinalsMax; device++)
        {
            Assert.Equal(device - 1, catalog.OrdinalOf(device));
        }

        Assert.Equal(ObjectCatalog.OrdinalsMax, catalog.OrdinalOf(1000));
        catalog.ForgetDevice(42);
        Assert.Equal((UInt128)0, catalog.DeviceOf(41));
        Assert.Equal(41, catalog.OrdinalOf(1000));
        Assert.Equal(6, catalog.OrdinalOf(7));
    }

    [Fact]
    public async Task Clear_begins_anew_also_on_the_disk()
    {
        using (ObjectCatalog catalog = _directory.Open())
        {
            catalog.Set(Entry("x"));
            catalog.OrdinalOf(9);
            await catalog.CheckpointAsync([new LogMark(0, 1, 2)]);
            catalog.Set(Entry("y"));
            Assert.True(catalog.Clear().IsOk);
            Assert.Null(catalog.Find(Name("x")));
            Assert.Empty(catalog.List("", null, 10, out _));
            Assert.Empty(catalog.Marks);
            Assert.Equal((0L, 0L), (catalog.Count, catalog.Bytes));
            catalog.Set(Entry("z"));
            await catalog.CheckpointAsync([]);
        }

        using ObjectCatalog reopened = _directory.Open();
        Assert.Equal("z", Assert.Single(reopened.List("", null, 10, out _)).Name.Text);
    }

    private static string[] Names(IEnumerable<ObjectEntry> entries) =>
        [.. entries.Select(entry => entry.Name.Text)];

    private static string[] Sorted(IEnumerable<string> names) => [.. names.OrderBy(
        name => name,
        Comparer<string>.Create((a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(
            Encoding.UTF8.GetBytes(b))))];

    private static List<string> Pages(ObjectCatalog catalog, string prefix, int limit)
    {
        var listed = new List<string>();
        bool more;
        do
        {
            List<ObjectEntry> page = catalog.List(
                prefix, listed.LastOrDefault(), limit, out more);
            Assert.True(page.Count <= limit);
            Assert.True(!more || page.Count == limit);
            listed.AddRange(Names(page));
        }
        while (more);
        return listed;
    }
}
