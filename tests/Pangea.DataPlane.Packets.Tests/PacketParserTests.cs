using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Packets.Tests;

public sealed class PacketParserTests
{
    private static readonly byte[] s_six = new byte[6];
    private static readonly UInt128 s_a = new(0x20010db8_00000000, 1);
    private static readonly UInt128 s_b = new(0x20010db8_00000000, 2);

    [Fact]
    public void Finds_addresses_ports_and_tags()
    {
        byte[] frame = new FrameBuilder().Vlan(7, service: true).Vlan(9)
            .Ipv4(0xc0000201, 0x0a000001, 6, FrameBuilder.Tcp(1234, 22, 0x02)).Bytes;
        PacketKey key = Parse(frame);
        Assert.Equal(
            new PacketKey
            {
                SourceLow = 0xc0000201,
                DestinationLow = 0x0a000001,
                FrameBytes = (uint)frame.Length,
                SourcePort = 1234,
                DestinationPort = 22,
                Vlan = 7,
                InnerVlan = 9,
                Protocol = 6,
                Icmp = PacketKey.NoIcmp,
                Family = PacketFamily.Ipv4,
                HasPorts = true,
                Syn = true,
            },
            key);
    }

    [Theory]
    [InlineData(0x02, true)]
    [InlineData(0x12, false)]
    [InlineData(0x10, false)]
    [InlineData(0xc2, true)]
    public void Syn_is_a_syn_without_an_ack(byte flags, bool syn) =>
        Assert.Equal(syn, Parse(FrameBuilder.Tcp4(1, 2, 3, 4, flags)).Syn);

    [Fact]
    public void Follows_eight_extension_headers_and_no_ninth()
    {
        byte[] udp = FrameBuilder.Udp(53, 5353, 0);
        for (int count = 0; count <= 10; count++)
        {
            byte next = 17;
            byte[] payload = udp;
            for (int i = 0; i < count; i++)
            {
                byte kind = (byte)(i % 2 == 0 ? 60 : 51);
                payload = FrameBuilder.Extension(kind, next, payload, i % 3);
                next = kind;
            }

            PacketKey key = Parse(new FrameBuilder().Ipv6(s_a, s_b, next, payload).Bytes);
            if (count <= PacketParser.ExtensionsMax)
            {
                Assert.Equal(MalformedKind.None, key.Malformed);
                Assert.Equal((53, 5353), (key.SourcePort, key.DestinationPort));
            }
            else
            {
                Assert.Equal(MalformedKind.ExtensionDepth, key.Malformed);
            }
        }
    }

    [Fact]
    public void Only_the_first_fragment_has_ports()
    {
        byte[] udp = [.. FrameBuilder.Udp(53, 99, 8)];
        PacketKey first = Parse(new FrameBuilder().Ipv4(1, 2, 17, udp, fragment: 0x2000).Bytes);
        PacketKey later = Parse(new FrameBuilder().Ipv4(1, 2, 17, udp, fragment: 0x0002).Bytes);
        Assert.Equal((FragmentKind.First, true), (first.Fragment, first.HasPorts));
        Assert.Equal((FragmentKind.Later, false), (later.Fragment, later.HasPorts));
        Assert.Equal((17, 0), (later.Protocol, later.DestinationPort));

        byte[] first6 = FrameBuilder.Extension(44, 17, udp, fragment: 1);
        byte[] later6 = FrameBuilder.Extension(44, 17, udp, fragment: 16);
        byte[] atomic = FrameBuilder.Extension(44, 17, udp);
        Assert.Equal(
            [FragmentKind.First, FragmentKind.Later, FragmentKind.None],
            new[] { first6, later6, atomic }.Select(payload =>
                Parse(new FrameBuilder().Ipv6(s_a, s_b, 44, payload).Bytes).Fragment));
    }

    [Fact]
    public void A_datagram_may_be_longer_than_its_first_fragment()
    {
        byte[] udp = FrameBuilder.Udp(53, 99, 8);
        udp[4] = 0x10;
        Assert.Equal(
            MalformedKind.None,
            Parse(new FrameBuilder().Ipv4(1, 2, 17, udp, fragment: 0x2000).Bytes).Malformed);
        Assert.Equal(
            MalformedKind.UdpLength,
            Parse(new FrameBuilder().Ipv4(1, 2, 17, udp).Bytes).Malformed);
    }

    [Theory]
    [InlineData(133, 255, 0, true)]
    [InlineData(137, 255, 0, true)]
    [InlineData(135, 64, 0, false)]
    [InlineData(135, 255, 1, false)]
    [InlineData(138, 255, 0, false)]
    [InlineData(128, 255, 0, false)]
    public void Neighbour_discovery_is_essential_when_it_comes_from_the_link(
        byte type, byte hopLimit, byte code, bool essential)
    {
        byte[] frame = new FrameBuilder()
            .Ipv6(s_a, s_b, 58, FrameBuilder.Icmp(type, code), hopLimit).Bytes;
        PacketKey key = Parse(frame);
        Assert.Equal(essential, key.Essential);
        Assert.Equal(256 + type, key.Icmp);
    }

    [Fact]
    public void Arp_is_essential_even_behind_tags() =>
        Assert.True(Parse(new FrameBuilder().Vlan(1).Vlan(2).EtherType(0x0806)
            .Add(new byte[28]).Bytes).Essential);

    public static TheoryData<MalformedKind, byte[]> Malformed()
    {
        byte[] udp = FrameBuilder.Udp(1, 2, 4);
        byte[] tcp = FrameBuilder.Tcp(1, 2, 0);
        FrameBuilder New() => new();
        FrameBuilder version = New().Ipv4(1, 2, 17, udp);
        version[14] = 0x55;
        FrameBuilder version6 = New().Ipv6(1, 2, 17, udp);
        version6[14] = 0x40;
        return new TheoryData<MalformedKind, byte[]>
        {
            { MalformedKind.FrameTruncated, New().Bytes[..13] },
            { MalformedKind.FrameTruncated, [] },
            { MalformedKind.VlanTruncated, New().Vlan(1).Bytes[..17] },
            { MalformedKind.VlanDepth, New().Vlan(1).Vlan(2).Vlan(3).Ipv4(1, 2, 17, udp).Bytes },
            { MalformedKind.Ipv4Truncated, New().Ipv4(1, 2, 17, udp).Bytes[..33] },
            { MalformedKind.Ipv4Truncated, New().Ipv4(1, 2, 17, udp, 15).Bytes[..60] },
            { MalformedKind.Ipv4Header, version.Bytes },
            { MalformedKind.Ipv4Header, New().Ipv4(1, 2, 17, udp, 4).Bytes },
            { MalformedKind.Ipv4Length, New().Ipv4(1, 2, 17, udp, totalBytes: 19).Bytes },
            { MalformedKind.Ipv4Length, New().Ipv4(1, 2, 17, udp, totalBytes: 33).Bytes },
            { MalformedKind.Ipv6Truncated, New().Ipv6(1, 2, 17, udp).Bytes[..53] },
            { MalformedKind.Ipv6Header, version6.Bytes },
            { MalformedKind.Ipv6Length, New().Ipv6(1, 2, 17, udp, payloadBytes: 13).Bytes },
            { MalformedKind.ExtensionTruncated, New().Ipv6(1, 2, 0, new byte[7]).Bytes },
            { MalformedKind.ExtensionTruncated, New().Ipv6(1, 2, 0, [17, 1, .. s_six]).Bytes },
            { MalformedKind.TransportTruncated, New().Ipv4(1, 2, 6, tcp[..19]).Bytes },
            { MalformedKind.TransportTruncated, New().Ipv4(1, 2, 17, udp[..7]).Bytes },
            { MalformedKind.TransportTruncated, New().Ipv4(1, 2, 132, udp[..11]).Bytes },
            { MalformedKind.TransportTruncated, New().Ipv4(1, 2, 1, [8, 0, 0]).Bytes },
            { MalformedKind.TransportTruncated, New().Ipv6(1, 2, 58, []).Bytes },
            { MalformedKind.TcpHeader, New().Ipv4(1, 2, 6, FrameBuilder.Tcp(1, 2, 0, 4)).Bytes },
            {
                MalformedKind.TcpHeader,
                New().Ipv4(1, 2, 6, FrameBuilder.Tcp(1, 2, 0, 6)[..20]).Bytes
            },
            { MalformedKind.UdpLength, New().Ipv4(1, 2, 17, [0, 1, 0, 2, 0, 7, 0, 0]).Bytes },
            { MalformedKind.FragmentBounds, New().Ipv4(1, 2, 17, udp, fragment: 0x2001).Bytes },
            { MalformedKind.FragmentBounds, New().Ipv4(1, 2, 17, [], fragment: 0x0001).Bytes },
            { MalformedKind.FragmentBounds, New().Ipv4(1, 2, 17, udp, fragment: 0x1fff).Bytes },
            {
                MalformedKind.FragmentBounds,
                New().Ipv6(1, 2, 44, FrameBuilder.Extension(44, 17, udp, fragment: 1)).Bytes
            },
        };
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void Says_how_a_packet_is_malformed(MalformedKind kind, byte[] frame) =>
        Assert.Equal(kind, Parse(frame).Malformed);

    [Fact]
    public void Padding_behind_the_packet_is_nothing()
    {
        byte[] frame = FrameBuilder.Udp4(1, 2, 3, 4);
        PacketKey padded = Parse([.. frame, .. new byte[20]]);
        Assert.Equal(Parse(frame), padded with { FrameBytes = (uint)frame.Length });
    }

    [Fact]
    public void A_captured_head_is_judged_by_the_length_of_the_whole_frame()
    {
        byte[] frame = new FrameBuilder()
            .Ipv4(1, 2, 17, FrameBuilder.Udp(7, 9, 1000)).Bytes;
        PacketParser.Parse(frame.AsSpan(0, 42), frame.Length, out PacketKey head);
        Assert.Equal(Parse(frame), head);
        PacketParser.Parse(frame.AsSpan(0, 42), 42, out PacketKey cut);
        Assert.Equal(MalformedKind.Ipv4Length, cut.Malformed);
    }

    [Fact]
    public void Any_bytes_are_parsed_without_a_fault_or_an_allocation()
    {
        // Goal: hostile frames of every length. A span ends exactly where the frame does, so a read
        // behind it would throw.
        FrameGenerator generator = new(new Random(77));
        byte[][] frames = [.. Enumerable.Range(0, 3000).Select(_ => generator.Next())];
        Parse(frames[0]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (byte[] frame in frames)
        {
            for (int length = 0; length <= frame.Length; length++)
            {
                PacketParser.Parse(frame.AsSpan(0, length), out PacketKey _);
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static PacketKey Parse(byte[] frame)
    {
        PacketParser.Parse(frame, out PacketKey key);
        return key;
    }
}
