using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// Puts a filter on interfaces and takes it off again. Every attachment is a pinned link: it
/// outlives this process, nobody else can replace it, and a new program takes the place of the old
/// one without a packet that meets neither. One thread at a time.
/// </summary>
public sealed class FilterAttachments(FilterPins pins) : IDisposable
{
    private readonly Dictionary<int, XdpLink> _links = [];

    /// <summary>Interfaces that packets are filtered on.</summary>
    public IReadOnlyCollection<int> Interfaces => _links.Keys;

    /// <summary>
    /// Climbs the ladder. Where user space is the result, nothing is attached. What somebody else
    /// attached stays, whatever was asked for, unless <paramref name="force"/> is set.
    /// </summary>
    /// <param name="filter">A filter that is pinned already.</param>
    /// <param name="ifindex">The interface.</param>
    /// <param name="choice">A single step is tried alone, and its refusal is a fault.</param>
    /// <param name="force">Takes a program off that is not ours.</param>
    public Result<AttachReport> Attach(
        XdpFilter filter, int ifindex, AttachChoice choice, bool force = false)
    {
        if (choice == AttachChoice.UserSpace)
        {
            Result detached = Detach(ifindex);
            return detached.IsOk ? new AttachReport(choice, []) : detached.Fault;
        }

        // Asked anew each time: the interface may have gone, and another one have its number.
        if (_links.Remove(ifindex, out XdpLink? held))
        {
            held.Dispose();
        }

        Result<XdpLink?> ours = pins.Link(ifindex);
        if (!ours.IsOk)
        {
            return ours.Fault;
        }

        if (ours.Value is not null)
        {
            _links[ifindex] = ours.Value;
            if (IsAlready(choice, ifindex, out AttachReport? report))
            {
                Result updated = ours.Value.Update(filter.Program, expected: null);
                return updated.IsOk
                    ? report! with { Notes = Notes(filter, ifindex) }
                    : updated.Fault;
            }

            Result detached = Detach(ifindex);
            if (!detached.IsOk)
            {
                return detached.Fault;
            }
        }

        return Climb(filter, ifindex, choice, force);
    }

    /// <summary>
    /// Moves every attachment to another filter. Each moves only from the expected program, so that
    /// two supervisors cannot undo each other's work unnoticed.
    /// </summary>
    /// <param name="filter">The new one.</param>
    /// <param name="expected">The one that is attached.</param>
    /// <param name="fromAny">An earlier supervisor may have ended halfway through this.</param>
    public Result Replace(XdpFilter filter, XdpFilter expected, bool fromAny = false)
    {
        foreach (XdpLink link in _links.Values)
        {
            Result result = link.Update(filter.Program, fromAny ? null : expected.Program);

            // An interface that is gone takes nothing else with it.
            if (!result.IsOk && result.Fault.Code != FaultCode.NotFound)
            {
                return result;
            }
        }

        Result taken = filter.TakeOver(expected);
        if (taken.IsOk)
        {
            pins.RemoveUnused(filter);
        }

        return taken;
    }

    /// <summary>
    /// Takes over what an earlier supervisor left attached. Returns the filter, null without one.
    /// </summary>
    public Result<XdpFilter?> Resume()
    {
        foreach (int ifindex in pins.Interfaces())
        {
            Result<XdpLink?> link = pins.Link(ifindex);
            if (!link.IsOk)
            {
                return link.Fault;
            }

            if (link.Value is not null)
            {
                _links[ifindex] = link.Value;
            }
        }

        return pins.Filter();
    }

    /// <summary>Takes the filter off an interface; nothing of it stays there.</summary>
    public Result Detach(int ifindex)
    {
        if (!_links.Remove(ifindex, out XdpLink? link))
        {
            Result<XdpLink?> pinned = pins.Link(ifindex);
            if (!pinned.IsOk || pinned.Value is null)
            {
                return pinned.IsOk ? Result.Ok : pinned.Fault;
            }

            link = pinned.Value;
        }

        using (link)
        {
            pins.RemoveLink(ifindex);
            return link.Detach();
        }
    }

    /// <summary>Takes the filter off every interface and removes all names.</summary>
    public Result DetachAll()
    {
        foreach (int ifindex in pins.Interfaces().Concat(_links.Keys).Distinct().ToList())
        {
            Result result = Detach(ifindex);
            if (!result.IsOk)
            {
                return result;
            }
        }

        pins.RemoveUnused(kept: null);
        pins.RemoveIfEmpty();
        return Result.Ok;
    }

    /// <summary>Closes our descriptors; the attachments stay.</summary>
    public void Dispose()
    {
        foreach (XdpLink link in _links.Values)
        {
            link.Dispose();
        }

        _links.Clear();
    }

    /// <summary>What is hidden from rules that ask for VLAN tags; null where nothing is.</summary>
    public static string? NoteOnTags(int ifindex) =>
        LinkFeatures.TakesVlanTagsOff(ifindex) is { IsOk: true, Value: true }
            ? "the driver may take VLAN tags off before the program sees them, and such frames "
                + "are judged as untagged: switch it off with 'ethtool -K NAME rxvlan off'"
            : null;

    private static IReadOnlyList<string> Notes(XdpFilter filter, int ifindex)
    {
        bool asksForTags = filter.Geometry.Has(PolicyFeature.Vlan)
            || filter.Geometry.Has(PolicyFeature.InnerVlan);
        return asksForTags && NoteOnTags(ifindex) is { } note ? [note] : [];
    }

    private static bool IsAlready(AttachChoice choice, int ifindex, out AttachReport? report)
    {
        Result<XdpAttachment> attached = XdpLink.Query(ifindex);
        AttachChoice step = attached.IsOk && attached.Value.Mode == XdpMode.Native
            ? AttachChoice.Native
            : AttachChoice.Generic;
        report = new AttachReport(step, []);
        return attached.IsOk && (choice == AttachChoice.Best || choice == step);
    }

    private Result<AttachReport> Climb(
        XdpFilter filter, int ifindex, AttachChoice choice, bool force)
    {
        List<AttachAttempt> attempts = [];
        foreach (AttachChoice step in (AttachChoice[])[AttachChoice.Native, AttachChoice.Generic])
        {
            if (choice != AttachChoice.Best && choice != step)
            {
                continue;
            }

            Fault? refusal = Try(filter, ifindex, step, force);
            if (refusal is null)
            {
                return new AttachReport(step, attempts) { Notes = Notes(filter, ifindex) };
            }

            attempts.Add(new AttachAttempt(step, refusal));
            if (refusal.Code == FaultCode.NotFound)
            {
                return refusal;
            }
        }

        return choice == AttachChoice.Best
            ? new AttachReport(AttachChoice.UserSpace, attempts)
            : attempts[0].Refusal;
    }

    private Fault? Try(XdpFilter filter, int ifindex, AttachChoice step, bool force)
    {
        XdpMode mode = step == AttachChoice.Native ? XdpMode.Native : XdpMode.Generic;
        if (force && XdpLink.Query(ifindex) is { IsOk: true, Value.Mode: not XdpMode.None })
        {
            Result evicted = XdpLink.Evict(ifindex);
            if (!evicted.IsOk)
            {
                return evicted.Fault;
            }
        }

        Result<XdpLink> link = XdpLink.Attach(filter.Program, ifindex, mode);
        if (!link.IsOk)
        {
            return link.Fault;
        }

        Result pinned = pins.Pin(link.Value, ifindex);
        if (!pinned.IsOk)
        {
            link.Value.Dispose(); // Not kept by a name, so it ends here.
            return pinned.Fault;
        }

        _links[ifindex] = link.Value;
        return null;
    }
}
