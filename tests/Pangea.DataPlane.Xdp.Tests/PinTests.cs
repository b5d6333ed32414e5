using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: whatever stands in the directory of names, a start comes to a filter that guards, and
/// nothing of somebody else is removed.
/// </summary>
public sealed class PinTests
{
    [SkippableFact]
    public void Names_that_are_not_ours_are_left_alone()
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        using Guard guard = new(hosts, RuleSet.Empty);
        string folder = Path.Combine(hosts.Pins, "pangea");
        string[] foreign = [Path.Combine(folder, "links", "eth0"), Path.Combine(folder, "notes")];
        hosts.Guarded.Run(() =>
        {
            Array.ForEach(
                foreign,
                path => Assert.True(BpfPins.Pin(guard.Filter.Maps["bans6"].Fd, path).IsOk));
            Directory.CreateDirectory(Path.Combine(folder, "filter-x"));
        });
        guard.Attach(AttachChoice.Best);
        guard.Replace(RuleSet.Empty with { Default = RuleAction.Deny });
        hosts.Guarded.Run(() =>
        {
            using FilterAttachments again = new(FilterPins.Open(folder).Value);
            Result<XdpFilter?> resumed = again.Resume();
            Assert.True(resumed.IsOk, resumed.Fault?.ToString());
            using XdpFilter filter = resumed.Value!;
            Assert.Equal([hosts.Ifindex], again.Interfaces);
            Result detached = again.DetachAll();
            Assert.True(detached.IsOk, detached.Fault?.ToString());
            Assert.All(foreign, path => Assert.True(File.Exists(path)));
            Assert.True(Directory.Exists(Path.Combine(folder, "filter-x")));
            Assert.Single(Directory.GetDirectories(folder, "filter-*"));
            Assert.Equal(default, XdpLink.Query(hosts.Ifindex).Value);
        });
    }

    /// <summary>
    /// What cannot be taken over goes on filtering until a new program has its place, and leaves
    /// no name.
    /// </summary>
    [SkippableTheory]
    [InlineData("counters", true)]
    [InlineData("rodata_config", true)]
    [InlineData("bans4", false)]
    [InlineData("firewall", false)]
    public void A_filter_that_cannot_be_taken_over_gives_way_to_a_new_one(
        string pin, bool isAnother)
    {
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        string folder = Path.Combine(hosts.Pins, "pangea");
        using (Guard first = new(hosts, RuleSet.Empty))
        {
            first.Attach(AttachChoice.Best);
            hosts.Guarded.Run(() =>
            {
                string path = Path.Combine(
                    folder, $"filter-{first.Filter.Program.Id().Value}", pin);
                Assert.True(File.Exists(path), path);
                File.Delete(path);
                if (isAnother)
                {
                    // A map of another size, as another version would have.
                    Assert.True(BpfPins.Pin(first.Filter.Maps["bloom6"].Fd, path).IsOk);
                }
            });
        }

        using FilterAttachments again = new(
            hosts.Guarded.Run(() => FilterPins.Open(folder)).Value);
        Result<XdpFilter?> resumed = hosts.Guarded.Run(again.Resume);
        Assert.False(resumed.IsOk);
        Assert.Equal(isAnother, resumed.Fault.Code == FaultCode.Unsupported);
        uint before = hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value.ProgramId;
        Assert.NotEqual(0u, before);
        using Guard next = new(hosts, RuleSet.Empty);
        Assert.Equal(AttachChoice.Native, next.Attach(AttachChoice.Best).Step);
        Assert.Equal(
            next.Filter.Program.Id().Value,
            hosts.Guarded.Run(() => XdpLink.Query(hosts.Ifindex)).Value.ProgramId);
        next.Replace(RuleSet.Empty with { Default = RuleAction.Deny });
        Assert.Single(hosts.Guarded.Run(() => Directory.GetDirectories(folder, "filter-*")));
    }

    [SkippableFact]
    public void The_same_directory_serves_two_supervisors_one_after_the_other()
    {
        // Goal: many starts leave one filter and no descriptor or name behind.
        Kernel.NeedXdp();
        using TwoHosts hosts = new();
        string folder = Path.Combine(hosts.Pins, "pangea");
        using (Guard first = new(hosts, RuleSet.Empty))
        {
            first.Attach(AttachChoice.Best);
        }

        PolicyGeometry geometry = default;
        for (int i = 0; i < 20; i++)
        {
            hosts.Guarded.Run(() =>
            {
                using FilterAttachments again = new(FilterPins.Open(folder).Value);
                using XdpFilter filter = again.Resume().Value!;
                Assert.True(i == 0 || geometry == filter.Geometry);
                geometry = filter.Geometry;
            });
        }

        Assert.Single(hosts.Guarded.Run(() => Directory.GetDirectories(folder, "filter-*")));
    }
}
