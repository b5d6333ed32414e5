using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: each step of the ladder that is not taken is really refused, says why, and the next one is
/// tried; a program of somebody else stays.
/// </summary>
public sealed class AttachRefusalTests
{

    public enum Holder
    {
        Link,
        Netlink,
    }

    [SkippableTheory]
    [InlineData(XdpMode.Native, Holder.Link)]
    [InlineData(XdpMode.Native, Holder.Netlink)]
    [InlineData(XdpMode.Generic, Holder.Link)]
    [InlineData(XdpMode.Generic, Holder.Netlink)]
    public void A_program_of_somebody_else_stays_and_user_space_judges(XdpMode mode, Holder holder)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        uint theirs = guard.Filter.Clock.Id().Value;
        using XdpLink? link = hosts.Guarded.Run(() => Put(hosts, guard.Filter, mode, holder));
        AttachReport report = guard.Attach(AttachChoice.Best);
        Assert.Equal(AttachChoice.UserSpace, report.Step);
        Assert.Equal(
            [AttachChoice.Native, AttachChoice.Generic], report.Attempts.Select(a => a.Step));
        Assert.All(report.Attempts, a => Assert.Equal(FaultCode.Exists, a.Refusal.Code));
        Assert.Contains("another XDP program", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("by force", report.Attempts[0].Refusal.Hint, StringComparison.Ordinal);
        Assert.Equal(
            new XdpAttachment(mode, theirs),
            hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value);

        // By force only what no link of somebody else holds.
        Result<AttachReport> forced = hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, hosts.Ifindex, AttachChoice.Best, force: true));
        Assert.True(forced.IsOk, forced.Fault?.ToString());
        Assert.Equal(
            holder == Holder.Netlink ? AttachChoice.Native : AttachChoice.UserSpace,
            forced.Value.Step);
        Assert.Equal(
            holder == Holder.Netlink ? guard.Filter.Program.Id().Value : theirs,
            hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value.ProgramId);
    }

    [SkippableFact]
    public void A_driver_without_native_mode_gets_the_generic_one_with_the_reason()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        const int loopback = 1;
        Result<AttachReport> native = hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, loopback, AttachChoice.Native));
        Assert.Equal(FaultCode.Unsupported, native.Fault?.Code);
        Assert.Contains("driver", native.Fault!.Message, StringComparison.Ordinal);
        AttachReport report = hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, loopback, AttachChoice.Best)).Value;
        Assert.Equal(AttachChoice.Generic, report.Step);
        Assert.StartsWith(
            "generic XDP, because cannot attach", report.ToString(), StringComparison.Ordinal);
        Assert.Equal(
            XdpMode.Generic, hosts.Guarded.Run(() => XdpLink.Query(loopback)).Value.Mode);
    }

    [SkippableFact]
    public void Rules_for_tags_that_the_driver_takes_off_are_noted()
    {
        // A veth hands tags of its peer over beside the frame, as network cards do by default.
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        Assert.Empty(guard.Attach(AttachChoice.Best).Notes);
        guard.Replace(RuleSet.Empty with
        {
            Rules = [new Rule { Action = RuleAction.Deny, Vlan = 10 }],
        });
        foreach (AttachChoice choice in (AttachChoice[])[AttachChoice.Best, AttachChoice.Generic])
        {
            Assert.Contains(
                "rxvlan off", Assert.Single(guard.Attach(choice).Notes), StringComparison.Ordinal);
        }

        const int loopback = 1;
        Assert.Empty(hosts.Guarded.Run(() => guard.Attachments.Attach(
            guard.Filter, loopback, AttachChoice.Best)).Value.Notes);
    }

    [SkippableFact]
    public void A_driver_that_refuses_the_MTU_says_so()
    {
        // A program that takes no frames in parts, as the filter's own one would be refused by
        // drivers without support for them.
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        hosts.Other.Run(() => NamespaceThread.Command("ip", "link", "set", "other", "mtu", "9000"));
        Fault? fault = hosts.Guarded.Run(
            () => XdpLink.Attach(guard.Filter.Clock, hosts.Ifindex, XdpMode.Native)).Fault;
        Assert.Equal(FaultCode.Unsupported, fault?.Code);
        Assert.Contains("MTU", fault!.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void An_interface_that_goes_between_the_steps_is_no_reason_for_user_space()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        hosts.Guarded.Run(() => NamespaceThread.Command("ip", "link", "delete", "guard"));
        Result<AttachReport> report = hosts.Guarded.Run(
            () => guard.Attachments.Attach(guard.Filter, hosts.Ifindex, AttachChoice.Best));
        Assert.Equal(FaultCode.NotFound, report.Fault?.Code);
        Assert.Empty(guard.Attachments.Interfaces);
    }

    private static XdpLink? Put(TwoHosts hosts, XdpFilter filter, XdpMode mode, Holder holder)
    {
        if (holder == Holder.Link)
        {
            return XdpLink.Attach(filter.Clock, hosts.Ifindex, mode).Value;
        }

        string pin = Path.Combine(hosts.Pins, "others");
        Assert.True(BpfPins.Pin(filter.Clock.Fd, pin).IsOk);
        NamespaceThread.Command(
            "ip", "link", "set", "guard", mode == XdpMode.Native ? "xdpdrv" : "xdpgeneric",
            "pinned", pin);
        File.Delete(pin);
        return null;
    }
}
