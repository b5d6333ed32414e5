using System.Buffers.Binary;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Packets.Capture;

/// <summary>
/// Reads the frames of a capture: pcap of both byte orders with microseconds or nanoseconds, and
/// pcapng. Everything in the file is checked before it is used; only Ethernet is understood.
/// </summary>
public abstract class CaptureFile
{
    private protected const int LinkEthernet = 1;

    /// <summary>The longest frame a file may hold; more is a damaged length.</summary>
    private protected const int FrameBytesMax = 256 * 1024;

    private protected CaptureFile(ReadOnlyMemory<byte> bytes, bool bigEndian)
    {
        Bytes = bytes;
        BigEndian = bigEndian;
    }

    private protected ReadOnlyMemory<byte> Bytes { get; }

    private protected bool BigEndian { get; set; }

    private protected int Position { get; set; }

    /// <summary>Recognizes the format. The bytes must stay as they are while it is read.</summary>
    public static Result<CaptureFile> Open(ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < 4)
        {
            return NotACapture();
        }

        uint magic = BinaryPrimitives.ReadUInt32BigEndian(span);
        return magic switch
        {
            0xa1b2c3d4 => PcapFile.Open(bytes, bigEndian: true, nanoseconds: false),
            0xd4c3b2a1 => PcapFile.Open(bytes, bigEndian: false, nanoseconds: false),
            0xa1b23c4d => PcapFile.Open(bytes, bigEndian: true, nanoseconds: true),
            0x4d3cb2a1 => PcapFile.Open(bytes, bigEndian: false, nanoseconds: true),
            0x0a0d0d0a => new PcapngFile(bytes),
            _ => NotACapture(),
        };
    }

    /// <summary>
    /// The next frame; false at the end. A fault says at which byte the file stops making sense.
    /// </summary>
    public abstract Result<bool> TryRead(out CapturedFrame frame);

    private protected int Left => Bytes.Length - Position;

    private protected uint Word(int offset) => BigEndian
        ? BinaryPrimitives.ReadUInt32BigEndian(Bytes.Span[offset..])
        : BinaryPrimitives.ReadUInt32LittleEndian(Bytes.Span[offset..]);

    private protected ushort Half(int offset) => BigEndian
        ? BinaryPrimitives.ReadUInt16BigEndian(Bytes.Span[offset..])
        : BinaryPrimitives.ReadUInt16LittleEndian(Bytes.Span[offset..]);

    private protected Fault Damaged(string what) =>
        new(FaultCode.Corrupt, $"the capture is damaged at byte {Position}: {what}");

    private protected static Fault WrongLink(uint linkType) =>
        new(FaultCode.Unsupported,
            $"the capture has link type {linkType}, only Ethernet (1) can be judged");

    private static Fault NotACapture() =>
        new(FaultCode.InvalidParameters, "the file is neither pcap nor pcapng");
}
