using System.Globalization;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>Resident memory of a process by kind, in MiB (proc(5), status).</summary>
/// <param name="All">All of it.</param>
/// <param name="Anonymous">Its own: heap, stacks, buffers.</param>
/// <param name="File">Pages of files, shared with whoever maps them too.</param>
/// <param name="Shared">Shared memory, the runtime's double mapping of compiled code.</param>
internal readonly record struct ProcessMemory(
    double All, double Anonymous, double File, double Shared)
{
    internal static ProcessMemory Read(int pid)
    {
        string[] lines = System.IO.File.ReadAllLines($"/proc/{pid}/status");
        double Value(string name)
        {
            string line = lines.First(
                line => line.StartsWith(name + ":", StringComparison.Ordinal));
            string kibibytes = line[(name.Length + 1)..].Replace("kB", "").Trim();
            return double.Parse(kibibytes, CultureInfo.InvariantCulture) / 1024;
        }

        return new ProcessMemory(
            Value("VmRSS"), Value("RssAnon"), Value("RssFile"), Value("RssShmem"));
    }

    public override string ToString() =>
        $"anonymous {Anonymous:F0}, files {File:F0}, shared {Shared:F0}";
}
