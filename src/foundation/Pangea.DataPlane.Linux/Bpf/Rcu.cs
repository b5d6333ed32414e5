using System.Diagnostics.CodeAnalysis;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
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
    /// under; some milliseconds. Kernels with nohz_full and some containers refuse it; there a map
    /// of maps is changed, which waits for the programs that may still use the old inner map.
    /// </summary>
    public static bool TryWait([NotNullWhen(false)] out Fault? fault)
    {
        fault = null;
        if (WaitByBarrier().IsOk)
        {
            return true;
        }

        SysResult result = WaitByMap();
        fault = result.IsOk ? null : result.Errno.ToFault("wait for running XDP programs");
        return result.IsOk;
    }

    internal static SysResult WaitByBarrier()
    {
        nint number = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
            == System.Runtime.InteropServices.Architecture.Arm64
                ? SYS_membarrier_ARM64
                : SYS_membarrier_X64;
        return Call.Of(LibC.membarrier(number, MEMBARRIER_CMD_GLOBAL, 0));
    }

    internal static unsafe SysResult WaitByMap()
    {
        const uint word = sizeof(uint);

        // SAFETY: options, key and value are locals that outlive the calls, which read as much of
        // them as sz and the sizes of the map say; null is "no name".
        var options = new bpf_map_create_opts { sz = (nuint)sizeof(bpf_map_create_opts) };
        int inner = Libbpf.bpf_map_create(
            Abi.Bpf.BPF_MAP_TYPE_ARRAY, null, word, word, 1, &options);
        if (inner < 0)
        {
            return new SysResult(inner);
        }

        using OwnedFd innerFd = new(inner);
        options.inner_map_fd = (uint)inner;
        int outer = Libbpf.bpf_map_create(
            Abi.Bpf.BPF_MAP_TYPE_ARRAY_OF_MAPS, null, word, word, 1, &options);
        if (outer < 0)
        {
            return new SysResult(outer);
        }

        using OwnedFd outerFd = new(outer);
        uint key = 0;
        return new SysResult(Libbpf.bpf_map_update_elem(outer, &key, &inner, 0));
    }
}
