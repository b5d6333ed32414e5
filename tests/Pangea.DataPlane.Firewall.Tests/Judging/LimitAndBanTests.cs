using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Compiling;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Firewall.Tests.Judging;

public sealed class LimitAndBanTests
{
    private const ulong Second = 1_000_000_000;

    [Fact]
    public void A_burst_passes_and_then_the_rate()
    {
        UserspaceFilter filter = New("allow udp rate 10/s burst 3");
        Assert.Equal(
            [true, true, true, false],
            Enumerable.Range(0, 4).Select(_ => Passes(filter, 1, Second)));
        Assert.True(Passes(filter, 1, Second + (Second / 10)));
        Assert.False(Passes(filter, 1, Second + (Second / 10)));
    }

    [Fact]
    public void A_bucket_of_a_source_is_that_of_its_prefix()
    {
        UserspaceFilter filter = New("limit udp rate 1/s burst 1 per source/24");
        Assert.True(Passes(filter, 0x0a000001, Second));
        Assert.False(Passes(filter, 0x0a0000ff, Second));
        Assert.True(Passes(filter, 0x0a000101, Second));
    }

    [Fact]
    public void A_clock_that_jumps_back_does_not_block_for_ever()
    {
        UserspaceFilter filter = New("allow udp rate 10/s burst 1");
        Assert.True(Passes(filter, 1, 1_000_000 * Second));
        Assert.True(Passes(filter, 1, Second));
        Assert.False(Passes(filter, 1, Second));
    }

    [Fact]
    public void Another_rate_holds_from_the_swap_on()
    {
        UserspaceFilter filter = New("allow udp rate 1/h burst 1 name a");
        Assert.True(Passes(filter, 1, Second));
        Assert.False(Passes(filter, 1, Second * 2));
        filter.Swap(PolicyCompilerTests.Compile(
            "allow udp rate 10/s burst 1 name a", filter.Policy));
        Assert.True(Passes(filter, 1, Second * 2));
    }

    [Fact]
    public void Who_breaks_a_limit_too_often_is_banned_for_a_while()
    {
        UserspaceFilter filter = New("limit udp rate 1/s burst 1 per source ban 10s after 3 in 1s");
        PolicyReason[] reasons =
            [.. Enumerable.Range(0, 6).Select(_ => Judge(filter, 7, Second).Reason)];
        Assert.Equal(
            [
                PolicyReason.Default, PolicyReason.Rate, PolicyReason.Rate, PolicyReason.Rate,
                PolicyReason.Ban, PolicyReason.Ban,
            ],
            reasons);
        Assert.Equal(PolicyReason.Default, Judge(filter, 8, Second).Reason);
        ulong end = BanClock.RoundUp(11 * Second);
        Assert.Equal(PolicyReason.Ban, Judge(filter, 7, end - 1).Reason);
        Assert.Equal(PolicyReason.Default, Judge(filter, 7, end).Reason);
        Assert.Equal((1, 1, 0), (filter.BanCount, filter.ExpireBans(end), filter.BanCount));
    }

    [Fact]
    public void Bans_end_at_whole_units_of_the_data_path()
    {
        const ulong unit = 1UL << BanClock.UnitShift;
        Assert.Equal(unit, BanClock.RoundUp(1));
        Assert.Equal(unit, BanClock.RoundUp(unit));
        Assert.Equal(2 * unit, BanClock.RoundUp(unit + 1));
        Assert.Equal(ulong.MaxValue, BanClock.RoundUp(ulong.MaxValue));
        Assert.Equal(ulong.MaxValue, BanClock.RoundUp((ulong)uint.MaxValue << 26));
        UserspaceFilter filter = New("allow");
        Assert.True(filter.Ban(IpPrefix.V4(7, 32), Second).IsOk);
        Assert.Equal(BanClock.RoundUp(Second), Assert.Single(filter.Bans()).ExpiryNs);
        Assert.Equal(PolicyReason.Ban, Judge(filter, 7, BanClock.RoundUp(Second) - 1).Reason);
        Assert.False(Judge(filter, 7, BanClock.RoundUp(Second)).Dropped);
    }

    [Fact]
    public void A_clock_that_jumps_lengthens_no_ban_and_ends_none_that_holds()
    {
        // Goal: judged at an earlier moment than before, a ban that had not ended still holds; one
        // that ended is gone only once somebody took it out.
        UserspaceFilter filter = New("limit udp rate 1/s burst 1 per source ban 10s after 2 in 5s");
        Assert.True(filter.Ban(IpPrefix.V4(9, 32), 100 * Second).IsOk);
        Assert.Equal(PolicyReason.Ban, Judge(filter, 9, 99 * Second).Reason);
        Assert.Equal(PolicyReason.Default, Judge(filter, 9, 101 * Second).Reason);
        Assert.Equal(PolicyReason.Ban, Judge(filter, 9, 3 * Second).Reason);
        Assert.Equal(1, filter.ExpireBans(101 * Second));
        Assert.Equal(PolicyReason.Default, Judge(filter, 9, 102 * Second).Reason);

        // A window of violations that began in the future begins anew.
        Assert.Equal(PolicyReason.Default, Judge(filter, 7, 50 * Second).Reason);
        Assert.Equal(PolicyReason.Rate, Judge(filter, 7, 50 * Second).Reason);
        Assert.Equal(PolicyReason.Default, Judge(filter, 7, Second).Reason);
        Assert.Equal(PolicyReason.Rate, Judge(filter, 7, Second).Reason);
        Assert.Equal(PolicyReason.Rate, Judge(filter, 7, Second).Reason);
        Assert.Equal(PolicyReason.Ban, Judge(filter, 7, Second).Reason);
    }

    [Fact]
    public void A_ban_of_a_64_covers_it_and_is_listed_as_such()
    {
        UserspaceFilter filter = New("allow");
        IpPrefix prefix = IpPrefix.V6((UInt128)0x20010db8 << 96, 64);
        Assert.True(filter.Ban(prefix, ulong.MaxValue).IsOk);
        byte[] inside = FrameBuilder.Udp6(((UInt128)0x20010db8 << 96) + 99, 1, 2, 3);
        byte[] outside = FrameBuilder.Udp6(((UInt128)0x20010db9 << 96) + 99, 1, 2, 3);
        Assert.True(filter.Judge(inside, inside.Length, 1, 1).Dropped);
        Assert.False(filter.Judge(outside, outside.Length, 1, 1).Dropped);
        Assert.Equal(prefix, Assert.Single(filter.Bans()).Source);
        Assert.True(filter.Unban(prefix));
        Assert.False(filter.Unban(prefix));
        Assert.False(filter.Judge(inside, inside.Length, 1, 1).Dropped);
        Assert.Equal(
            FaultCode.InvalidParameters, filter.Ban(IpPrefix.V4(0, 24), 5).Fault?.Code);
    }

    [Fact]
    public void Many_bans_come_and_go()
    {
        // Goal: no probe ends before its key, whatever was taken out. Compared with a dictionary.
        UserspaceFilter filter = New("allow");
        const ulong unit = 1UL << BanClock.UnitShift;
        Random random = new(4);
        Dictionary<uint, ulong> bans = [];
        for (int i = 0; i < 30_000; i++)
        {
            uint source = (uint)random.Next(6000);
            if (random.Next(3) > 0)
            {
                bans[source] = (ulong)random.Next(1, 100) * unit;
                filter.Ban(IpPrefix.V4(source, 32), bans[source]);
            }
            else
            {
                Assert.Equal(bans.Remove(source), filter.Unban(IpPrefix.V4(source, 32)));
            }
        }

        filter.ExpireBans(50 * unit);
        for (uint source = 0; source < 6000; source++)
        {
            bool isBanned = bans.TryGetValue(source, out ulong expiry) && expiry > 50 * unit;
            Assert.Equal(isBanned, Judge(filter, source, 50 * unit).Dropped);
        }
    }

    [Fact]
    public void Counters_of_a_rule_stay_through_a_swap_and_end_with_the_rule()
    {
        UserspaceFilter filter = New("deny udp name a");
        Judge(filter, 1, Second);
        filter.Swap(PolicyCompilerTests.Compile(
            "deny udp port 4 name a\nallow tcp", filter.Policy));
        Judge(filter, 1, Second);
        Assert.Equal(2u, filter.Counters[(int)PolicyConstants.CounterSlots].DroppedPackets);
        filter.Swap(PolicyCompilerTests.Compile("deny icmp", filter.Policy));
        filter.Swap(PolicyCompilerTests.Compile("deny icmp\ndeny sctp", filter.Policy));
        Assert.Equal(0u, filter.Policy.RuleSlots[1]);
        Assert.Equal(default, filter.Counters[(int)PolicyConstants.CounterSlots]);
    }

    [Fact]
    public void Explains_a_verdict()
    {
        UserspaceFilter filter = New("deny udp from 10.0.0.0/8\nallow udp port 4");
        byte[] frame = FrameBuilder.Udp4(0x0a000001, 0xc0000201, 3, 4);
        PacketParser.Parse(frame, out PacketKey key);
        Explanation why = Explanation.Of(filter.Policy, key, "lan0", filter.Judge(key, 2, 1));
        Assert.Equal("drops: the rule is the first that matches", why.Decision);
        Assert.Equal("deny udp from 10.0.0.0/8", why.By);
        Assert.Equal(["allow udp port 4"], why.AlsoMatching);
        Assert.Equal("46 bytes, udp from 10.0.0.1 port 3 to 192.0.2.1 port 4", why.Packet);
    }

    private static UserspaceFilter New(string rules) => new(PolicyCompilerTests.Compile(rules), 64);

    private static PacketVerdict Judge(UserspaceFilter filter, uint source, ulong nowNs)
    {
        byte[] frame = FrameBuilder.Udp4(source, 0xc0000201, 3, 4);
        return filter.Judge(frame, frame.Length, 2, nowNs);
    }

    private static bool Passes(UserspaceFilter filter, uint source, ulong nowNs) =>
        !Judge(filter, source, nowNs).Dropped;
}
