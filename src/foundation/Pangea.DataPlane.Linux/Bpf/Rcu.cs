using System.Diagnostics.CodeAnalysis;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// Waits until every program that now runs in the kernel has ended: what none of them can have seen
/// since may then be overwritten.
/// </summary>
public static class Rcu
{
    private const nint SYS_membarrier_X64 = 324;
    private const nint SYS_membarrier_ARM64 = 283;
    private const int MEMBARRIER_CMD_GLOBAL = 1;

    /// <summary>
    /// membarrier(2) with the global command is a grace period of RCU, which XDP programs run
    /// under; some milliseconds. Refused on kernels with nohz_full.
    /// </summary>
    public static bool TryWait([NotNullWhen(false)] out Fault? fault)
    {
        nint number = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
            == System.Runtime.InteropServices.Architecture.Arm64
                ? SYS_membarrier_ARM64
                : SYS_membarrier_X64;
        SysResult result = Call.Of(LibC.membarrier(number, MEMBARRIER_CMD_GLOBAL, 0));
        fault = result.IsOk ? null : result.Errno.ToFault("wait for running XDP programs");
        return result.IsOk;
    }
}
