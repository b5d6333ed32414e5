using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux;

/// <summary>One range of a scatter or gather transfer; laid out as the kernel's iovec.</summary>
/// <param name="Address">First byte.</param>
/// <param name="Bytes">Length.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct IoVector(nint Address, nint Bytes);
