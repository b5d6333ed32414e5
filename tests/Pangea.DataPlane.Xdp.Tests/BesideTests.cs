using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: with xdp-filter of Debian's xdp-tools on the same interface neither harms the other, and
/// whoever comes second is told why it stays away (experiments/0020-beside-other-programs).
/// </summary>
public sealed class BesideTests
{
    private const string Tool = "/usr/sbin/xdp-filter";

    [SkippableFact]
    public void What_xdp_filter_attached_first_stays_and_is_named()
    {
        using TwoHosts hosts = Hosts();
        using Guard guard = new(hosts, RuleSet.Empty);
        hosts.Guarded.Run(() => NamespaceThread.Command(Tool, "load", "guard"));
        XdpAttachment before = hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value;
        AttachReport report = guard.Attach(AttachChoice.Best);
        Assert.Equal(AttachChoice.UserSpace, report.Step);
        Fault refusal = report.Attempts[0].Refusal;
        Assert.Equal(FaultCode.Exists, refusal.Code);
        Assert.Contains(
            before.ProgramId.ToString(CultureInfo.InvariantCulture), refusal.Message,
            StringComparison.Ordinal);
        Assert.Contains("libxdp", refusal.Hint, StringComparison.Ordinal);
        Assert.Equal(before, hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value);

        // It goes on working, and the interface is free once it has gone.
        hosts.Guarded.Run(() =>
        {
            NamespaceThread.Command(Tool, "ip", "192.0.2.9");
            NamespaceThread.Command(Tool, "unload", "guard");
        });
        Assert.Equal(AttachChoice.Native, guard.Attach(AttachChoice.Best).Step);
    }

    [SkippableFact]
    public void Xdp_filter_does_not_replace_the_filter()
    {
        using TwoHosts hosts = Hosts();
        using Guard guard = new(hosts, RuleSet.Empty);
        guard.Attach(AttachChoice.Best);
        XdpAttachment ours = hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value;
        Assert.Equal(guard.Filter.Program.Id().Value, ours.ProgramId);
        string refusal = hosts.Guarded.Run(() => NamespaceThread.Refused(Tool, "load", "guard"));
        Assert.NotEmpty(refusal);
        Assert.Equal(ours, hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value);
        hosts.Guarded.Run(() => NamespaceThread.Refused(Tool, "unload", "guard"));
        Assert.Equal(ours, hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value);
    }

    private static TwoHosts Hosts()
    {
        Kernel.NeedXdp();
        Skip.IfNot(File.Exists(Tool), "xdp-tools is not installed");
        TwoHosts hosts = new();
        hosts.Guarded.Run(
            () => NamespaceThread.Command("mount", "-t", "bpf", "bpf", BpfPins.DefaultMount));
        return hosts;
    }
}
