using System.Net;
using System.Net.Sockets;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: the filter on a real interface does what it says, outlives its owner, and goes without a
/// trace. Every test has its own pair of hosts.
/// </summary>
public sealed class AttachmentTests
{
    private const int OpenPort = 4009;
    private const int ClosedPort = 4007;
    private const ulong Forever = ulong.MaxValue;

    private static readonly RuleSet s_rules = RuleSet.Empty with
    {
        // Default deny: addresses resolve all the same, because neighbour discovery and ARP pass.
        Default = RuleAction.Deny,
        Rules =
        [
            new Rule
            {
                Action = RuleAction.Allow,
                Protocol = 17,
                DestinationPorts = [new PortRange(OpenPort, OpenPort)],
            },
        ],
    };

    [SkippableTheory]
    [InlineData(AttachChoice.Native, "192.0.2.1")]
    [InlineData(AttachChoice.Native, "2001:db8::1")]
    [InlineData(AttachChoice.Generic, "192.0.2.1")]
    [InlineData(AttachChoice.Generic, "2001:db8::1")]
    public void Lets_through_what_is_allowed_and_drops_the_rest(AttachChoice choice, string at)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket open = hosts.Listen(IPAddress.Parse(at), OpenPort);
        using Socket closed = hosts.Listen(IPAddress.Parse(at), ClosedPort);
        hosts.Await(closed);
        using Guard guard = new(hosts, s_rules);
        Assert.Equal(choice, guard.Attach(choice).Step);
        hosts.Await(open);
        Assert.False(hosts.Arrives(closed));
        Assert.True(hosts.Arrives(open));
        PolicyCounter defaults = guard.Filter.Count((int)PolicyReason.Default);
        Assert.True(defaults.DroppedPackets >= 1);
        Assert.True(guard.Filter.Count((int)PolicyReason.Rule).PassedPackets >= 2);

        Assert.True(hosts.Guarded.Run(guard.Attachments.DetachAll).IsOk);
        Assert.True(hosts.Arrives(closed));
    }

    [SkippableFact]
    public void Bans_hold_from_the_next_packet_on_and_end()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket open = hosts.Listen(TwoHosts.Guarded4, OpenPort);
        using Guard guard = new(hosts, s_rules);
        guard.Attach(AttachChoice.Best);
        hosts.Await(open);
        ulong now = guard.Filter.NowNs().Value;
        const uint other = 0xc0000202;
        Assert.True(guard.Filter.Bans4.Add(new Ban4(other, Forever), now).IsOk);
        Assert.False(hosts.Arrives(open));
        Assert.True(guard.Filter.Bans4.Remove(other, now));
        Assert.True(hosts.Arrives(open));
        ulong soon = now + 700_000_000;
        Assert.True(guard.Filter.Bans4.Add(new Ban4(other, soon), now).IsOk);
        Assert.False(hosts.Arrives(open));
        hosts.Await(open);
        Assert.True(guard.Filter.NowNs().Value >= soon - (2UL << 26));
    }

    [SkippableFact]
    public void Detaching_leaves_nothing_behind()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, s_rules);
        guard.Attach(AttachChoice.Best);
        string folder = Path.Combine(hosts.Pins, "pangea");
        Assert.True(hosts.Guarded.Run(() => Directory.Exists(folder)));
        XdpAttachment Query() => hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value;
        Assert.Equal(XdpMode.Native, Query().Mode);
        Assert.True(hosts.Guarded.Run(guard.Attachments.DetachAll).IsOk);
        Assert.Equal(default, Query());
        Assert.False(hosts.Guarded.Run(() => Directory.Exists(folder)));
    }

    [SkippableFact]
    public void Outlives_its_owner_with_counters_and_bans()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket open = hosts.Listen(TwoHosts.Guarded4, OpenPort);
        using Socket closed = hosts.Listen(TwoHosts.Guarded4, ClosedPort);
        PolicyGeometry geometry;
        ulong dropped;
        using (Guard first = new(hosts, s_rules))
        {
            first.Attach(AttachChoice.Best);
            hosts.Await(open);
            Assert.False(hosts.Arrives(closed));
            Assert.True(first.Filter.Bans4.Add(new Ban4(0xcb007109, Forever), 0).IsOk);
            dropped = first.Filter.Count((int)PolicyReason.Default).DroppedPackets;
            geometry = first.Filter.Geometry;
        }

        // Nobody holds a descriptor now; the pins do.
        Assert.False(hosts.Arrives(closed));
        Assert.True(hosts.Arrives(open));
        FilterPins pins = hosts.Guarded.Run(
            () => FilterPins.Open(Path.Combine(hosts.Pins, "pangea"))).Value;
        using FilterAttachments again = new(pins);
        Result<XdpFilter?> resumed = hosts.Guarded.Run(again.Resume);
        Assert.True(resumed.IsOk, resumed.Fault?.Message);
        using XdpFilter filter = resumed.Value!;
        Assert.Equal(geometry, filter.Geometry);
        Assert.True(filter.Count((int)PolicyReason.Default).DroppedPackets > dropped);
        Assert.True(filter.Bans4.Contains(0xcb007109, 0));
        Assert.True(hosts.Guarded.Run(again.DetachAll).IsOk);
    }

    [SkippableFact]
    public void A_new_program_takes_the_place_of_the_old_one_without_a_gap()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket open = hosts.Listen(TwoHosts.Guarded4, OpenPort);
        using Socket closed = hosts.Listen(TwoHosts.Guarded4, ClosedPort);
        using Guard guard = new(hosts, s_rules);
        guard.Attach(AttachChoice.Best);
        hosts.Await(open);
        Assert.True(guard.Filter.Bans4.Add(new Ban4(0xcb007109, Forever), 0).IsOk);

        using CancellationTokenSource end = new();
        Task<long> flood = Task.Run(() => hosts.Flood(ClosedPort, end.Token));
        for (int i = 0; i < 20; i++)
        {
            // Another rule in another dimension is another program.
            RuleSet rules = s_rules with
            {
                Rules =
                [
                    .. s_rules.Rules,
                    new Rule
                    {
                        Action = RuleAction.Allow,
                        Vlan = 1,
                        SourcePorts = i % 2 == 0 ? [] : [new PortRange(1, 2)],
                    },
                ],
            };
            guard.Replace(rules);
        }

        Assert.False(closed.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead));
        end.Cancel();
        flood.Wait();
        Assert.True(hosts.Arrives(open));
        Assert.True(guard.Filter.Bans4.Contains(0xcb007109, 0));
        Assert.True(guard.Filter.Count((int)PolicyReason.Default).DroppedPackets > 0);
        Assert.Single(hosts.Guarded.Run(
            () => Directory.GetDirectories(Path.Combine(hosts.Pins, "pangea"), "filter-*")));
    }

    [SkippableFact]
    public void Never_replaces_the_program_of_somebody_else()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, s_rules);
        using (XdpLink others = hosts.Guarded.Run(
            () => XdpLink.Attach(guard.Filter.Clock, hosts.Ifindex, XdpMode.Native)).Value)
        {
            AttachReport report = guard.Attach(AttachChoice.Best);
            Assert.Equal(AttachChoice.UserSpace, report.Step);
            Assert.All(report.Attempts, a => Assert.Equal(FaultCode.Exists, a.Refusal.Code));
            Assert.Contains("another XDP program", report.ToString(), StringComparison.Ordinal);
            Result<AttachReport> forced = hosts.Guarded.Run(() => guard.Attachments.Attach(
                guard.Filter, hosts.Ifindex, AttachChoice.Native, force: true));
            Assert.Equal(FaultCode.Exists, forced.Fault?.Code);
            Assert.True(others.Info().IsOk);
        }

        Assert.Equal(AttachChoice.Native, guard.Attach(AttachChoice.Best).Step);
    }

    [SkippableFact]
    public void Force_takes_a_program_off_that_no_link_holds()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, s_rules);
        string pin = Path.Combine(hosts.Pins, "others");
        hosts.Guarded.Run(() =>
        {
            Assert.True(BpfPins.Pin(guard.Filter.Clock.Fd, pin).IsOk);
            NamespaceThread.Command("ip", "link", "set", "guard", "xdpgeneric", "pinned", pin);
            File.Delete(pin);
        });
        Assert.Equal(AttachChoice.UserSpace, guard.Attach(AttachChoice.Best).Step);
        Result<AttachReport> forced = hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, hosts.Ifindex, AttachChoice.Best, force: true));
        Assert.Equal(AttachChoice.Native, forced.Value.Step);
    }

    [SkippableFact]
    public void An_interface_that_goes_and_comes_back_is_attached_anew()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, s_rules);
        Assert.Equal(FaultCode.NotFound, hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, 4242, AttachChoice.Best)).Fault?.Code);
        guard.Attach(AttachChoice.Best);
        hosts.Guarded.Run(() => NamespaceThread.Command("ip", "link", "delete", "guard"));
        guard.Replace(s_rules with { Default = RuleAction.Allow });
        hosts.Guarded.Run(() => NamespaceThread.Command(
            "ip", "link", "add", "guard", "index", $"{hosts.Ifindex}", "type", "veth", "peer",
            "name", "again"));
        Assert.Equal(AttachChoice.Native, guard.Attach(AttachChoice.Best).Step);
        Assert.Equal(
            guard.Filter.Program.Id().Value,
            hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value.ProgramId);
    }

    [SkippableFact]
    public void A_large_MTU_does_not_keep_a_veth_from_native_mode()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, s_rules);
        hosts.Other.Run(() => NamespaceThread.Command("ip", "link", "set", "other", "mtu", "9000"));
        hosts.Guarded.Run(
            () => NamespaceThread.Command("ip", "link", "set", "guard", "mtu", "9000"));

        // The program takes frames in parts, so a veth accepts it at any MTU.
        Assert.Equal(AttachChoice.Native, guard.Attach(AttachChoice.Best).Step);
    }
}
