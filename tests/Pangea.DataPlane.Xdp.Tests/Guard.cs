using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>A filter with its pins on the guarded host of two.</summary>
internal sealed class Guard : IDisposable
{
    private readonly TwoHosts _hosts;
    private readonly FilterPins _pins;

    internal Guard(TwoHosts hosts, RuleSet rules)
        : this(hosts, Compile(rules, null))
    {
    }

    internal Guard(TwoHosts hosts, CompiledPolicy policy)
    {
        _hosts = hosts;
        _pins = hosts.Guarded.Run(
            () => FilterPins.Open(Path.Combine(hosts.Pins, "pangea"))).Value;
        Attachments = new FilterAttachments(_pins);
        Policy = policy;
        Filter = Load(Policy, null, new XdpFilterOptions());
    }

    internal FilterAttachments Attachments { get; }

    internal CompiledPolicy Policy { get; private set; }

    internal XdpFilter Filter { get; private set; }

    internal AttachReport Attach(AttachChoice choice)
    {
        Result<AttachReport> report = _hosts.Guarded.Run(
            () => Attachments.Attach(Filter, _hosts.Ifindex, choice));
        Assert.True(report.IsOk, report.Fault?.ToString());
        return report.Value;
    }

    /// <summary>Puts a new program in the place of the one that runs.</summary>
    internal void Replace(RuleSet rules, XdpFilterOptions? options = null)
    {
        Policy = Compile(rules, Policy);
        XdpFilter next = Load(Policy, Filter, options ?? new XdpFilterOptions());
        Result replaced = _hosts.Guarded.Run(() => Attachments.Replace(next, Filter));
        Assert.True(replaced.IsOk, replaced.Fault?.ToString());
        Filter.Dispose();
        Filter = next;
    }

    /// <summary>What a named rule has counted.</summary>
    internal PolicyCounter Count(string name)
    {
        int index = Enumerable.Range(0, Policy.Rules.Count)
            .First(i => Policy.Rules[i].Name == name);
        return Filter.Count((int)(PolicyConstants.CounterSlots + Policy.RuleSlots[index]));
    }

    internal static CompiledPolicy Compile(RuleSet rules, CompiledPolicy? before) =>
        PolicyCompiler.Compile(rules, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            ExtraFeatures = PolicyFeature.Bans,
            Slots = before?.Slots ?? SlotTable.Empty,
            Geometry = before?.Geometry,
        }).Value;

    public void Dispose()
    {
        Attachments.Dispose();
        Filter.Dispose();
    }

    private XdpFilter Load(CompiledPolicy policy, XdpFilter? previous, XdpFilterOptions options)
    {
        Result<XdpFilter> filter = XdpFilter.Load(options, policy, previous);
        Assert.True(filter.IsOk, filter.Fault?.ToString());
        Result pinned = _hosts.Guarded.Run(() => _pins.Pin(filter.Value));
        Assert.True(pinned.IsOk, pinned.Fault?.ToString());
        return filter.Value;
    }
}
