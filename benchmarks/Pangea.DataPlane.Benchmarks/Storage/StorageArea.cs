using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>The speed table of the storage engine, beside fio on the same file system.</summary>
public sealed class StorageArea : IBenchArea
{
    public string Name => "storage";

    public string Summary => "ring and storage service beside fio; catalog; start, memory";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        string directory = Environment.GetEnvironmentVariable("PANGEA_BENCH_DIRECTORY")
            ?? Path.Combine(Path.GetTempPath(), $"pangea-bench-{Environment.ProcessId}");
        string folder = Path.Combine(directory, "storage");
        Directory.CreateDirectory(folder);
        options.Progress($"files in {folder}; {Fio.Version ?? "fio is not installed"}");
        using (RingCases ring = new(options, folder, new ReactorOptions()))
        {
            foreach (BenchRow row in ring.Run())
            {
                yield return row;
            }
        }

        foreach (BenchRow row in new EngineCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new ManyObjectsCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new LogCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new ApplianceCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new SmallObjectCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new CatalogCases(options, folder).Run())
        {
            yield return row;
        }

        foreach (BenchRow row in new RebuildCases(options, folder).Run())
        {
            yield return row;
        }

        Directory.Delete(folder, recursive: true);
    }
}
