using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux;

/// <summary>One logical processor, which everything here calls a core.</summary>
/// <param name="Number">The kernel's number of it.</param>
/// <param name="Node">The memory node it is nearest to; 0 where the machine tells of none.</param>
/// <param name="Siblings">
/// Logical processors of the same physical core, itself included, ascending.
/// </param>
public sealed record CpuCore(int Number, int Node, IReadOnlyList<int> Siblings);

/// <summary>
/// Which cores there are and how they hang together, as <c>/sys/devices/system/cpu</c> tells it
/// (sysfs-devices-system-cpu of the kernel's documents).
/// </summary>
/// <param name="Online">The cores that run, ascending by number.</param>
/// <param name="Present">Numbers of all cores, those that are offline included.</param>
public sealed record CpuTopology(IReadOnlyList<CpuCore> Online, IReadOnlyList<int> Present)
{
    /// <summary>Where the kernel tells of its devices.</summary>
    public const string SystemRoot = "/sys/devices/system";

    /// <summary>Memory nodes with cores.</summary>
    public int NodeCount => Online.Select(core => core.Node).Distinct().Count();

    /// <summary>The core of that number; null where it does not run.</summary>
    public CpuCore? Find(int number) => Online.FirstOrDefault(core => core.Number == number);

    /// <summary>
    /// Reads a tree such as <see cref="SystemRoot"/>. What a container hides is made up for: cores
    /// without known siblings stand alone, those without a node are on node 0, and without any tree
    /// the fallback's cores are all there are.
    /// </summary>
    /// <param name="systemRoot">A directory with <c>cpu/</c> in it.</param>
    /// <param name="fallback">Cores to believe in where the tree says nothing.</param>
    public static CpuTopology Read(string systemRoot, IReadOnlyList<int> fallback)
    {
        string root = Path.Combine(systemRoot, "cpu");
        int[] online = ReadList(Path.Combine(root, "online"));
        online = online.Length > 0 ? online : [.. fallback];
        int[] present = ReadList(Path.Combine(root, "present"));
        return new CpuTopology(
            [.. online.Select(number => ReadCore(root, number, online))],
            [.. present.Union(online).Order()]);
    }

    /// <summary>A machine that is known by its cores' numbers only.</summary>
    public static CpuTopology Flat(IReadOnlyList<int> cores) =>
        new([.. cores.Select(number => new CpuCore(number, 0, [number]))], cores);

    private static CpuCore ReadCore(string root, int number, int[] online)
    {
        string directory = Path.Combine(
            root, string.Create(CultureInfo.InvariantCulture, $"cpu{number}"));
        int[] siblings = ReadList(Path.Combine(directory, "topology", "thread_siblings_list"));
        int[] together = [.. siblings.Append(number).Intersect(online).Order()];
        return new CpuCore(number, ReadNode(directory), together);
    }

    /// <summary>A core's directory has a link named after its node.</summary>
    private static int ReadNode(string directory)
    {
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(directory, "node*"))
            {
                if (int.TryParse(
                    Path.GetFileName(path).AsSpan("node".Length),
                    NumberStyles.None,
                    CultureInfo.InvariantCulture,
                    out int node))
                {
                    return node;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Hidden from us: one node is what most machines have.
        }

        return 0;
    }

    private static int[] ReadList(string path)
    {
        try
        {
            return [.. CoreList.Parse(File.ReadAllText(path).Trim())];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
