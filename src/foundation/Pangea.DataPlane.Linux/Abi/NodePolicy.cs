using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

/// <summary>set_mempolicy(2), which the C library has no wrapper for.</summary>
internal static class NodePolicy
{
    internal const int MPOL_PREFERRED = 1;

    // Numbers from before 424 differ between architectures (asm/unistd_64.h, asm-generic).
    internal static nint SYS_set_mempolicy =>
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 237 : 238;

    internal static nint SYS_get_mempolicy =>
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 236 : 239;
}
