namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// A storage service in a process of its own, so that it can be killed in the middle of its work.
/// </summary>
internal static class EngineChild
{
    internal const string Word = "storage-engine-child";
    internal const string Filled = "filled";
    internal const int Clients = 64;
    internal const int ObjectBytes = 4096;

    /// <summary>On a slow machine the area has to end too; it says how many there are.</summary>
    private static readonly TimeSpan s_fillTimeMax = TimeSpan.FromSeconds(240);

    /// <summary>
    /// Puts the objects, says "filled" and how many, and goes on putting until it is killed.
    /// </summary>
    internal static int Run(string folder, long objects)
    {
        EngineRig rig = new(folder);
        PutLoad load = new(rig, ObjectBytes) { NamesMax = objects };
        PutFigures filled = load.RunCount(Clients, objects, s_fillTimeMax);
        Console.WriteLine($"{Filled} {filled.Objects}");
        load.RunCount(Clients, long.MaxValue / 2, TimeSpan.MaxValue);
        return 0;
    }
}
