using System.Text;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage.Tests;

/// <summary>
/// Goal: the catalog lists what a plain sorted list would, page by page. Method: random names
/// against it.
/// </summary>
public sealed class ObjectCatalogTests
{
    private static ObjectEntry Entry(string name, long bytes = 1, long createdMs = 1) => new(
        ObjectName.Parse(name).Value, ObjectId.New(), createdMs, bytes, 2 * bytes, 8, 0xFFF);

    [Fact]
    public void Lists_every_prefix_and_page_as_a_sorted_list_does()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var catalog = new ObjectCatalog();
        var names = new HashSet<string>();
        const string alphabet = "ab/é\U0001f600\uffee0";
        var letters = alphabet.EnumerateRunes().ToArray();
        for (int i = 0; i < 300; i++)
        {
            var name = new StringBuilder();
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                name.Append(letters[random.Next(letters.Length)].ToString());
            }

            names.Add(name.ToString());
            catalog.Set(Entry(name.ToString()));
        }

        foreach (string prefix in new[] { "", "a", "a/", "é", "\U0001f600", "zz", "ab" })
        {
            string[] expected = names
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .OrderBy(name => name, Comparer<string>.Create((a, b) =>
                    Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(
                        Encoding.UTF8.GetBytes(b))))
                .ToArray();
            var listed = new List<string>();
            string? after = null;
            bool more;
            do
            {
                List<ObjectEntry> page = catalog.List(prefix, after, 7, out more);
                Assert.True(page.Count <= 7);
                Assert.True(!more || page.Count == 7);
                listed.AddRange(page.Select(entry => entry.Name.Text));
                after = listed.LastOrDefault();
            }
            while (more);
            Assert.True(expected.SequenceEqual(listed), $"prefix \"{prefix}\", seed {seed}");
        }
    }

    [Fact]
    public void Continues_after_a_name_that_was_removed_meanwhile()
    {
        var catalog = new ObjectCatalog();
        foreach (string name in new[] { "a", "b", "c" })
        {
            catalog.Set(Entry(name));
        }

        catalog.Remove(ObjectName.Parse("b").Value);

        Assert.Equal("c", Assert.Single(catalog.List("", "b", 10, out _)).Name.Text);
    }

    [Fact]
    public void Keeps_its_sums_over_replacing_and_removing()
    {
        var catalog = new ObjectCatalog();
        catalog.Set(Entry("x", 10));
        ObjectEntry? replaced = catalog.Set(Entry("x", 30));
        catalog.Set(Entry("y", 5));
        catalog.Remove(ObjectName.Parse("y").Value);

        Assert.Equal(10, replaced!.Bytes);
        Assert.Equal((1, 30L, 60L), (catalog.Count, catalog.Bytes, catalog.StoredBytes));
        Assert.Null(catalog.Remove(ObjectName.Parse("unknown").Value));
    }
}
