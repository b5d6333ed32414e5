using Pangea.DataPlane.Core;
using Pangea.DataPlane.Packets.Building;

namespace Pangea.DataPlane.Packets.Tests;

/// <summary>Goal: a packet in words becomes the frame that the parser reads as the same.</summary>
public sealed class FrameTextTests
{
    [Theory]
    [InlineData("udp 192.0.2.1:5000 > 198.51.100.1:53", 17, 5000, 53)]
    [InlineData("192.0.2.1>198.51.100.1:53 udp", 17, 40000, 53)]
    [InlineData("tcp [2001:db8::1]:4000 > [2001:db8::2]:22", 6, 4000, 22)]
    [InlineData("sctp 192.0.2.1:1 > 192.0.2.2:2", 132, 1, 2)]
    [InlineData("tcp fragment first 192.0.2.1 > 192.0.2.2:22", 6, 40000, 22)]
    public void Ports_and_protocol_are_read_back(string text, int protocol, int from, int to)
    {
        PacketKey key = Parse(text);
        Assert.Equal(
            (protocol, from, to), (key.Protocol, key.SourcePort, key.DestinationPort));
        Assert.True(key.HasPorts);
        Assert.Equal(text.Contains('[') ? PacketFamily.Ipv6 : PacketFamily.Ipv4, key.Family);
    }

    [Fact]
    public void Addresses_are_read_back()
    {
        PacketKey key = Parse("proto 47 192.0.2.1 > 198.51.100.7");
        Assert.Equal((0xc0000201UL, 0xc6336407UL), (key.SourceLow, key.DestinationLow));
        PacketKey key6 = Parse("proto 47 2001:db8::1 > 2001:db8::2");
        Assert.Equal((0x20010db800000000UL, 2UL), (key6.SourceHigh, key6.DestinationLow));
    }

    [Fact]
    public void Flags_types_tags_and_fragments_are_read_back()
    {
        Assert.True(Parse("tcp syn 192.0.2.1 > 192.0.2.2:22").Syn);
        Assert.False(Parse("tcp syn ack 192.0.2.1 > 192.0.2.2:22").Syn);
        Assert.False(Parse("tcp 192.0.2.1 > 192.0.2.2:22").Syn);
        Assert.Equal(8, Parse("icmp 192.0.2.1 > 192.0.2.2").Icmp);
        Assert.Equal(3, Parse("icmp type unreachable/4 192.0.2.1 > 192.0.2.2").Icmp);
        Assert.Equal(256 + 2, Parse("icmpv6 type too-big ::1 > ::2").Icmp);
        PacketKey tagged = Parse("vlan 10 vlan 20 udp 192.0.2.1 > 192.0.2.2:1");
        Assert.Equal((10, 20), (tagged.Vlan, tagged.InnerVlan));
        foreach (string later in (string[])
            ["udp fragment later 192.0.2.1 > 192.0.2.2", "udp fragment later ::1 > ::2"])
        {
            PacketKey key = Parse(later);
            Assert.Equal((FragmentKind.Later, false), (key.Fragment, key.HasPorts));
        }

        Assert.Equal(FragmentKind.First, Parse("udp fragment first ::1 > [::2]:5").Fragment);
    }

    [Fact]
    public void Frames_have_the_length_that_was_asked_for()
    {
        Assert.Equal(60, FrameText.ToFrame("udp 192.0.2.1 > 192.0.2.2:1").Value.Length);
        Assert.Equal(
            1400, FrameText.ToFrame("udp bytes 1400 192.0.2.1 > 192.0.2.2:1").Value.Length);
        Assert.Equal(74, FrameText.ToFrame("bytes 1 tcp ::1 > [::2]:1").Value.Length);
    }

    [Fact]
    public void Neighbours_are_essential_and_other_frames_are_not_ip()
    {
        Assert.True(Parse("arp 192.0.2.1 > 192.0.2.2").Essential);
        Assert.True(Parse("icmpv6 type neighbour-solicitation fe80::1 > fe80::2").Essential);
        Assert.Equal(PacketFamily.Other, Parse("ethertype 0x88cc").Family);
    }

    [Fact]
    public void A_third_tag_is_built_as_it_was_asked_for()
    {
        byte[] frame = FrameText.ToFrame("vlan 1 vlan 2 vlan 3 udp 192.0.2.1 > 192.0.2.2:1").Value;
        PacketParser.Parse(frame, out PacketKey key);
        Assert.Equal(MalformedKind.VlanDepth, key.Malformed);
    }

    [Theory]
    [InlineData("", "a packet needs two addresses")]
    [InlineData("udp 192.0.2.1 > 192.0.2.2", "which port")]
    [InlineData("192.0.2.1 > 192.0.2.2", "which protocol")]
    [InlineData("udp 192.0.2.1 > ::1", "both addresses")]
    [InlineData("udp tcp 192.0.2.1 > 192.0.2.2:1", "one protocol")]
    [InlineData("udp syn 192.0.2.1 > 192.0.2.2:1", "only tcp has flags")]
    [InlineData("icmpv6 192.0.2.1 > 192.0.2.2", "over IPv4 goes icmp")]
    [InlineData("icmp 192.0.2.1:1 > 192.0.2.2", "have ports")]
    [InlineData("icmp type nonsense 192.0.2.1 > 192.0.2.2", "'nonsense' is no type")]
    [InlineData("icmp type 3/x 192.0.2.1 > 192.0.2.2", "'3/x' is no type")]
    [InlineData("udp 192.0.2.1 > 192.0.2.2:70000", "no port of 0 to 65535")]
    [InlineData("udp 192.0.2 > 192.0.2.2:7", "'192.0.2' is no word")]
    [InlineData("udp 192.0.2.1 >", "'' is no address")]
    [InlineData("udp 192.0.2.1 > 192.0.2.2:1 > 192.0.2.3:1", "one address too many")]
    [InlineData("vlan 5000 udp 192.0.2.1 > 192.0.2.2:1", "not a VLAN id")]
    [InlineData("frobnicate", "'frobnicate' is no word")]
    public void What_does_not_fit_is_said(string text, string message)
    {
        Result<byte[]> frame = FrameText.ToFrame(text);
        Assert.False(frame.IsOk);
        Assert.Contains(message, frame.Fault.Message);
    }

    [Fact]
    public void Any_words_are_a_frame_or_a_sentence()
    {
        string[] words =
        [
            "tcp", "udp", "sctp", "icmp", "icmpv6", "arp", "syn", "ack", "proto", "vlan", "type",
            "ttl", "bytes", "fragment", "first", "later", "ethertype", ">", "1", "3/4", "300",
            "0x88cc", "-1", "99999999999", "", "[", "]", ":", "[]:1", "echo", "::1", "[::1]:5",
            "[::1", "fe80::1%eth0", "192.0.2.1", "192.0.2.1:53", "192.0.2.1:", "1.2.3.4:x", "\0",
        ];
        int seed = Environment.TickCount;
        Random random = new(seed);
        int frames = 0;
        for (int i = 0; i < 20_000; i++)
        {
            int count = random.Next(1, i % 2 == 0 ? 4 : 9);
            string text = string.Join(' ', random.GetItems(words, count));
            if (i % 2 == 0)
            {
                // Half of them have what it takes.
                text += random.Next(2) == 0 ? " 192.0.2.1 > 192.0.2.2:53" : " ::1 > ::2";
            }

            Result<byte[]> frame = FrameText.ToFrame(text);
            frames += frame.IsOk ? 1 : 0;
            Assert.True(
                frame.IsOk ? frame.Value.Length >= 60 : frame.Fault.Message.Length > 0,
                $"seed {seed}: {text}");
        }

        Assert.InRange(frames, 50, 20_000);
    }

    private static PacketKey Parse(string text)
    {
        Result<byte[]> frame = FrameText.ToFrame(text);
        Assert.True(frame.IsOk, frame.IsOk ? "" : frame.Fault.Message);
        PacketParser.Parse(frame.Value, out PacketKey key);
        Assert.Equal(MalformedKind.None, key.Malformed);
        return key;
    }
}
