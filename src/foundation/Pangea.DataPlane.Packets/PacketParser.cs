using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Packets;

// HOT PATH. About 10 ns for TCP over IPv4: one pass over the headers, every read inside a slice
// whose length was checked once for its header.

/// <summary>
/// Finds the <see cref="PacketKey"/> of an Ethernet frame. It mirrors bpf/parse.h test by test: in
/// every frame, also a hostile one, both must find the same key and the same kind of malformation.
/// </summary>
public static class PacketParser
{
    /// <summary>Extension headers of IPv6 that are followed; one more is malformed.</summary>
    public const int ExtensionsMax = 8;

    private const int EtherIpv4 = 0x0800;
    private const int EtherArp = 0x0806;
    private const int EtherIpv6 = 0x86dd;
    private const int EtherVlan = 0x8100;
    private const int EtherServiceVlan = 0x88a8;
    private const int Icmp = 1;
    private const int Tcp = 6;
    private const int Udp = 17;
    private const int IcmpV6 = 58;
    private const int Sctp = 132;
    private const int DatagramBytesMax = 65535;

    /// <summary>Parses a frame that was captured as a whole.</summary>
    public static void Parse(ReadOnlySpan<byte> frame, out PacketKey key) =>
        Parse(frame, frame.Length, out key);

    /// <summary>
    /// Parses the captured head of a frame. Lengths are checked against the whole frame, headers
    /// must stand in the captured part.
    /// </summary>
    /// <param name="head">The captured bytes, from the destination MAC address on.</param>
    /// <param name="frameBytes">Length of the frame on the wire, at least that of the head.</param>
    /// <param name="key">The result; malformed packets have their kind in it.</param>
    public static void Parse(ReadOnlySpan<byte> head, int frameBytes, out PacketKey key)
    {
        key = default;
        key.FrameBytes = (uint)frameBytes;
        key.Vlan = PacketKey.NoVlan;
        key.InnerVlan = PacketKey.NoVlan;
        key.Protocol = PacketKey.NoProtocol;
        key.Icmp = PacketKey.NoIcmp;
        key.Family = PacketFamily.Other;
        if (head.Length < 14)
        {
            key.Malformed = MalformedKind.FrameTruncated;
            return;
        }

        int offset = 14;
        int etherType = BinaryPrimitives.ReadUInt16BigEndian(head[12..]);
        if (etherType is EtherVlan or EtherServiceVlan
            && !Tags(head, ref offset, ref etherType, ref key))
        {
            return;
        }

        if (etherType == EtherIpv4)
        {
            key.Family = PacketFamily.Ipv4;
            key.Malformed = Ipv4(head[offset..], frameBytes - offset, ref key);
        }
        else if (etherType == EtherIpv6)
        {
            key.Family = PacketFamily.Ipv6;
            key.Malformed = Ipv6(head[offset..], frameBytes - offset, ref key);
        }
        else
        {
            key.Essential = etherType == EtherArp;
        }
    }

    private static bool Tags(
        ReadOnlySpan<byte> head, ref int offset, ref int etherType, ref PacketKey key)
    {
        for (int depth = 0; depth < 2; depth++)
        {
            if (head.Length < offset + 4)
            {
                key.Malformed = MalformedKind.VlanTruncated;
                return false;
            }

            ReadOnlySpan<byte> tag = head.Slice(offset, 4);
            ushort id = (ushort)(BinaryPrimitives.ReadUInt16BigEndian(tag) & 0xfff);
            if (depth == 0)
            {
                key.Vlan = id;
            }
            else
            {
                key.InnerVlan = id;
            }

            etherType = BinaryPrimitives.ReadUInt16BigEndian(tag[2..]);
            offset += 4;
            if (etherType is not (EtherVlan or EtherServiceVlan))
            {
                return true;
            }
        }

        key.Malformed = MalformedKind.VlanDepth;
        return false;
    }

    private static MalformedKind Ipv4(ReadOnlySpan<byte> data, int wireBytes, ref PacketKey key)
    {
        if (data.Length < 20)
        {
            return MalformedKind.Ipv4Truncated;
        }

        int headerBytes = (data[0] & 15) * 4;
        if (data[0] >> 4 != 4 || headerBytes < 20)
        {
            return MalformedKind.Ipv4Header;
        }

        if (data.Length < headerBytes)
        {
            return MalformedKind.Ipv4Truncated;
        }

        int totalBytes = BinaryPrimitives.ReadUInt16BigEndian(data[2..]);
        if (totalBytes < headerBytes || totalBytes > wireBytes)
        {
            return MalformedKind.Ipv4Length;
        }

        key.SourceLow = BinaryPrimitives.ReadUInt32BigEndian(data[12..]);
        key.DestinationLow = BinaryPrimitives.ReadUInt32BigEndian(data[16..]);
        key.Protocol = data[9];
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(data[6..]) & 0x3fff;
        if (fragment != 0)
        {
            int offset = (fragment & 0x1fff) * 8;
            bool more = (fragment & 0x2000) != 0;
            if (!FragmentFits(offset, totalBytes - headerBytes, headerBytes, more))
            {
                return MalformedKind.FragmentBounds;
            }

            key.Fragment = offset != 0 ? FragmentKind.Later : FragmentKind.First;
            if (offset != 0)
            {
                return MalformedKind.None;
            }
        }

        return Transport(data, headerBytes, totalBytes, ref key);
    }

    /// <summary>A part may not be empty, nor end behind the largest datagram.</summary>
    private static bool FragmentFits(int offset, int payloadBytes, int headerBytes, bool more) =>
        payloadBytes > 0
        && offset + payloadBytes + headerBytes <= DatagramBytesMax
        && (!more || (payloadBytes & 7) == 0);

    private static MalformedKind Ipv6(ReadOnlySpan<byte> data, int wireBytes, ref PacketKey key)
    {
        if (data.Length < 40)
        {
            return MalformedKind.Ipv6Truncated;
        }

        if (data[0] >> 4 != 6)
        {
            return MalformedKind.Ipv6Header;
        }

        int end = 40 + BinaryPrimitives.ReadUInt16BigEndian(data[4..]);
        if (end > wireBytes)
        {
            return MalformedKind.Ipv6Length;
        }

        key.SourceHigh = BinaryPrimitives.ReadUInt64BigEndian(data[8..]);
        key.SourceLow = BinaryPrimitives.ReadUInt64BigEndian(data[16..]);
        key.DestinationHigh = BinaryPrimitives.ReadUInt64BigEndian(data[24..]);
        key.DestinationLow = BinaryPrimitives.ReadUInt64BigEndian(data[32..]);
        int next = data[6];
        int position = 40;
        if (IsExtension(next))
        {
            MalformedKind kind = Extensions(data, end, ref next, ref position, ref key);
            if (kind != MalformedKind.None)
            {
                return kind;
            }
        }

        key.Protocol = (ushort)next;
        if (key.Fragment == FragmentKind.Later)
        {
            return MalformedKind.None;
        }

        MalformedKind transport = Transport(data, position, end, ref key);

        // RFC 4861, 6.1 and 7.1: hop limit 255 proves that the sender is on the link; code is 0.
        // RFC 6980: never in fragments.
        if (transport == MalformedKind.None
            && key.Icmp is >= 256 + 133 and <= 256 + 137
            && data[7] == 255 && data[position + 1] == 0 && key.Fragment == FragmentKind.None)
        {
            key.Essential = true;
        }

        return transport;
    }

    private static bool IsExtension(int next) =>
        next is 0 or 43 or 44 or 51 or 60 or 135 or 139 or 140;

    /// <summary>
    /// Follows the chain. ESP (50) and "no next header" (59) end it like a transport protocol: what
    /// stands behind them cannot be read.
    /// </summary>
    private static MalformedKind Extensions(
        ReadOnlySpan<byte> data, int end, ref int next, ref int position, ref PacketKey key)
    {
        for (int count = 0; IsExtension(next); count++)
        {
            if (count == ExtensionsMax)
            {
                return MalformedKind.ExtensionDepth;
            }

            if (position + 8 > end || position + 8 > data.Length)
            {
                return MalformedKind.ExtensionTruncated;
            }

            ReadOnlySpan<byte> header = data.Slice(position, 8);
            int current = next;
            next = header[0];
            position += current switch
            {
                44 => 8,
                51 => (header[1] + 2) * 4, // RFC 4302: in words of 4, minus 2
                _ => (header[1] + 1) * 8,
            };
            if (position > end)
            {
                return MalformedKind.ExtensionTruncated;
            }

            if (current == 44)
            {
                int word = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
                int offset = word & 0xfff8;
                bool more = (word & 1) != 0;

                // Offset 0 without more is an atomic fragment, a whole datagram (RFC 6946).
                if (offset == 0 && !more)
                {
                    continue;
                }

                if (!FragmentFits(offset, end - position, 0, more))
                {
                    return MalformedKind.FragmentBounds;
                }

                key.Fragment = offset != 0 ? FragmentKind.Later : FragmentKind.First;
                if (offset != 0)
                {
                    return MalformedKind.None;
                }
            }
        }

        return MalformedKind.None;
    }

    /// <summary>
    /// Ports, type, SYN. The fixed header must stand inside the packet and the captured bytes;
    /// lengths that it names only bind a packet that is whole.
    /// </summary>
    /// <param name="data">From the first byte of the IP header on.</param>
    /// <param name="position">Where the transport header begins in it.</param>
    /// <param name="end">Where the packet ends in it, by its own length.</param>
    /// <param name="key">Takes what is found.</param>
    private static MalformedKind Transport(
        ReadOnlySpan<byte> data, int position, int end, ref PacketKey key)
    {
        int bytes = end - position;
        int readable = Math.Min(end, data.Length) - position;
        bool whole = key.Fragment == FragmentKind.None;
        int protocol = key.Protocol;
        if (protocol == Tcp)
        {
            if (readable < 20)
            {
                return MalformedKind.TransportTruncated;
            }

            ReadOnlySpan<byte> tcp = data.Slice(position, 20);
            Ports(tcp, ref key);
            int headerBytes = (tcp[12] >> 4) * 4;
            key.Syn = (tcp[13] & 0x12) == 0x02;
            return headerBytes < 20 || (whole && headerBytes > bytes)
                ? MalformedKind.TcpHeader
                : MalformedKind.None;
        }

        if (protocol == Udp)
        {
            if (readable < 8)
            {
                return MalformedKind.TransportTruncated;
            }

            ReadOnlySpan<byte> udp = data.Slice(position, 8);
            Ports(udp, ref key);
            int udpBytes = BinaryPrimitives.ReadUInt16BigEndian(udp[4..]);
            return udpBytes < 8 || (whole && udpBytes > bytes)
                ? MalformedKind.UdpLength
                : MalformedKind.None;
        }

        return OtherTransport(data, position, readable, ref key);
    }

    private static MalformedKind OtherTransport(
        ReadOnlySpan<byte> data, int position, int readable, ref PacketKey key)
    {
        bool isV6 = key.Family == PacketFamily.Ipv6;
        if (key.Protocol == (isV6 ? IcmpV6 : Icmp))
        {
            if (readable < 4)
            {
                return MalformedKind.TransportTruncated;
            }

            key.Icmp = (ushort)(data[position] + (isV6 ? PacketKey.IcmpV6 : 0));
            key.IcmpCode = data[position + 1];
        }
        else if (key.Protocol == Sctp)
        {
            if (readable < 12)
            {
                return MalformedKind.TransportTruncated;
            }

            Ports(data.Slice(position, 12), ref key);
        }

        return MalformedKind.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ports(ReadOnlySpan<byte> transport, ref PacketKey key)
    {
        key.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport);
        key.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(transport[2..]);
        key.HasPorts = true;
    }
}
