using System.Buffers.Binary;

namespace Pangea.DataPlane.Packets.Building;

/// <summary>
/// Builds the frame of a plan. Transport checksums stay 0, for no rule looks at them.
/// </summary>
internal static class FrameBuilder
{
    private const int FrameBytesMin = 60;
    private const int EthernetBytes = 14;
    private const int FragmentBytes = 8;
    private const byte FragmentHeader = 44;
    private const byte TcpAck = 16;

    /// <summary>Where the payload of a later fragment stood, in units of 8 bytes.</summary>
    private const int LaterOffset = 185;

    public static byte[] Build(FramePlan plan)
    {
        byte[] transport = plan.Protocol is null ? [] : Transport(plan);
        int head = EthernetBytes + (4 * plan.Tags.Count);
        int network = plan.EtherType is FrameWords.EtherArp ? 28
            : plan.EtherType is not null ? 0
            : !plan.IsV6 ? 20
            : plan.Fragment == FragmentKind.None ? 40 : 40 + FragmentBytes;
        int least = head + network + transport.Length;

        // Only what was asked for is packet; what Ethernet needs besides is padding behind it.
        int packetBytes = Math.Max(least, plan.FrameBytes ?? 0) - head;
        if (plan.Fragment == FragmentKind.First)
        {
            packetBytes = network + ((packetBytes - network + 7) & ~7);
        }

        byte[] frame = new byte[Math.Max(head + packetBytes, FrameBytesMin)];
        ushort etherType = plan.EtherType ?? (ushort)(plan.IsV6 ? 0x86dd : 0x0800);
        Ethernet(frame, plan.Tags, etherType);
        Span<byte> packet = frame.AsSpan(head, packetBytes);
        if (plan.EtherType is FrameWords.EtherArp)
        {
            Arp(packet, plan);
        }
        else if (plan.EtherType is null)
        {
            transport.CopyTo(packet[network..]);
            Network(packet, plan);
            if (plan.Protocol == FrameWords.Udp && plan.HasPorts)
            {
                Put(packet, network + 4, packetBytes - network);
            }
        }

        return frame;
    }

    private static void Ethernet(Span<byte> frame, List<ushort> tags, ushort etherType)
    {
        frame[0] = 2;
        frame[5] = 2;
        frame[6] = 2;
        frame[11] = 1;
        int at = 12;
        for (int i = 0; i < tags.Count; i++)
        {
            // All but the last tag are those of a provider (IEEE 802.1ad).
            Put(frame, at, i < tags.Count - 1 ? 0x88a8 : 0x8100);
            Put(frame, at + 2, tags[i]);
            at += 4;
        }

        Put(frame, at, etherType);
    }

    private static void Network(Span<byte> packet, FramePlan plan)
    {
        if (plan.IsV6)
        {
            Ipv6(packet, plan);
            return;
        }

        packet[0] = 0x45;
        Put(packet, 2, packet.Length);
        Put(packet, 6, plan.Fragment switch
        {
            FragmentKind.First => 0x2000,
            FragmentKind.Later => LaterOffset,
            _ => 0,
        });
        packet[8] = plan.Hops;
        packet[9] = plan.Protocol!.Value;
        plan.Source!.Address.TryWriteBytes(packet[12..], out _);
        plan.Destination!.Address.TryWriteBytes(packet[16..], out _);
        Put(packet, 10, HeaderSum(packet[..20]));
    }

    private static void Ipv6(Span<byte> packet, FramePlan plan)
    {
        packet[0] = 0x60;
        Put(packet, 4, packet.Length - 40);
        packet[6] = plan.Protocol!.Value;
        packet[7] = plan.Protocol == FrameWords.IcmpV6 && plan.IcmpTypeNumber is >= 133 and <= 137
            ? (byte)255 // Neighbour discovery is only believed from the link itself.
            : plan.Hops;
        plan.Source!.Address.TryWriteBytes(packet[8..], out _);
        plan.Destination!.Address.TryWriteBytes(packet[24..], out _);
        if (plan.Fragment != FragmentKind.None)
        {
            packet[40] = packet[6];
            packet[6] = FragmentHeader;
            Put(packet, 42, plan.Fragment == FragmentKind.First ? 1 : LaterOffset << 3);
        }
    }

    private static byte[] Transport(FramePlan plan)
    {
        if (plan.Fragment == FragmentKind.Later)
        {
            return new byte[16];
        }

        byte[] header = new byte[plan.Protocol switch
        {
            FrameWords.Tcp => 20,
            FrameWords.Sctp => 12,
            _ => 8,
        }];
        if (plan.HasPorts)
        {
            Put(header, 0, plan.SourcePort);
            Put(header, 2, plan.DestinationPort);
        }

        if (plan.Protocol == FrameWords.Tcp)
        {
            header[12] = 5 << 4;
            header[13] = plan.TcpFlags ?? TcpAck;
        }
        else if (plan.Protocol is FrameWords.Icmp or FrameWords.IcmpV6)
        {
            header[0] = plan.IcmpTypeNumber;
            header[1] = plan.IcmpCode;
        }

        return header;
    }

    private static void Arp(Span<byte> packet, FramePlan plan)
    {
        ReadOnlySpan<byte> request = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
        request.CopyTo(packet);
        plan.Source!.Address.TryWriteBytes(packet[14..], out _);
        plan.Destination!.Address.TryWriteBytes(packet[24..], out _);
    }

    private static int HeaderSum(ReadOnlySpan<byte> header)
    {
        uint sum = 0;
        for (int i = 0; i < header.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        }

        sum = (sum & 0xffff) + (sum >> 16);
        return (int)~(sum + (sum >> 16)) & 0xffff;
    }

    private static void Put(Span<byte> bytes, int at, int value) =>
        BinaryPrimitives.WriteUInt16BigEndian(bytes[at..], (ushort)value);
}
