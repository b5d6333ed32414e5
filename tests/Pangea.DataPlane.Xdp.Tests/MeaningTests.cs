using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: what docs/firewall.md says about a packet's way, said once more as examples, holds in the
/// program and in its twin; where the kernel takes no program (PANGEA_XDP=off), in the twin alone.
/// </summary>
public sealed class MeaningTests
{
    private const uint Eth0 = 2;
    private const uint Lan0 = 3;
    private const ulong Second = 1_000_000_000;
    private const ulong Now = 1000 * Second;
    private const uint One = 0x0a000001;
    private const uint Other = 0xc0000201;
    private static readonly UInt128 s_one = ((UInt128)0x20010db8 << 96) + 1;
    private static readonly UInt128 s_other = ((UInt128)0x20010db9 << 96) + 1;
    private static readonly byte[] s_udp = FrameBuilder.Udp(1, 53, 8);

    public static TheoryData<string, string, string, bool, PolicyReason> Examples { get; } = new()
    {
        { "default deny", "udp4", "nothing matches", true, PolicyReason.Default },
        { "allow", "udp4", "a rule without fields", false, PolicyReason.Rule },
        { "default deny", "arp", "addresses resolve", false, PolicyReason.Essential },
        { "default deny", "neighbour", "addresses resolve", false, PolicyReason.Essential },
        { "default deny", "far neighbour", "hop limit 64", true, PolicyReason.Default },
        { "deny", "lldp", "not IP", true, PolicyReason.Rule },
        { "deny ipv4", "lldp", "not IPv4", false, PolicyReason.Default },
        { "deny non-ip", "lldp", "not IP", true, PolicyReason.Rule },
        { "allow", "short", "malformed before rules", true, PolicyReason.Malformed },
        { "malformed allow ipv4-truncated", "short", "as is said", false, PolicyReason.Malformed },
        { "deny\npin from 10.0.0.0/24", "udp4", "pinned", false, PolicyReason.Pinned },
        { "deny\npin to 192.0.2.1", "udp4", "pinned", false, PolicyReason.Pinned },
        { "deny\npin from 10.0.0.0/24", "short", "pins no wreck", true, PolicyReason.Malformed },
        { "deny from 10.0.0.0/8\nallow udp", "udp4", "first", true, PolicyReason.Rule },
        { "allow udp\ndeny from 10.0.0.0/8", "udp4", "first", false, PolicyReason.Rule },
        {
            "allow udp\ndeny from 10.0.0.0/8 priority 5", "udp4", "priority", true,
            PolicyReason.Rule
        },
        { "deny udp port 53", "udp4", "port", true, PolicyReason.Rule },
        { "deny udp port 52", "udp4", "other port", false, PolicyReason.Default },
        { "deny udp sport 1-2 port 50-60", "udp4", "ranges", true, PolicyReason.Rule },
        { "deny udp port 53", "first fragment", "it has ports", true, PolicyReason.Rule },
        { "deny udp port 53", "later fragment", "it has none", false, PolicyReason.Default },
        { "deny fragment later", "later fragment", "fragment", true, PolicyReason.Rule },
        { "deny fragment any", "udp4", "whole", false, PolicyReason.Default },
        { "deny tcp syn", "syn", "SYN", true, PolicyReason.Rule },
        { "deny tcp syn", "ack", "no SYN", false, PolicyReason.Default },
        { "deny icmp type echo", "echo", "type", true, PolicyReason.Rule },
        { "deny icmp type 3", "echo", "other type", false, PolicyReason.Default },
        { "deny from 2001:db8::/32", "udp6", "IPv6", true, PolicyReason.Rule },
        { "deny to 2001:db9::1", "udp6", "destination", true, PolicyReason.Rule },
        { "deny udp port 53", "udp6 extended", "behind headers", true, PolicyReason.Rule },
        { "deny vlan 10", "tagged", "tag", true, PolicyReason.Rule },
        { "deny vlan none", "tagged", "tag", false, PolicyReason.Default },
        { "deny vlan 10 inner-vlan 20", "tagged twice", "tags", true, PolicyReason.Rule },
        { "allow", "tagged thrice", "third tag", true, PolicyReason.Malformed },
        { "deny on eth0", "udp4", "interface", true, PolicyReason.Rule },
        { "deny on lan0", "udp4", "other interface", false, PolicyReason.Default },
        { "default deny on eth0", "udp4", "of the interface", true, PolicyReason.Default },
        { "default deny on lan0", "udp4", "of another", false, PolicyReason.Default },
        { "monitor\ndeny", "udp4", "watched", false, PolicyReason.Rule },
        { "deny monitor", "udp4", "watched", false, PolicyReason.Rule },
        { "monitor", "short", "watched", false, PolicyReason.Malformed },
        { "deny sctp port 9", "sctp", "SCTP", true, PolicyReason.Rule },
    };

    [Theory]
    [MemberData(nameof(Examples))]
    public void A_packet_goes_the_way_that_is_described(
        string rules, string frame, string why, bool drops, PolicyReason reason) =>
        Each(rules, executor =>
        {
            PacketVerdict verdict = executor.Judge(Frame(frame), Eth0, Now);
            Assert.True(
                drops == verdict.Dropped && reason == verdict.Reason,
                $"{executor.Name}, {why}: {verdict}");
        });

    [Fact]
    public void Bans_come_before_rules_and_after_pins() => Each(
        "pin from 10.0.0.9\nallow from 10.0.0.0/8", executor =>
        {
            foreach (uint source in (uint[])[One, 0x0a000009])
            {
                executor.Ban(IpPrefix.V4(source, 32), ulong.MaxValue, Now);
            }

            Equal(PolicyReason.Ban, executor, "udp4", Now);
            byte[] pinned = FrameBuilder.Udp4(0x0a000009, Other, 1, 53);
            Assert.Equal(PolicyReason.Pinned, executor.Judge(pinned, Eth0, Now).Reason);
        });

    [Fact]
    public void Bans_end_at_the_same_moment() => Each("allow", executor =>
    {
        // 3 s end in the middle of a unit of 2^26 ns.
        ulong end = (Now + (3 * Second) + (1UL << 26) - 1) & ~((1UL << 26) - 1);
        executor.Ban(IpPrefix.V4(One, 32), Now + (3 * Second), Now);
        executor.Ban(IpPrefix.V6(s_one, 128), Now + (3 * Second), Now);
        executor.Ban(IpPrefix.V6(s_other & IpPrefix.Mask(64), 64), Now + (3 * Second), Now);
        byte[] other = FrameBuilder.Udp6(s_other + 77, s_one, 1, 53);
        foreach (byte[] frame in (byte[][])[Frame("udp4"), Frame("udp6"), other])
        {
            Assert.Equal(PolicyReason.Ban, executor.Judge(frame, Eth0, end - 1).Reason);
            Assert.Equal(PolicyReason.Rule, executor.Judge(frame, Eth0, end).Reason);

            // A clock that jumps back finds what it left.
            Assert.Equal(PolicyReason.Ban, executor.Judge(frame, Eth0, Now).Reason);
        }
    });

    [Fact]
    public void Limits_charge_and_ban() => Each(
        "limit udp port 53 rate 1/s burst 2 per source/24/64 ban 10s after 2 in 5s", executor =>
        {
            Equal(PolicyReason.Default, executor, "udp4", Now);
            Equal(PolicyReason.Default, executor, "udp4", Now);
            Equal(PolicyReason.Rate, executor, "udp4", Now);
            Equal(PolicyReason.Default, executor, "udp6", Now);
            Equal(PolicyReason.Rate, executor, "udp4", Now);
            Equal(PolicyReason.Ban, executor, "udp4", Now);

            // The bucket is that of the /24, the ban that of the address.
            byte[] neighbour = FrameBuilder.Udp4(One + 1, Other, 1, 53);
            Assert.Equal(PolicyReason.Rate, executor.Judge(neighbour, Eth0, Now).Reason);
            Equal(PolicyReason.Ban, executor, "udp4", Now + (9 * Second));
            Equal(PolicyReason.Default, executor, "udp4", Now + (11 * Second));
        });

    [Fact]
    public void A_swap_keeps_bans_and_what_was_counted() => Each(
        "deny udp name a\ndeny sctp", executor =>
        {
            executor.Ban(IpPrefix.V6(s_one, 128), ulong.MaxValue, Now);
            Equal(PolicyReason.Rule, executor, "udp4", Now);
            executor.Swap(Compile("deny icmp\nallow udp name a", executor.Policy));
            Equal(PolicyReason.Ban, executor, "udp6", Now);
            Assert.False(executor.Judge(Frame("udp4"), Eth0, Now).Dropped);
            PolicyCounter counter = executor.Count((int)PolicyConstants.CounterSlots);
            Assert.Equal((1UL, 1UL), (counter.PassedPackets, counter.DroppedPackets));
        });

    private static void Each(string rules, Action<Executor> test)
    {
        CompiledPolicy policy = Compile(rules, null);
        foreach (Executor executor in Executor.All(policy))
        {
            using (executor)
            {
                test(executor);
            }
        }
    }

    private static void Equal(PolicyReason reason, Executor executor, string frame, ulong now)
    {
        PacketVerdict verdict = executor.Judge(Frame(frame), Eth0, now);
        Assert.True(reason == verdict.Reason, $"{executor.Name}, {frame}: {verdict}");
    }

    private static CompiledPolicy Compile(string rules, CompiledPolicy? before)
    {
        RuleTextResult parsed = RuleText.Parse(rules, "test");
        Assert.Empty(parsed.Errors);
        return PolicyCompiler.Compile(parsed.Set!, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            Interfaces = new Dictionary<string, uint> { ["eth0"] = Eth0, ["lan0"] = Lan0 },
            ExtraFeatures = PolicyFeature.Bans,
            Slots = before?.Slots ?? SlotTable.Empty,
            Geometry = before?.Geometry,
        }).Value;
    }

    private static byte[] Frame(string name) => name switch
    {
        "udp4" => FrameBuilder.Udp4(One, Other, 1, 53),
        "udp6" => FrameBuilder.Udp6(s_one, s_other, 1, 53),
        "arp" => new FrameBuilder().EtherType(0x0806).Add(new byte[46]).Bytes,
        "lldp" => new FrameBuilder().EtherType(0x88cc).Add(new byte[46]).Bytes,
        "neighbour" => Neighbour(255),
        "far neighbour" => Neighbour(64),
        "short" => Frame("udp4")[..30],
        "first fragment" => Ipv4(17, FrameBuilder.Udp(1, 53, 8), 0x2000),
        "later fragment" => Ipv4(17, FrameBuilder.Udp(1, 53, 8), 0x0005),
        "syn" => Ipv4(6, Tcp(0x02), 0),
        "ack" => Ipv4(6, Tcp(0x12), 0),
        "echo" => Ipv4(1, FrameBuilder.Icmp(8), 0),
        "sctp" => Ipv4(132, FrameBuilder.Sctp(7, 9), 0),
        "udp6 extended" => new FrameBuilder().Ipv6(
            s_one, s_other, 0, FrameBuilder.Extension(0, 17, s_udp)).Bytes,
        "tagged" => Tagged(10),
        "tagged twice" => Tagged(10, 20),
        "tagged thrice" => Tagged(10, 20, 30),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
    };

    private static byte[] Neighbour(byte hops) => new FrameBuilder().Ipv6(
        s_one, s_other, 58, FrameBuilder.Icmp(135), hops).Bytes;

    private static byte[] Ipv4(byte protocol, byte[] payload, ushort fragment) =>
        new FrameBuilder().Ipv4(One, Other, protocol, payload, fragment: fragment).Bytes;

    private static byte[] Tcp(byte flags)
    {
        byte[] header = new byte[20];
        header[3] = 80;
        header[12] = 0x50;
        header[13] = flags;
        return header;
    }

    private static byte[] Tagged(params int[] tags)
    {
        FrameBuilder frame = new();
        foreach (int tag in tags)
        {
            frame = frame.Vlan(tag);
        }

        return frame.Ipv4(One, Other, 17, s_udp).Bytes;
    }
}
