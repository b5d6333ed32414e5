using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Packets.Capture;

/// <summary>
/// The format of today (draft-ietf-opsawg-pcapng): blocks of type, length, body, length. Sections
/// may differ in byte order; each starts its interfaces anew.
/// </summary>
internal sealed class PcapngFile(ReadOnlyMemory<byte> bytes) : CaptureFile(bytes, false)
{
    private const uint SectionHeader = 0x0a0d0d0a;
    private const uint InterfaceDescription = 1;
    private const uint ObsoletePacket = 2;
    private const uint SimplePacket = 3;
    private const uint EnhancedPacket = 6;
    private const int InterfacesMax = 4096;
    private readonly List<CaptureInterface> _interfaces = [];

    public override Result<bool> TryRead(out CapturedFrame frame)
    {
        frame = default;
        while (Left > 0)
        {
            if (Left < 12)
            {
                return Damaged($"a block needs 12 bytes, {Left} are left");
            }

            // The type of a section header reads the same in both byte orders.
            bool isSection = Word(Position) == SectionHeader;
            if (isSection && StartSection() is Fault section)
            {
                return section;
            }

            uint blockBytes = Word(Position + 4);
            if (blockBytes < 12 || blockBytes > (uint)Left || (blockBytes & 3) != 0)
            {
                return Damaged($"a block of {blockBytes} bytes, {Left} are left");
            }

            if (isSection && blockBytes < 28)
            {
                return Damaged($"a section header of {blockBytes} bytes");
            }

            int body = Position + 8;
            int end = Position + (int)blockBytes - 4;
            if (Word(end) != blockBytes)
            {
                return Damaged("the two lengths of a block differ");
            }

            Result<bool> found = Block(Word(Position), body, end, out frame);
            if (!found.IsOk)
            {
                return found;
            }

            Position += (int)blockBytes;
            if (found.Value)
            {
                return true;
            }
        }

        return false;
    }

    private Fault? StartSection()
    {
        uint order = Word(Position + 8);
        if (order is not (0x1a2b3c4d or 0x4d3c2b1a))
        {
            return Damaged("a section header without its byte-order magic");
        }

        BigEndian ^= order == 0x4d3c2b1a;
        _interfaces.Clear();
        return null;
    }

    private Result<bool> Block(uint type, int body, int end, out CapturedFrame frame)
    {
        frame = default;
        switch (type)
        {
            case InterfaceDescription:
                return AddInterface(body, end) is Fault fault ? fault : false;
            case EnhancedPacket when end - body >= 20:
                return Frame(
                    Word(body), Word(body + 4), Word(body + 8), Word(body + 12), Word(body + 16),
                    body + 20, end, out frame);
            case ObsoletePacket when end - body >= 20:
                return Frame(
                    Half(body), Word(body + 4), Word(body + 8), Word(body + 12), Word(body + 16),
                    body + 20, end, out frame);
            case SimplePacket when end - body >= 4:
                uint length = Word(body);
                uint captured = Math.Min(length, (uint)(end - body - 4));
                if (_interfaces is [{ SnapBytes: > 0 } first, ..])
                {
                    captured = Math.Min(captured, first.SnapBytes);
                }

                return Frame(0, 0, 0, captured, length, body + 4, end, out frame);
            case EnhancedPacket or ObsoletePacket or SimplePacket:
                return Damaged("a packet block that ends within its fixed part");
            default:
                return false;
        }
    }

    private Fault? AddInterface(int body, int end)
    {
        if (end - body < 8)
        {
            return Damaged("an interface block that ends within its fixed part");
        }

        if (_interfaces.Count == InterfacesMax)
        {
            return Damaged($"more than {InterfacesMax} interfaces");
        }

        uint resolution = 6;
        for (int option = body + 8; option + 4 <= end;)
        {
            int code = Half(option);
            int bytes = Half(option + 2);
            if (code == 0)
            {
                break;
            }

            if (bytes > end - option - 4)
            {
                return Damaged("an option that ends behind its block");
            }

            if (code == 9 && bytes >= 1)
            {
                resolution = Bytes.Span[option + 4];
            }

            option += 4 + ((bytes + 3) & ~3);
        }

        _interfaces.Add(new CaptureInterface(Half(body), Word(body + 4), resolution));
        return null;
    }

    private Result<bool> Frame(
        uint interfaceIndex, uint timeHigh, uint timeLow, uint captured, uint frameBytes,
        int data, int end, out CapturedFrame frame)
    {
        frame = default;
        if (interfaceIndex >= _interfaces.Count)
        {
            return Damaged($"a frame of interface {interfaceIndex}, which is not described");
        }

        CaptureInterface source = _interfaces[(int)interfaceIndex];
        if (source.LinkType != LinkEthernet)
        {
            return WrongLink(source.LinkType);
        }

        if (captured > FrameBytesMax || captured > (uint)(end - data) || frameBytes > int.MaxValue)
        {
            return Damaged($"a frame of {captured} captured bytes, {end - data} are left");
        }

        frame = new CapturedFrame(
            Bytes.Slice(data, (int)captured),
            (int)Math.Max(captured, frameBytes),
            source.TimeNs(((ulong)timeHigh << 32) | timeLow),
            (int)interfaceIndex);
        return true;
    }

    /// <summary>What an interface block says.</summary>
    private readonly record struct CaptureInterface(
        uint LinkType, uint SnapBytes, uint Resolution)
    {
        /// <summary>Time in nanoseconds; a resolution is a negative power of 10 or of 2.</summary>
        public ulong TimeNs(ulong ticks)
        {
            UInt128 nanoseconds = (UInt128)ticks * 1_000_000_000;
            uint power = Resolution & 0x7f;
            if ((Resolution & 0x80) != 0)
            {
                return (ulong)(nanoseconds >> (int)power);
            }

            for (uint i = 0; i < power && nanoseconds != 0; i++)
            {
                nanoseconds /= 10;
            }

            return (ulong)nanoseconds;
        }
    }
}
