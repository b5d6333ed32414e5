using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>A tree as the kernel shows it below /sys/devices/system, of a machine that is not
/// here.</summary>
internal sealed class MadeUpMachine : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("pangea-machine-");

    /// <summary>
    /// Nodes of the same kind; the second threads of all cores have the higher half of the numbers.
    /// </summary>
    internal MadeUpMachine(int nodes, int coresPerNode, int threads, params int[] offline)
    {
        int physical = nodes * coresPerNode;
        Count = physical * threads;
        int[] online = [.. Enumerable.Range(0, Count).Except(offline)];
        string cpus = Directory.CreateDirectory(Path.Combine(_root.FullName, "cpu")).FullName;
        File.WriteAllText(Path.Combine(cpus, "online"), CoreList.Format(online) + "\n");
        File.WriteAllText(Path.Combine(cpus, "present"), $"0-{Count - 1}\n");
        foreach (int core in online)
        {
            string own = Path.Combine(cpus, $"cpu{core}");
            string topology = Directory.CreateDirectory(Path.Combine(own, "topology")).FullName;
            int[] siblings = [.. online.Where(other => other % physical == core % physical)];
            File.WriteAllText(
                Path.Combine(topology, "thread_siblings_list"), CoreList.Format(siblings) + "\n");
            int node = core % physical / coresPerNode;
            File.CreateSymbolicLink(Path.Combine(own, $"node{node}"), $"../../node/node{node}");
        }
    }

    /// <summary>Logical processors, those that are offline included.</summary>
    internal int Count { get; }

    internal CpuTopology Topology => CpuTopology.Read(_root.FullName, []);

    public void Dispose() => _root.Delete(recursive: true);
}
