using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Packets.Capture;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: frames of a capture that come over a real link are judged as the twin judges them, to the
/// last counter. <c>Fixtures/mixed.pcap</c> has valid and damaged frames of every kind.
/// </summary>
public sealed class FixtureTests
{
    /// <summary>
    /// Rules without limits, because the link has a clock of its own. Addresses, ports and tags are
    /// those of the capture.
    /// </summary>
    public static TheoryData<AttachChoice, string> Cases
    {
        get
        {
            string[] sets =
            [
                "default deny",
                "allow udp\ndeny fragment any\nallow tcp syn\ndeny from 192.0.2.0/24",
                "default deny\nallow from 2001:db8::/32\nallow from 192.0.2.0/25\npin to 192.0.2.9",
                "monitor\ndeny tcp port 0-1023\ndeny icmp\ndeny icmpv6\ndeny vlan none",
                "malformed allow udp-length vlan-depth\ndeny vlan 1\ndeny inner-vlan none",
                "default deny on guard\nallow udp sport 1-32768\nallow tcp port 22,53,80",
            ];
            TheoryData<AttachChoice, string> cases = [];
            foreach (string set in sets)
            {
                cases.Add(AttachChoice.Native, set);
                cases.Add(AttachChoice.Generic, set);
            }

            return cases;
        }
    }

    [Fact]
    public void The_capture_has_every_kind_of_frame()
    {
        HashSet<MalformedKind> kinds = [];
        HashSet<(PacketFamily, FragmentKind)> shapes = [];
        int tagged = 0;
        foreach (byte[] frame in Frames())
        {
            PacketParser.Parse(frame, out PacketKey key);
            kinds.Add(key.Malformed);
            shapes.Add((key.Family, key.Fragment));
            tagged += key.InnerVlan != PacketKey.NoVlan ? 1 : 0;
        }

        // No link carries a frame without an Ethernet header.
        Assert.Equal(
            Enum.GetValues<MalformedKind>().Where(kind => kind != MalformedKind.FrameTruncated),
            kinds.Order());
        Assert.Equal(7, shapes.Count);
        Assert.True(tagged > 0);
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void Frames_of_a_link_are_judged_as_the_twin_does(AttachChoice choice, string rules)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new(isSilent: true);
        CompiledPolicy policy = PolicyCompiler.Compile(
            RuleText.Parse(rules, "test").Set!,
            new CompileOptions
            {
                Now = DateTimeOffset.UnixEpoch,
                ExtraFeatures = PolicyFeature.Bans,
                Interfaces = new Dictionary<string, uint> { ["guard"] = (uint)hosts.Ifindex },
            }).Value;
        using Guard guard = new(hosts, policy);
        Assert.Equal(choice, guard.Attach(choice).Step);
        UserspaceFilter twin = new(policy);
        using Socket link = hosts.Other.Run(() => new Socket(
            AddressFamily.Packet, SocketType.Raw, ProtocolType.Unspecified));
        LinkEndPoint to = new(hosts.Other.Run(() => TwoHosts.IndexOf("other")));
        ulong sent = 0;
        foreach (byte[] frame in Frames())
        {
            Assert.Equal(frame.Length, link.SendTo(frame, to));
            twin.Judge(frame, frame.Length, (uint)hosts.Ifindex, 1);
            AwaitFrames(guard.Filter, ++sent);
        }

        for (int i = 0; i < twin.Counters.Length; i++)
        {
            Assert.True(
                twin.Counters[i] == guard.Filter.Count(i),
                $"counter {i}: twin {twin.Counters[i]}, program {guard.Filter.Count(i)}");
        }
    }

    /// <summary>One at a time, so that the link's ring never overflows.</summary>
    private static void AwaitFrames(XdpFilter filter, ulong expected)
    {
        ulong counted = 0;
        for (int i = 0; i < 20_000; i++)
        {
            counted = 0;
            for (int row = 0; row < (int)PolicyConstants.CounterMalformed; row++)
            {
                PolicyCounter one = filter.Count(row);
                counted += one.PassedPackets + one.DroppedPackets;
            }

            if (counted == expected)
            {
                return;
            }

            Thread.SpinWait(100);
            if (i > 1000)
            {
                Thread.Sleep(1);
            }
        }

        Assert.Fail(string.Create(
            CultureInfo.InvariantCulture, $"{counted} frames counted, {expected} sent"));
    }

    private static IEnumerable<byte[]> Frames()
    {
        byte[] bytes = File.ReadAllBytes(
            Path.Combine(AppContext.BaseDirectory, "Fixtures", "mixed.pcap"));
        Result<CaptureFile> file = CaptureFile.Open(bytes);
        Assert.True(file.IsOk, file.Fault?.Message);
        while (true)
        {
            Result<bool> read = file.Value.TryRead(out CapturedFrame frame);
            Assert.True(read.IsOk, read.Fault?.Message);
            if (!read.Value)
            {
                yield break;
            }

            yield return frame.Bytes.ToArray();
        }
    }

    /// <summary>struct sockaddr_ll of packet(7), with the interface alone.</summary>
    private sealed class LinkEndPoint(int ifindex) : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            SocketAddress address = new(AddressFamily.Packet, 20);
            BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], ifindex);
            return address;
        }
    }
}
