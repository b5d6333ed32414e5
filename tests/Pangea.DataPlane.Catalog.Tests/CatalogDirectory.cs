using System.Collections.Immutable;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>A directory for one test's catalog, and entries to put there.</summary>
internal sealed class CatalogDirectory : IDisposable
{
    public string Path { get; } =
        Directory.CreateTempSubdirectory("pangea-catalog-").FullName;

    public string DataFile => System.IO.Path.Combine(Path, "data.mdb");

    public ObjectCatalog Open(CatalogOptions? options = null)
    {
        Result<ObjectCatalog> opened = ObjectCatalog.Open(Path, options);
        Assert.True(opened.IsOk, opened.Fault?.ToString());
        Assert.Null(opened.Value.NeedsRebuild);
        return opened.Value;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    public static ObjectName Name(string text) => ObjectName.Parse(text).Value;

    public static ObjectEntry Entry(
        string name, long bytes = 1, long createdMs = 1, long expiresMs = 0, long ttlMs = 0,
        int positions = 12) =>
        new(
            Name(name),
            ObjectId.New(),
            createdMs,
            bytes,
            2 * bytes,
            8,
            4,
            expiresMs,
            ttlMs,
            default,
            [.. Enumerable.Range(0, positions).Select(position => position % 5 == 4
                ? ShardLocation.None
                : new ShardLocation(
                    (byte)position,
                    (uint)bytes + 7,
                    ((uint)position * 4096) + ((uint)bytes % 1000 * 64),
                    704))]);

    /// <summary>Equal in everything, locations by content.</summary>
    public static void AssertSame(ObjectEntry? expected, ObjectEntry? actual)
    {
        if (expected is null || actual is null)
        {
            Assert.Equal(expected, actual);
            return;
        }

        Assert.Equal(expected.Locations.AsEnumerable(), actual.Locations.AsEnumerable());
        ImmutableArray<ShardLocation> none = [];
        Assert.Equal(expected with { Locations = none }, actual with { Locations = none });
    }
}
