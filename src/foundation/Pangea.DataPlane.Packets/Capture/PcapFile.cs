using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Packets.Capture;

/// <summary>
/// The classic format (draft-ietf-opsawg-pcap): a header of 24 bytes, then 16 bytes before each
/// frame.
/// </summary>
internal sealed class PcapFile : CaptureFile
{
    private const int HeaderBytes = 24;
    private const int RecordBytes = 16;
    private readonly uint _fractionNs;

    private PcapFile(ReadOnlyMemory<byte> bytes, bool bigEndian, bool nanoseconds)
        : base(bytes, bigEndian)
    {
        _fractionNs = nanoseconds ? 1u : 1000u;
        Position = HeaderBytes;
    }

    public static Result<CaptureFile> Open(
        ReadOnlyMemory<byte> bytes, bool bigEndian, bool nanoseconds)
    {
        PcapFile file = new(bytes, bigEndian, nanoseconds);
        if (bytes.Length < HeaderBytes)
        {
            file.Position = 0;
            return file.Damaged($"the header needs {HeaderBytes} bytes, has {bytes.Length}");
        }

        // The high bits tell about a frame check sequence, which does not matter here.
        uint linkType = file.Word(20) & 0xffff;
        return linkType == LinkEthernet ? file : WrongLink(linkType);
    }

    public override Result<bool> TryRead(out CapturedFrame frame)
    {
        frame = default;
        if (Left == 0)
        {
            return false;
        }

        if (Left < RecordBytes)
        {
            return Damaged($"a record header needs {RecordBytes} bytes, {Left} are left");
        }

        ulong timeNs = (Word(Position) * 1_000_000_000UL)
            + (Word(Position + 4) * (ulong)_fractionNs);
        uint captured = Word(Position + 8);
        uint frameBytes = Word(Position + 12);
        if (captured > FrameBytesMax || frameBytes > int.MaxValue)
        {
            return Damaged($"a frame of {captured} captured bytes, at most {FrameBytesMax}");
        }

        if (captured > Left - RecordBytes)
        {
            return Damaged($"a frame of {captured} bytes, {Left - RecordBytes} are left");
        }

        frame = new CapturedFrame(
            Bytes.Slice(Position + RecordBytes, (int)captured),
            (int)Math.Max(captured, frameBytes),
            timeNs,
            0);
        Position += RecordBytes + (int)captured;
        return true;
    }
}
