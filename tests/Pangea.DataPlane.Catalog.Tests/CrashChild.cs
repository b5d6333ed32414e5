using System.Diagnostics;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// The process that is killed: it goes from state to state, each determined by its number, makes a
/// checkpoint of each and then says its number. Started as
/// <c>dotnet Pangea.DataPlane.Catalog.Tests.dll crash DIRECTORY</c>; with <c>die</c> it only opens.
/// </summary>
internal static class CrashChild
{
    private const int NamesMax = 3000;
    private const int ChangesPerState = 200;

    public static int Main(string[] arguments)
    {
        if (arguments is ["die", string opened])
        {
            // As a process that meets a page it cannot survive.
            ObjectCatalog catalog = ObjectCatalog.Open(opened).Value;
            Console.WriteLine(catalog.NeedsRebuild?.Message);
            Process.GetCurrentProcess().Kill();
        }

        if (arguments is not ["crash", string directory])
        {
            return 64;
        }

        RunAsync(directory).GetAwaiter().GetResult();
        return 0;
    }

    /// <summary>Applies the changes that lead from state number - 1 to state number.</summary>
    public static void Step(int number, Action<string, long> set, Action<string> remove)
    {
        var random = new Random(number);
        for (int i = 0; i < ChangesPerState; i++)
        {
            string name = $"n{random.Next(NamesMax):D4}";
            if (random.Next(3) == 0)
            {
                remove(name);
            }
            else
            {
                set(name, (number * 1000L) + i);
            }
        }
    }

    private static async Task RunAsync(string directory)
    {
        using ObjectCatalog catalog = ObjectCatalog.Open(directory).Value;
        int number = (int)catalog.Marks.SingleOrDefault().Segment;
        Console.WriteLine(number);
        while (true)
        {
            number++;
            Step(
                number,
                (name, bytes) => catalog.Set(Entry(name, bytes, expiresMs: bytes)),
                name => catalog.Remove(Name(name)));
            Result written = await catalog.CheckpointAsync([new LogMark(0, (uint)number, 0)]);
            Invariant.Check(written.IsOk);
            Console.WriteLine(number);
        }
    }
}
