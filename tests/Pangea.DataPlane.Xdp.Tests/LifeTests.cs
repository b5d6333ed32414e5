using System.Net.Sockets;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: what the program keeps outlives changes of the rules exactly: nothing is lost, nothing
/// goes to a rule that it does not belong to, and no packet meets two rule sets.
/// </summary>
public sealed class LifeTests
{
    private const int Port = 4007;
    private const ulong Now = 1UL << 40;

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_slot_with_a_new_owner_begins_at_zero(bool isOtherProgram)
    {
        Kernel.NeedXdp();
        RuleLimit limit = new()
        {
            Packets = new Rate(1, TimeSpan.FromHours(1), 1),
            Scope = PolicyScope.Source,
            Ban = new BanAfter(TimeSpan.FromHours(1), 3, TimeSpan.FromHours(1)),
        };
        RuleLimit shared = limit with { Scope = PolicyScope.Rule };
        CompiledPolicy first = Guard.Compile(
            Set(Limited(47, limit), Limited(48, shared), Limited(49, limit)), null);
        XdpFilterOptions options = new() { IsTest = true, SlotsMin = 256 };
        using XdpFilter filter = XdpFilter.Load(options, first).Value;
        filter.State.TestNowNs = Now;
        foreach (byte protocol in (byte[])[47, 48, 49])
        {
            Assert.Equal((2u, 1u), (Run(filter, protocol), Run(filter, protocol)));
        }

        // Two of them go; a change later their slots belong to others, with the same limits.
        CompiledPolicy second = Guard.Compile(Set(Limited(49, limit)), first);
        CompiledPolicy third = Guard.Compile(
            Set(Limited(49, limit), Limited(50, limit), Limited(51, shared)), second);
        Assert.Equal([first.RuleSlots[0], first.RuleSlots[1]], third.FreshSlots.Order());
        Assert.True(filter.Swap(second).IsOk);
        XdpFilterOptions larger = options with { SlotsMin = isOtherProgram ? 4096 : 256 };
        using XdpFilter last = XdpFilter.Load(larger, third, filter).Value;
        XdpFilter used = isOtherProgram ? last : filter;
        Assert.True(isOtherProgram ? last.TakeOver(filter).IsOk : filter.Swap(third).IsOk);
        used.State.TestNowNs = Now;
        foreach (uint slot in third.FreshSlots)
        {
            Assert.Equal(default, used.Count((int)(PolicyConstants.CounterSlots + slot)));
        }

        uint kept = third.RuleSlots[0];
        Assert.Equal(1UL, used.Count((int)(PolicyConstants.CounterSlots + kept)).PassedPackets);
        Assert.Equal(1UL, used.Count((int)(PolicyConstants.CounterSlots + kept)).DroppedPackets);
        Assert.Equal(1u, Run(used, 49));
        foreach (byte protocol in (byte[])[50, 51])
        {
            // A full bucket, and a first violation that is the first.
            Assert.Equal((2u, 1u), (Run(used, protocol), Run(used, protocol)));
        }

        Assert.Empty(used.Bans4.List(Now));
        Assert.Equal(1u, Run(used, 50));
        Assert.Equal(1u, Run(used, 50));
        Assert.Single(used.Bans4.List(Now));
    }

    /// <summary>
    /// A datagram is counted once, whichever program judged it: the sum is what was sent, less what
    /// the link had no room for.
    /// </summary>
    [SkippableTheory]
    [InlineData(AttachChoice.Native)]
    [InlineData(AttachChoice.Generic)]
    public void Larger_programs_lose_nothing_that_was_counted(AttachChoice choice)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket other = hosts.Listen(TwoHosts.Guarded4, Port + 1);
        RuleSet rules = Set(Named("counted", RuleAction.Deny, 32));
        using Guard guard = new(hosts, rules);
        Assert.Equal(choice, guard.Attach(choice).Step);
        hosts.Await(other);
        long before = hosts.Lost();
        using CancellationTokenSource end = new();
        Task<long> flood = Task.Run(() => hosts.Flood(Port, end.Token));
        ulong last = 0;
        for (int slots = 2048; slots <= 1 << 17; slots *= 2)
        {
            guard.Replace(rules, new XdpFilterOptions { SlotsMin = slots });
            ulong counted = guard.Count("counted").DroppedPackets;
            Assert.True(counted >= last, $"{counted} after {last}");
            last = counted;
        }

        end.Cancel();
        long sent = flood.Result;
        AwaitCount((ulong)(sent - (hosts.Lost() - before)), () => guard.Count("counted"));
        Assert.Equal(0UL, guard.Count("counted").PassedPackets);
    }

    /// <summary>
    /// Two rule sets that agree in nothing: default, action and tables of prefixes. Each datagram
    /// is counted by the one rule of one of them; a mixture would come to a default.
    /// </summary>
    [SkippableTheory]
    [InlineData(AttachChoice.Native)]
    [InlineData(AttachChoice.Generic)]
    public void A_swap_under_live_traffic_mixes_no_rule_sets(AttachChoice choice)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Socket other = hosts.Listen(TwoHosts.Guarded4, Port + 1);
        RuleSet allow = Set(Named("a", RuleAction.Allow, 24)) with { Default = RuleAction.Deny };
        RuleSet deny = Set(Named("b", RuleAction.Deny, 32));

        // A set with the rules of both has room for both, and a slot for each of the two.
        RuleSet both = Set([.. allow.Rules, .. deny.Rules]) with { Default = RuleAction.Allow };
        using Guard guard = new(hosts, both);
        CompiledPolicy[] sets =
            [Guard.Compile(allow, guard.Policy), Guard.Compile(deny, guard.Policy)];
        Assert.All(sets, set => Assert.Equal(guard.Policy.Geometry, set.Geometry));
        Assert.True(guard.Filter.Swap(sets[0]).IsOk);
        Assert.Equal(choice, guard.Attach(choice).Step);
        using CancellationTokenSource end = new();
        long before = hosts.Lost();
        Task<long> flood = Task.Run(() => hosts.Flood(Port, end.Token));
        for (int i = 0; i < 300; i++)
        {
            Assert.True(guard.Filter.Swap(sets[(i + 1) % 2]).IsOk);
        }

        end.Cancel();
        long sent = flood.Result;
        AwaitCount(
            (ulong)(sent - (hosts.Lost() - before)),
            () => new PolicyCounter
            {
                DroppedPackets = guard.Count("a").PassedPackets + guard.Count("b").DroppedPackets,
            });
        Assert.Equal(0UL, guard.Count("a").DroppedPackets);
        Assert.Equal(0UL, guard.Count("b").PassedPackets);
        Assert.True(guard.Count("a").PassedPackets > 0);
        Assert.True(guard.Count("b").DroppedPackets > 0);
    }

    [SkippableFact]
    public void Bans_of_a_program_that_gives_way_hold_in_the_next()
    {
        // Goal: a ban of IPv6 that came between the load of the next program and the move to it.
        Kernel.NeedXdp();
        CompiledPolicy policy = Guard.Compile(RuleSet.Empty, null);
        XdpFilterOptions options = new() { IsTest = true };
        using XdpFilter before = XdpFilter.Load(options, policy).Value;
        using XdpFilter next = XdpFilter.Load(options, policy, before).Value;
        BanKey6 source = new() { High = 0x20010db800000000, Low = 7 };
        Assert.True(before.Bans6.Add(new Ban6(source, ulong.MaxValue)).IsOk);
        before.State.BansRefused = 3;
        Assert.True(next.TakeOver(before).IsOk);
        Assert.True(next.TakeOver(before).IsOk);
        Assert.Equal(3UL, next.State.BansRefused);
        byte[] frame = new byte[60];
        frame[12] = 0x86;
        frame[13] = 0xdd;
        frame[14] = 0x60;
        frame[20] = 59;
        Convert.FromHexString("20010DB8000000000000000000000007").CopyTo(frame, 22);
        Assert.True(next.Program.TestRun(frame, 1, out BpfRun run).IsOk);
        Assert.Equal(1u, run.Verdict);
    }

    private static void AwaitCount(ulong expected, Func<PolicyCounter> count)
    {
        // The last frames may still be in the ring of the link.
        for (int i = 0; i < 100 && count().DroppedPackets != expected; i++)
        {
            Thread.Sleep(10);
        }

        Assert.Equal(expected, count().DroppedPackets);
    }

    private static RuleSet Set(params Rule[] rules) => RuleSet.Empty with { Rules = rules };

    private static Rule Limited(byte protocol, RuleLimit limit) =>
        new() { Action = RuleAction.Allow, Protocol = protocol, Limit = limit };

    private static Rule Named(string name, RuleAction action, int bits) => new()
    {
        Action = action,
        Name = name,
        Protocol = 17,
        DestinationPorts = [new PortRange(Port, Port)],
        From = AddressList.Of([IpPrefix.V4(0xc0000202 & (uint)(-1L << (32 - bits)), bits)]),
    };

    private static uint Run(XdpFilter filter, byte protocol)
    {
        byte[] frame = new byte[60];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[17] = 40;
        frame[23] = protocol;
        frame[26] = 10;
        Assert.True(filter.Program.TestRun(frame, 1, out BpfRun run).IsOk);
        return run.Verdict;
    }
}
