using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Result = Pangea.DataPlane.Core.Result;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// Goal: whatever the order of changes, checkpoints, listings, closings and deaths, the catalog is
/// what a plain sorted dictionary is, and after a death what that was at the last checkpoint.
/// Method: random steps against both; a checkpoint under way overlaps with further changes.
/// </summary>
public sealed class CatalogModelTests
{
    private static readonly string[] s_names =
    [
        .. Enumerable.Range(0, 60).Select(i => $"n{i:D2}"),
        .. Enumerable.Range(0, 10).Select(i => "n/" + new string('x', 505 + i)),
        "\U0001f600", "\uffee", "é",
    ];

    [Fact]
    public void Behaves_as_a_sorted_dictionary_over_every_order_of_steps() =>
        Prop.ForAll<int>(seed =>
        {
            Run(new Random(seed));
            return true;
        }).QuickCheckThrowOnFailure();

    private static void Run(Random random)
    {
        using var loop = new LoopContext();
        using var directory = new CatalogDirectory();
        var model = new Model();
        Model durable = new();
        Model frozen = new();
        ObjectCatalog catalog = directory.Open(Options(random));
        Task<Result>? underWay = null;
        uint marks = 0;
        for (int step = random.Next(40, 250); step > 0; step--)
        {
            int choice = random.Next(100);
            if (choice < 80)
            {
                Change(random, catalog, model);
            }
            else if (choice < 84 && underWay is null)
            {
                frozen = model.Copy();
                underWay = catalog.CheckpointAsync([new LogMark(0, ++marks, 0)]);
            }
            else if (choice < 87)
            {
                loop.Pump(); // The checkpoint may end here, or be tried again with a larger map.
            }
            else if (choice < 90 && underWay is not null)
            {
                Assert.True(loop.Wait(underWay).IsOk);
                underWay = null;
                durable = frozen;
            }
            else if (choice < 93)
            {
                // What was written when it closes is there, the rest is lost.
                catalog.Dispose();
                durable = underWay is not null && loop.Wait(underWay).IsOk ? frozen : durable;
                underWay = null;
                catalog = directory.Open(Options(random));
                model = durable.Copy();
            }
            else
            {
                AssertSameAs(model, catalog, random);
            }
        }

        Assert.True(underWay is null || loop.Wait(underWay).IsOk);
        AssertSameAs(model, catalog, random);
        catalog.Dispose();
    }

    private static CatalogOptions Options(Random random) => new()
    {
        // Small ones are full at once, so the map's growth is part of every order of steps.
        MapBytes = random.Next(2) == 0 ? 128 * 1024 : 1 << 30,
    };

    private static void Change(Random random, ObjectCatalog catalog, Model model)
    {
        string name = s_names[random.Next(s_names.Length)];
        byte[] key = NameKey.Of(name);
        int choice = random.Next(10);
        if (choice < 6)
        {
            ObjectEntry entry = Entry(
                name,
                random.Next(1000),
                random.Next(1000),
                expiresMs: random.Next(3) == 0 ? random.Next(1, 50) : 0,
                positions: random.Next(20));
            ObjectEntry? known = model.Objects.GetValueOrDefault(key);
            if (known is not null && random.Next(3) == 0)
            {
                entry = entry with { Id = known.Id }; // moved or refreshed, not replaced
            }

            AssertSame(known, catalog.Set(entry));
            model.Objects[key] = entry;
        }
        else if (choice < 8)
        {
            AssertSame(model.Objects.GetValueOrDefault(key), catalog.Remove(Name(name)));
            model.Objects.Remove(key);
        }
        else if (choice == 8)
        {
            long removedMs = model.Removed.GetValueOrDefault(name) + random.Next(1, 4);
            catalog.NoteRemoved(name, removedMs, 1);
            model.Removed[name] = removedMs;
        }
        else
        {
            catalog.ForgetTombstone(name);
            model.Removed.Remove(name);
        }
    }

    private static void AssertSameAs(Model model, ObjectCatalog catalog, Random random)
    {
        Assert.Null(catalog.NeedsRebuild);
        Assert.Equal(
            (model.Objects.Count, model.Objects.Values.Sum(entry => entry.Bytes)),
            (catalog.Count, catalog.Bytes));
        ObjectEntry[] expected = [.. model.Objects.Values];
        var listed = new List<ObjectEntry>();
        int limit = random.Next(1, 40);
        bool more;
        do
        {
            listed.AddRange(catalog.List("", listed.LastOrDefault()?.Name.Text, limit, out more));
        }
        while (more);
        Assert.Equal(expected.Length, listed.Count);
        for (int i = 0; i < expected.Length; i++)
        {
            AssertSame(expected[i], listed[i]);
            AssertSame(expected[i], catalog.Find(expected[i].Id));
        }

        string one = s_names[random.Next(s_names.Length)];
        AssertSame(model.Objects.GetValueOrDefault(NameKey.Of(one)), catalog.Find(Name(one)));
        Assert.Equal(model.Removed.GetValueOrDefault(one), catalog.RemovedMs(one));
        Assert.Equal(model.Removed.Count, catalog.ListRemoved(null, 1000).Count);
        int nowMs = random.Next(50);
        Assert.Equal(
            expected.Where(entry => entry.ExpiresMs != 0 && entry.ExpiresMs <= nowMs)
                .Select(entry => entry.Id.Value).Order(),
            catalog.Expired(nowMs, 1000).Select(entry => entry.Id.Value).Order());
    }

    private sealed record Model
    {
        public SortedDictionary<byte[], ObjectEntry> Objects { get; private init; } =
            new(ByteKeyComparer.Instance);

        public Dictionary<string, long> Removed { get; private init; } = [];

        public Model Copy() => new()
        {
            Objects = new SortedDictionary<byte[], ObjectEntry>(
                Objects, ByteKeyComparer.Instance),
            Removed = new Dictionary<string, long>(Removed),
        };
    }
}
