using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// From which memory node a thread gets its pages (set_mempolicy(2)). Threads that it creates and
/// programs that it executes inherit the choice.
/// </summary>
public static class MemoryPolicy
{
    private const int Bits = 1024;

    /// <summary>
    /// Pages come from this node while it has some, from others after that: a preference, because a
    /// full node must not end a worker.
    /// </summary>
    public static unsafe Result Prefer(int node)
    {
        if (node is < 0 or >= Bits - 1)
        {
            return Fault.InvalidParameter("node", $"there is no memory node {node}");
        }

        ulong* mask = stackalloc ulong[Bits / 64];
        new Span<ulong>(mask, Bits / 64).Clear();
        mask[node / 64] = 1UL << (node % 64);

        // SAFETY: the kernel reads at most as many bits as the array has; one less, in fact
        // (get_nodes in mm/mempolicy.c), which the bound above allows for.
        nint result = LibC.syscallSetMemoryPolicy(
            NodePolicy.SYS_set_mempolicy, NodePolicy.MPOL_PREFERRED, mask, Bits);
        return result == 0
            ? Result.Ok
            : new Errno(Marshal.GetLastPInvokeError()).ToFault($"prefer memory node {node}");
    }

    /// <summary>The node that the calling thread prefers; null where it has none.</summary>
    public static unsafe int? Preferred()
    {
        int mode = 0;
        ulong* mask = stackalloc ulong[Bits / 64];
        new Span<ulong>(mask, Bits / 64).Clear();

        // SAFETY: the kernel writes one number and at most as many bits as the array has.
        nint result = LibC.syscallGetMemoryPolicy(
            NodePolicy.SYS_get_mempolicy, &mode, mask, Bits, null, 0);
        if (result != 0 || mode != NodePolicy.MPOL_PREFERRED)
        {
            return null;
        }

        for (int node = 0; node < Bits; node++)
        {
            if ((mask[node / 64] >> (node % 64) & 1) != 0)
            {
                return node;
            }
        }

        return null;
    }
}
