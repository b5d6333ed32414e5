using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>The kernel's clocks as far as BPF programs count by them.</summary>
public static unsafe class KernelClock
{
    private const int CLOCK_MONOTONIC_COARSE = 6;
    private const int CLOCK_BOOTTIME = 7;

    /// <summary>
    /// Length of a jiffy: the resolution of the coarse clocks, which advance with it.
    /// </summary>
    public static ulong TickNs
    {
        get
        {
            timespec tick = default;

            // SAFETY: the call writes one struct, this local.
            return LibC.clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0
                ? Nanoseconds(tick)
                : 4_000_000;
        }
    }

    /// <summary>Time since the machine started, with suspensions.</summary>
    public static ulong BootNs
    {
        get
        {
            timespec now = default;

            // SAFETY: the call writes one struct, this local.
            return LibC.clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? Nanoseconds(now) : 0;
        }
    }

    private static ulong Nanoseconds(in timespec time) =>
        ((ulong)time.tv_sec * 1_000_000_000) + (ulong)time.tv_nsec;
}
