using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Compiling;
using Pangea.DataPlane.Packets.Building;

namespace Pangea.DataPlane.Firewall.Tests.Judging;

/// <summary>Goal: a type with a code is that code alone, without one it is all.</summary>
public sealed class IcmpCodeTests
{
    private const string Rules = """
        default deny
        deny icmp type unreachable/1 name one
        allow icmp type unreachable/1,unreachable/4,echo name some
        allow icmp type 3 priority 2000 name rest
        allow icmpv6 type unreachable/4 name six
        """;

    [Theory]
    [InlineData("icmp type unreachable/1 192.0.2.1 > 192.0.2.2", "one")]
    [InlineData("icmp type unreachable/4 192.0.2.1 > 192.0.2.2", "some")]
    [InlineData("icmp type unreachable/255 192.0.2.1 > 192.0.2.2", "rest")]
    [InlineData("icmp type unreachable 192.0.2.1 > 192.0.2.2", "rest")]
    [InlineData("icmp type echo/7 192.0.2.1 > 192.0.2.2", "some")]
    [InlineData("icmp type 11/1 192.0.2.1 > 192.0.2.2", null)]
    [InlineData("icmpv6 type unreachable/4 ::1 > ::2", "six")]
    [InlineData("icmpv6 type unreachable/1 ::1 > ::2", null)]
    [InlineData("icmpv6 type time-exceeded/4 ::1 > ::2", null)]
    [InlineData("udp 192.0.2.1:769 > 192.0.2.2:772", null)]
    public void Decides(string packet, string? name)
    {
        CompiledPolicy policy = PolicyCompilerTests.Compile(Rules);
        UserspaceFilter filter = new(policy);
        byte[] frame = FrameText.ToFrame(packet).Value;
        PacketVerdict verdict = filter.Judge(frame, frame.Length, 0, 1);
        Assert.Equal(name, policy.RuleAt(verdict.Slot)?.Name);
        Assert.Equal(name is null or "one", verdict.Dropped);
    }

    [Fact]
    public void A_rule_with_a_code_is_shadowed_by_the_whole_type_and_not_the_other_way_round()
    {
        RuleSet set = PolicyCompilerTests.Compile(
            "allow icmp type 3\ndeny icmp type 3/4\nallow icmp type 8/0\ndeny icmp type 8").RuleSet;
        Assert.Equal(
            set.Rules[1], Assert.Single(RuleReport.Shadowed(set, DateTimeOffset.UnixEpoch)).Rule);
    }
}
