using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>kill(2).</summary>
internal static partial class Signals
{
    internal const int Kill = 9;
    internal const int Term = 15;

    internal static void Send(int pid, int signal) => _ = kill(pid, signal);

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
