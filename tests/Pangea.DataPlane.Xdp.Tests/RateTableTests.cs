using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>Goal: the table of sources forgets none of them while there is room.</summary>
public sealed class RateTableTests
{
    /// <summary>
    /// A table of two sets of four: of three sources two share a set, whatever the key of the hash
    /// is, and each has used up what it may send.
    /// </summary>
    [SkippableTheory]
    [InlineData("limit rate 1/h burst 1 per source")]
    [InlineData("limit rate 1/h burst 1 bytes 1m/s per source")]
    public void Sources_of_one_set_do_not_push_each_other_out(string rule)
    {
        Kernel.NeedXdp();
        RuleSet rules = RuleText.Parse(rule, "test").Set!;
        bool hasTwoUnits = rule.Contains("bytes", StringComparison.Ordinal);
        byte[] sources = hasTwoUnits ? [1, 2] : [1, 2, 3];
        using XdpFilter filter = XdpFilter.Load(
            new XdpFilterOptions { RateSourcesMax = 1, IsTest = true },
            Guard.Compile(rules, null)).Value;
        filter.State.TestNowNs = 1UL << 40;
        Assert.All(sources, source => Assert.Equal(PolicyReason.Default, Reason(filter, source)));
        Assert.All(sources, source => Assert.Equal(PolicyReason.Rate, Reason(filter, source)));
    }

    private static PolicyReason Reason(XdpFilter filter, byte source)
    {
        byte[] frame = new byte[60];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[17] = 46;
        frame[23] = 253;
        frame[26] = frame[27] = frame[28] = frame[29] = source;
        Assert.True(filter.Program.TestRun(frame, 1, out _).IsOk);
        return (PolicyReason)filter.State.TraceReason;
    }
}
