using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>Goal: bans, events, swaps and the reasons of failed loads are what they say.</summary>
public sealed class FilterStateTests
{
    private const ulong Now = 1UL << 40;

    [SkippableFact]
    public void A_table_half_full_of_bans_loses_none()
    {
        Kernel.NeedXdp();
        const int count = 20_000;
        using XdpFilter filter = Load(new XdpFilterOptions { Bans4Max = count, IsTest = true });
        int seed = Random.Shared.Next();
        Random random = new(seed);
        HashSet<uint> banned = [];
        while (banned.Count < count)
        {
            uint address = (uint)random.NextInt64(1L << 32);
            if (banned.Add(address))
            {
                Result added = filter.Bans4.Add(new Ban4(address, ulong.MaxValue), Now);
                Assert.True(added.IsOk, $"seed {seed}: {added.Fault}");
            }
        }

        Assert.All(banned, address => Assert.True(filter.Bans4.Contains(address, Now)));
        Assert.Equal(banned.Order(), filter.Bans4.List(Now).Select(ban => ban.Address).Order());
        foreach (uint address in banned.Take(count / 2))
        {
            Assert.True(filter.Bans4.Remove(address, Now), $"seed {seed}");
            Assert.False(filter.Bans4.Contains(address, Now), $"seed {seed}");
        }

        filter.Bans4.RebuildFilter(Now);
        Assert.Equal(
            banned.Skip(count / 2).Order(),
            filter.Bans4.List(Now).Select(ban => ban.Address).Order());
    }

    /// <summary>Whole networks are banned address by address, by /24 and by /16.</summary>
    [SkippableTheory]
    [InlineData(1u)]
    [InlineData(4u)]
    [InlineData(256u)]
    [InlineData(65536u)]
    [InlineData(2584u)]
    public void Addresses_in_a_row_fill_the_table_as_random_ones_do(uint step)
    {
        Kernel.NeedXdp();
        const int count = 65_536;
        using XdpFilter filter = Load(new XdpFilterOptions { Bans4Max = count, IsTest = true });
        for (uint i = 0; i < count; i++)
        {
            Result added = filter.Bans4.Add(
                new Ban4(0x0a000000 + (i * step), ulong.MaxValue), Now);
            Assert.True(added.IsOk, $"address {i}: {added.Fault}");
        }
    }

    [SkippableFact]
    public void A_full_table_says_so_and_bans_that_are_over_make_room()
    {
        Kernel.NeedXdp();
        using XdpFilter filter = Load(new XdpFilterOptions { Bans4Max = 8, IsTest = true });
        Result added = Result.Ok;
        for (uint i = 1; added.IsOk; i++)
        {
            added = filter.Bans4.Add(new Ban4(i, Now + (1UL << 30)), Now);
            Assert.True(i <= filter.Bans4.Capacity + 1);
        }

        Assert.Equal(FaultCode.NoSpace, added.Fault.Code);
        Assert.Contains("bans-max", added.Fault.Hint, StringComparison.Ordinal);
        Assert.True(filter.Bans4.Add(new Ban4(77777, ulong.MaxValue), Now * 2).IsOk);
        Assert.Equal([77777u], filter.Bans4.List(Now * 2).Select(ban => ban.Address));
    }

    [SkippableFact]
    public void A_full_IPv6_table_says_so_and_sweeping_makes_room()
    {
        Kernel.NeedXdp();
        using XdpFilter filter = Load(new XdpFilterOptions { Bans6Max = 4, IsTest = true });
        Result added = Result.Ok;
        for (ulong i = 0; added.IsOk; i++)
        {
            Assert.True(i < 1000);
            added = filter.Bans6.Add(new Ban6(new BanKey6 { High = i, Low = 1 }, Now + 1));
        }

        Assert.Equal(FaultCode.NoSpace, added.Fault.Code);
        Assert.Contains("table of 4 banned IPv6", added.Fault.Message, StringComparison.Ordinal);
        Assert.Contains("bans-max", added.Fault.Hint, StringComparison.Ordinal);
        Assert.True(filter.Bans6.Sweep(Now * 2) >= 4);
        Assert.True(filter.Bans6.Add(new Ban6(new BanKey6 { High = 9, Low = 1 }, Now * 3)).IsOk);
    }

    /// <summary>
    /// The program's own bans meet full tables as well: they are counted, no more.
    /// </summary>
    [SkippableFact]
    public void Bans_of_the_program_that_find_no_room_are_counted()
    {
        Kernel.NeedXdp();
        RuleSet rules = RuleSet.Empty with
        {
            Rules =
            [
                new Rule
                {
                    Action = RuleAction.Limit,
                    Limit = new RuleLimit
                    {
                        Packets = new Rate(1, TimeSpan.FromHours(1), 1),
                        Ban = new BanAfter(null, 1, TimeSpan.FromSeconds(1)),
                    },
                },
            ],
        };
        using XdpFilter filter = XdpFilter.Load(
            new XdpFilterOptions { Bans4Max = 1, IsTest = true },
            Guard.Compile(rules, null)).Value;
        filter.State.TestNowNs = Now;
        byte[] frame = new byte[60];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[17] = 40;
        frame[23] = 47;
        for (byte i = 0; i < 200; i++)
        {
            frame[29] = i;
            Assert.True(filter.Program.TestRun(frame, 1, out BpfRun run).IsOk);
            Assert.Equal(i == 0 ? 2u : 1u, run.Verdict);
        }

        ulong banned = (ulong)filter.Bans4.List(Now).Count();
        Assert.Equal((ulong)filter.Bans4.Capacity, banned);
        Assert.Equal(199 - banned, filter.BansRefused);
    }

    [SkippableFact]
    public void IPv6_bans_end_and_are_swept()
    {
        Kernel.NeedXdp();
        using XdpFilter filter = Load(new XdpFilterOptions { IsTest = true });
        BanKey6 one = new() { High = 1, Low = 2 };
        BanKey6 net = new() { High = 3, Low = ulong.MaxValue };
        Assert.True(filter.Bans6.Add(new Ban6(one, Now + 1)).IsOk);
        Assert.True(filter.Bans6.Add(new Ban6(net, ulong.MaxValue)).IsOk);
        Assert.Equal(2, filter.Bans6.List().Count());
        Assert.Equal(1, filter.Bans6.Sweep(Now * 2));
        Assert.Equal([net], filter.Bans6.List().Select(ban => ban.Key));
        Assert.True(filter.Bans6.Remove(net));
        Assert.False(filter.Bans6.Remove(net));
        Assert.Equal(0, filter.Bans6.Sweep(Now * 2));
        Assert.Equal(0u, filter.State.HasBans6);
    }

    [SkippableFact]
    public void Drops_are_sampled_once_in_a_tick()
    {
        Kernel.NeedXdp();
        using XdpFilter filter = Load(new XdpFilterOptions { IsTest = true });
        using FilterEvents events = FilterEvents.Open(filter).Value;
        filter.State.TestNowNs = Now;
        filter.State.TestIfindex = 7;
        byte[] frame = new byte[60];
        frame[12] = 8; // IPv4 with a header of zeros: malformed
        for (int i = 0; i < 10; i++)
        {
            Assert.True(filter.Program.TestRun(frame, 1, out BpfRun run).IsOk);
            Assert.Equal(1u, run.Verdict);
        }

        Assert.True(events.TryRead(out PolicyEvent sample));
        Assert.Equal(Now, sample.TimeNs);
        Assert.Equal(7u, sample.Ifindex);
        Assert.Equal(60u, sample.FrameBytes);
        Assert.Equal((byte)PolicyReason.Malformed, sample.Reason);
        Assert.False(events.TryRead(out _));
        filter.State.TestNowNs++;
        Assert.True(filter.Program.TestRun(frame, 1, out _).IsOk);
        Assert.True(events.TryRead(out _));
    }

    /// <summary>
    /// Two rule sets that agree in nothing but the verdict, swapped as fast as can be while packets
    /// are judged: slot and verdict always belong together.
    /// </summary>
    [SkippableFact]
    public void No_packet_is_judged_by_a_mixture_of_two_rule_sets()
    {
        Kernel.NeedXdp();
        CompiledPolicy allow = Compile(RuleAction.Allow, null);
        CompiledPolicy deny = Compile(RuleAction.Deny, allow);
        Assert.Equal(allow.Geometry, deny.Geometry);
        using XdpFilter filter = XdpFilter.Load(
            new XdpFilterOptions { IsTest = true }, allow.Geometry, allow.ImageBytes.Span).Value;
        uint allowSlot = allow.RuleSlots[0];
        uint denySlot = deny.RuleSlots[1];
        Assert.NotEqual(allowSlot, denySlot);
        byte[] frame = new byte[60];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[17] = 40;
        frame[23] = 47;
        using CancellationTokenSource end = new();
        Task swaps = Task.Run(() =>
        {
            for (int i = 0; !end.IsCancellationRequested; i++)
            {
                CompiledPolicy next = i % 2 == 0 ? deny : allow;
                Assert.True(filter.Swap(next.Geometry, next.ImageBytes.Span).IsOk);
            }
        });
        HashSet<uint> seen = [];
        for (int i = 0; (i < 20_000 || seen.Count < 2) && !swaps.IsCompleted; i++)
        {
            Assert.True(filter.Program.TestRun(frame, 1, out BpfRun run).IsOk);
            uint slot = filter.State.TraceSlot;
            Assert.Equal(slot == denySlot ? 1u : 2u, run.Verdict);
            Assert.Contains(slot, (uint[])[allowSlot, denySlot]);
            seen.Add(slot);
        }

        end.Cancel();
        swaps.Wait();
        Assert.Equal(2, seen.Count);
        PolicyCounter allowed = filter.Count((int)(PolicyConstants.CounterSlots + allowSlot));
        PolicyCounter denied = filter.Count((int)(PolicyConstants.CounterSlots + denySlot));
        Assert.Equal(0UL, allowed.DroppedPackets);
        Assert.Equal(0UL, denied.PassedPackets);
    }

    [SkippableFact]
    public void A_map_beyond_all_bounds_is_refused_with_the_reason()
    {
        Kernel.NeedXdp();
        PolicyGeometry geometry = Geometries.Spacious(PolicyFeature.None, 1);
        Result<XdpFilter> filter = XdpFilter.Load(
            new XdpFilterOptions { ViolationSourcesMax = int.MaxValue }, geometry, new byte[256]);
        Assert.Equal(FaultCode.TooLarge, filter.Fault?.Code);
        Assert.Contains("violations", filter.Fault!.Message, StringComparison.Ordinal);
        Assert.Contains("less room", filter.Fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_object_says_how_it_is_built()
    {
        Result<XdpFilter> filter = XdpFilter.Load(
            new XdpFilterOptions { ObjectPath = "/nowhere/firewall.bpf.o" }, default, []);
        Assert.Equal(FaultCode.Unsupported, filter.Fault?.Code);
    }

    [SkippableFact]
    public void A_program_that_the_verifier_refuses_ends_with_its_words()
    {
        Kernel.NeedXdp();

        // A mask that lets an index out of its map: exactly what the verifier is there for.
        PolicyGeometry geometry = Geometries.Spacious(PolicyFeature.Source4, 1);
        geometry.Results = uint.MaxValue / 2;
        Result<XdpFilter> filter =
            XdpFilter.Load(new XdpFilterOptions(), geometry, new byte[256]);
        Assert.Equal(FaultCode.Unsupported, filter.Fault?.Code);
        Assert.Contains("verifier", filter.Fault!.Hint, StringComparison.Ordinal);
        Assert.True(
            filter.Fault.Message.Contains("access", StringComparison.Ordinal)
                || filter.Fault.Message.Contains("bounds", StringComparison.Ordinal),
            filter.Fault.Message);
    }

    private static CompiledPolicy Compile(RuleAction action, CompiledPolicy? before) =>
        PolicyCompiler.Compile(
            RuleSet.Empty with
            {
                Default = action == RuleAction.Allow ? RuleAction.Deny : RuleAction.Allow,
                Rules =
                [
                    // The first rule's slot stays taken, so that the second has one of its own.
                    .. before is null
                        ? []
                        : (Rule[])[before.Rules[0] with { Protocol = 48 }],
                    new Rule { Action = action, Protocol = 47, Name = action.ToString() },
                ],
            },
            new CompileOptions
            {
                Now = DateTimeOffset.UnixEpoch,
                Geometry = before?.Geometry,
                Slots = before?.Slots ?? SlotTable.Empty,
            }).Value;

    private static XdpFilter Load(XdpFilterOptions options)
    {
        CompiledPolicy policy = PolicyCompiler.Compile(RuleSet.Empty, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            ExtraFeatures = PolicyFeature.Bans,
        }).Value;
        Result<XdpFilter> filter =
            XdpFilter.Load(options, policy.Geometry, policy.ImageBytes.Span);
        Assert.True(filter.IsOk, filter.Fault?.ToString());
        return filter.Value;
    }
}
