using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// Time that this thread has run. It does not go on while a neighbour has the core, which wall time
/// does; only for cases that neither wait nor use other threads.
/// </summary>
internal static partial class ThreadClock
{
    private const int ClockThreadCpu = 3;

    /// <summary>Nanoseconds since the thread began.</summary>
    public static double Ns
    {
        get
        {
            clock_gettime(ClockThreadCpu, out Timespec time);
            return time.Seconds * 1e9 + time.Nanoseconds;
        }
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
