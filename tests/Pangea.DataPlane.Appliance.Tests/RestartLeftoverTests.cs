using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: however often a worker is replaced, in order or by its death, no descriptor, process,
/// mapping or memory of it stays. <c>PANGEA_RESTART_ROUNDS</c> sets how often; the benchmark area
/// "workers" does it a hundred times and more.
/// </summary>
public sealed class RestartLeftoverTests
{
    private const int RoundsDefault = 12;

    // What the collector and the C library may keep beside what is in use.
    private const long GrowthBytesMax = 24 << 20;

    private static int Rounds => int.TryParse(
        Environment.GetEnvironmentVariable("PANGEA_RESTART_ROUNDS"), out int rounds)
        ? rounds
        : RoundsDefault;

    [Fact]
    public void Nothing_is_left_over_after_restarts_and_deaths()
    {
        using Appliance appliance = Appliance.Start(["--redundancy", "2+1"]);
        using RpcClient client = appliance.Connect();

        // The first of each kind loads what every later one uses again.
        Restart(client);
        Kill(appliance);
        Leftovers before = Leftovers.Of(appliance);
        for (int i = 0; i < Rounds; i++)
        {
            if (i % 2 == 0)
            {
                Restart(client);
            }
            else
            {
                Kill(appliance);
            }
        }

        Leftovers after = Leftovers.Of(appliance);
        Assert.Equal(before.Descriptors, after.Descriptors);
        Assert.Equal(before.SharedMappings, after.SharedMappings);
        long growth = after.ResidentBytes - before.ResidentBytes;
        Assert.True(growth < GrowthBytesMax, $"{growth} bytes more after {Rounds} rounds");
    }

    private static void Restart(RpcClient client)
    {
        Result<WorkerRestartResult> restarted = client.Call(
            WorkerControlMethods.Restart, new WorkerIndexParameters { Index = 0 });
        Assert.True(restarted.IsOk, restarted.Fault?.ToString());
    }

    private static void Kill(Appliance appliance)
    {
        int pid = appliance.WorkerPid();
        Appliance.Signal(pid, "KILL");
        appliance.WaitFor(
            "another worker",
            () => appliance.Workers() is [{ State: WorkerState.Ready, Pid: { } other }]
                && other != pid);
    }

    /// <summary>What is compared; descriptors by what they lead to.</summary>
    private sealed record Leftovers(
        string Descriptors, int SharedMappings, long ResidentBytes)
    {
        internal static Leftovers Of(Appliance appliance)
        {
            int supervisor = appliance.SupervisorPid;

            return new Leftovers(
                string.Join("\n\n", Family(supervisor).Select(Settled)),
                File.ReadLines($"/proc/{supervisor}/maps")
                    .Count(line => line.Contains("/memfd:pangea", StringComparison.Ordinal)),
                long.Parse(File.ReadLines($"/proc/{supervisor}/status")
                    .Single(line => line.StartsWith("RssAnon:", StringComparison.Ordinal))
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]) * 1024);
        }

        /// <summary>A process, its children and theirs.</summary>
        private static IEnumerable<int> Family(int pid) =>
            Directory.GetDirectories($"/proc/{pid}/task")
                .SelectMany(task => File.ReadAllText(Path.Combine(task, "children"))
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .SelectMany(child => Family(int.Parse(child)))
                .Prepend(pid);

        /// <summary>
        /// The connection of the last look may still be open for a moment, and so may files that
        /// recovery has read.
        /// </summary>
        private static string Settled(int pid)
        {
            string descriptors = Describe(pid);
            for (int same = 0; same < 5; same++)
            {
                Thread.Sleep(100);
                string next = Describe(pid);
                same = next == descriptors ? same : -1;
                descriptors = next;
            }

            return descriptors;
        }

        /// <summary>Where it leads; empty where it was closed meanwhile.</summary>
        private static string TargetOf(string path)
        {
            try
            {
                return File.ResolveLinkTarget(path, false)?.Name ?? "";
            }
            catch (IOException)
            {
                return "";
            }
        }

        /// <summary>Without assemblies, which the runtime opens when it first needs them.</summary>
        private static string Describe(int pid)
        {
            IEnumerable<string> kinds = Directory.GetFileSystemEntries($"/proc/{pid}/fd")
                .Select(TargetOf)
                .Where(name => name.Length > 0)
                .Where(name => !name.EndsWith(".dll", StringComparison.Ordinal))
                .Select(name => name.Split(':')[0])
                .Select(name => name.All(char.IsAsciiHexDigit) ? "#" : name);
            return string.Join(
                '\n', kinds.GroupBy(kind => kind).OrderBy(group => group.Key)
                    .Select(group => $"{group.Key} {group.Count()}"));
        }
    }
}
