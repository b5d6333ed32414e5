using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>The storage service: small durable puts.</summary>
internal sealed class EngineCases(BenchOptions options, string folder)
{
    private const double PutsGoal = 20_000;

    internal IEnumerable<BenchRow> Run()
    {
        const string PutsName = "durable 4 KiB puts";
        if (options.Wants(PutsName))
        {
            foreach (BenchRow row in Puts(PutsName))
            {
                yield return row;
            }
        }
    }

    private IEnumerable<BenchRow> Puts(string name)
    {
        string state = Path.Combine(folder, "puts");
        TimeSpan time = TimeSpan.FromSeconds(options.Quick ? 1 : 4);
        PutFigures many;
        PutFigures one;
        using (EngineRig rig = new(state))
        {
            PutLoad load = new(rig, EngineChild.ObjectBytes) { NamesMax = 200_000 };
            load.RunFor(EngineChild.Clients, time);
            many = load.RunFor(EngineChild.Clients, time);
            one = load.RunFor(1, time / 2);
        }

        Directory.Delete(state, recursive: true);
        yield return BenchRow.Alone(
            $"{name}, {EngineChild.Clients} clients", many.PerSecond, "objects/s", PutsGoal,
            note: "8+4 on twelve directories of one disk");
        yield return new BenchRow(
            $"{name}, one client", one.PerSecond, FlushesPerSecond(), "objects/s", null,
            $"{Fio.Version}, flushed 4 KiB writes to one file");
        yield return BenchRow.Alone(
            $"{name}, CPU per put", many.CpuPerPut, "us", null, higherIsBetter: false,
            "all threads, the kernel's flushing ones included");
        yield return BenchRow.Alone(
            $"{name}, allocated per put", many.AllocatedPerPut, "B", 0, higherIsBetter: false,
            "beyond what the call brings; 384 are the catalog's entry, 56 the BCL's AEAD");
    }

    private double FlushesPerSecond()
    {
        if (Fio.Version is null)
        {
            return double.NaN;
        }

        const long bytes = 64L << 20;
        string file = Path.Combine(folder, "flush.dat");
        RingCases.PrepareFile(file, bytes);
        IoFigures figures = Fio.Run(
            file, bytes, TimeSpan.FromSeconds(1), "--rw=write", "--bs=4k", "--iodepth=1",
            "--fdatasync=1");
        File.Delete(file);
        return figures.OperationsPerSecond;
    }
}
