namespace Pangea.DataPlane.Packets.Capture;

/// <summary>One frame of a capture file.</summary>
/// <param name="Bytes">The captured bytes, a view into the file's.</param>
/// <param name="FrameBytes">Length on the wire, at least that of <paramref name="Bytes"/>.</param>
/// <param name="TimeNs">Nanoseconds since 1970; 0 where the file has no time for it.</param>
/// <param name="InterfaceIndex">Number of the interface within the file, from 0.</param>
public readonly record struct CapturedFrame(
    ReadOnlyMemory<byte> Bytes, int FrameBytes, ulong TimeNs, int InterfaceIndex);
