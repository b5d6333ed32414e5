using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// On which cores the calling thread may run (sched_setaffinity(2)). Threads that it creates and
/// programs that it executes inherit the set.
/// </summary>
public static class CoreAffinity
{
    private const int CoresMax = 16 * 64;

    /// <summary>Core numbers, ascending.</summary>
    public static unsafe Result<IReadOnlyList<int>> Get()
    {
        cpu_set mask = default;

        // SAFETY: the kernel writes at most the bytes we name, the size of the struct.
        if (LibC.sched_getaffinity(0, (nuint)sizeof(cpu_set), &mask) < 0)
        {
            return new Errno(Marshal.GetLastPInvokeError()).ToFault("read the core affinity");
        }

        List<int> cores = [];
        for (int core = 0; core < CoresMax; core++)
        {
            if ((mask[core / 64] >> (core % 64) & 1) != 0)
            {
                cores.Add(core);
            }
        }

        return cores;
    }

    /// <summary>Confines the calling thread to the given cores.</summary>
    public static unsafe Result Set(params ReadOnlySpan<int> cores)
    {
        cpu_set mask = default;
        foreach (int core in cores)
        {
            if (core is < 0 or >= CoresMax)
            {
                return Fault.InvalidParameter("core", $"there is no core {core}");
            }

            mask[core / 64] |= 1UL << (core % 64);
        }

        // SAFETY: the kernel reads the struct's own bytes.
        if (LibC.sched_setaffinity(0, (nuint)sizeof(cpu_set), &mask) < 0)
        {
            return new Errno(Marshal.GetLastPInvokeError()).ToFault(
                $"run on core {string.Join(", ", cores.ToArray())}",
                "name cores that are online and inside this process's cpuset");
        }

        return Result.Ok;
    }
}
