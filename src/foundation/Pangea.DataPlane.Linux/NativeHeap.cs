using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>The C library's heap, where the runtime's compiler and native libraries live.</summary>
public static class NativeHeap
{
    /// <summary>
    /// Gives free pages of all its arenas back to the kernel (malloc_trim(3)), which free(3) does
    /// at the top of the heap only.
    /// </summary>
    public static void Trim() => _ = LibC.malloc_trim(0);
}
