using Pangea.DataPlane.Benchmarks.Appliance;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// A storage service in a process of its own, so that it can be killed in the middle of its work
/// and its memory be told from the benchmark's.
/// </summary>
internal static class EngineChild
{
    internal const string Word = "storage-engine-child";
    internal const string Fill = "fill";
    internal const string Serve = "serve";
    internal const int Clients = 64;
    internal const int ObjectBytes = 4096;

    /// <summary>On a slow machine the area has to end too; it says how many there are.</summary>
    private static readonly TimeSpan s_fillTimeMax = TimeSpan.FromSeconds(150);

    /// <summary>
    /// Says "serving" with the entries that recovery read; then, filling, puts the objects, says
    /// "filled" and goes on putting until it is killed; serving, puts for two seconds and says what
    /// memory it has.
    /// </summary>
    internal static int Run(string folder, long objects, string mode)
    {
        EngineRig rig = new(folder);
        Console.WriteLine($"serving {rig.EntriesReplayed} {rig.Service.Catalog.Count}");
        PutLoad load = new(rig, ObjectBytes) { NamesMax = objects };
        if (mode == Fill)
        {
            PutFigures filled = load.RunCount(Clients, objects, s_fillTimeMax);
            Console.WriteLine($"filled {filled.Objects}");
            load.RunCount(Clients, long.MaxValue / 2, TimeSpan.MaxValue);
        }

        PutFigures served = load.RunFor(Clients, TimeSpan.FromSeconds(2));
        Console.WriteLine(FormattableString.Invariant(
            $"memory {RunningAppliance.PeakMebibytes(Environment.ProcessId)} {served.PerSecond}"));
        return 0;
    }
}
