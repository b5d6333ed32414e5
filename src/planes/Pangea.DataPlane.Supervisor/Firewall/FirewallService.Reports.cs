using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <content>The calls that only read, and those about bans.</content>
internal sealed partial class FirewallService
{
    private const int FrameBytesMax = 65_536 + 64;

    /// <summary><c>firewall.status</c>.</summary>
    public FirewallStatusResult Status()
    {
        FirewallView view = _view;
        RuleSet set = view.Policy.RuleSet;
        return new FirewallStatusResult
        {
            Enabled = true,
            Reason = view.Filter is null ? _kernel.Refusal?.Message : null,
            Interfaces =
            [
                .. view.Interfaces.Select(each => Describe(each, view.Filter, view.Policy)),
            ],
            Generation = (long)view.Generation,
            Rules = set.Rules.Count,
            Prefixes = view.Policy.Sizes.Prefixes,
            RulesFrom = view.RulesFrom,
            RulesFile = _settings.RulesPath,
            Default = set.Default == RuleAction.Deny ? "deny" : "allow",
            Monitor = set.Monitor,
            ConfirmBefore = view.ConfirmBefore?.UtcDateTime,
            Bans = _bans.List().Count(),
            BansMax = view.Filter?.Bans4.Capacity / 2 ?? _settings.BansMax,
            ImageBytes = view.Policy.ImageBytes.Length,
            MapBytes = view.Filter?.MapBytes,
            Warnings = Warnings(view.Policy, view.Shadowed),
        };
    }

    /// <summary><c>firewall.stats</c>.</summary>
    public FirewallStatsResult Stats()
    {
        FirewallView view = _view;
        List<FirewallReasonCount> reasons = [];
        foreach (PolicyReason reason in Enum.GetValues<PolicyReason>())
        {
            PolicyCounter real = Count(view, (uint)reason);
            PolicyCounter would = Count(view, (uint)reason + PolicyConstants.CounterMonitor);
            reasons.Add(new FirewallReasonCount
            {
                Reason = FirewallWords.Of(reason),
                PassedPackets = (long)real.PassedPackets,
                PassedBytes = (long)real.PassedBytes,
                DroppedPackets = (long)real.DroppedPackets,
                DroppedBytes = (long)real.DroppedBytes,
                WouldDropPackets = (long)would.DroppedPackets,
                WouldDropBytes = (long)would.DroppedBytes,
            });
        }

        List<FirewallMalformedCount> malformed = [];
        foreach (MalformedKind kind in Enum.GetValues<MalformedKind>())
        {
            PolicyCounter count = Count(view, (uint)kind + PolicyConstants.CounterMalformed);
            long packets = (long)(count.PassedPackets + count.DroppedPackets);
            if (kind != MalformedKind.None && packets > 0)
            {
                malformed.Add(new FirewallMalformedCount
                {
                    Kind = FirewallWords.Of(kind)!,
                    Packets = packets,
                    Bytes = (long)(count.PassedBytes + count.DroppedBytes),
                });
            }
        }

        return new FirewallStatsResult
        {
            Reasons = reasons,
            Malformed = malformed,
            Interfaces =
            [
                .. view.Interfaces.Select(each => Describe(each, view.Filter, view.Policy)),
            ],
            Bans = _bans.List().Count(),
            BansRefused = _bans.Refused,
        };
    }

    /// <summary>For <c>stats.read</c>: packets by what decided about them.</summary>
    public IEnumerable<MetricRecord> Metrics()
    {
        FirewallView view = _view;
        foreach (PolicyReason reason in Enum.GetValues<PolicyReason>())
        {
            string word = FirewallWords.Of(reason);
            PolicyCounter count = Count(view, (uint)reason);
            PolicyCounter would = Count(view, (uint)reason + PolicyConstants.CounterMonitor);
            yield return Metric($"{word}_passed", "passed", word, count.PassedPackets);
            yield return Metric($"{word}_dropped", "dropped", word, count.DroppedPackets);
            yield return Metric(
                $"{word}_would_drop", "passed only for monitoring", word, would.DroppedPackets);
        }
    }

    /// <summary><c>firewall.rule.list</c>.</summary>
    public Result<FirewallRuleListResult> List(FirewallRuleListParameters asked)
    {
        FirewallView view = _view;
        if (asked.Generation is { } generation && (ulong)generation != view.Generation)
        {
            return new Fault(
                FaultCode.BadState,
                $"the rules are of generation {view.Generation}, not {generation}",
                "list them from the beginning");
        }

        IReadOnlyList<Rule> rules = view.Policy.RuleSet.Rules;
        var page = new FirewallRulePage(asked.Limit);
        for (int i = Math.Max(0, asked.After ?? 0); i < rules.Count; i++)
        {
            int? by = view.NumberOf(view.ShadowOf(rules[i]));
            if (!page.TryAdd(Describe(view, rules[i], i + 1, by)))
            {
                break;
            }
        }

        return page.Build((long)view.Generation, rules.Count);
    }

    /// <summary><c>firewall.ban</c>.</summary>
    public Result<FirewallBan> Ban(FirewallBanParameters asked)
    {
        if (!IpPrefix.TryParse(asked.Address, out IpPrefix source, out string? error))
        {
            return Fault.InvalidParameter("address", $"{asked.Address}: {error}");
        }

        TimeSpan? duration =
            asked.ForSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        Result added = _bans.Add(source, duration, new BanNote("operator", asked.Comment));
        if (!added.IsOk)
        {
            return added.Fault;
        }

        EventLog.Write(
            "firewall.banned", ("source", source), ("seconds", asked.ForSeconds),
            ("comment", asked.Comment));
        return new FirewallBan
        {
            Address = source.ToString(),
            Expires = duration is { } time ? DateTime.UtcNow + time : null,
            Comment = asked.Comment,
            Origin = "operator",
        };
    }

    /// <summary><c>firewall.unban</c>.</summary>
    public Result<FirewallUnbanResult> Unban(FirewallUnbanParameters asked)
    {
        if (asked.All == asked.Address is not null)
        {
            return Fault.InvalidParameter("address", "give an address or all");
        }

        if (asked.All)
        {
            return new FirewallUnbanResult { Removed = _bans.Clear() };
        }

        if (!IpPrefix.TryParse(asked.Address, out IpPrefix source, out string? error))
        {
            return Fault.InvalidParameter("address", $"{asked.Address}: {error}");
        }

        return _bans.Remove(source)
            ? new FirewallUnbanResult { Removed = 1 }
            : new Fault(FaultCode.NotFound, $"{source} is not banned");
    }

    /// <summary><c>firewall.bans</c>.</summary>
    public Result<FirewallBansResult> Bans(FirewallBansParameters asked)
    {
        IpPrefix after = default;
        string? error = null;
        if (asked.After is { } text && !IpPrefix.TryParse(text, out after, out error))
        {
            return Fault.InvalidParameter("after", $"{text}: {error}");
        }

        // The lowest of those behind the mark; the highest of them on top of the heap.
        int limit = Math.Clamp(asked.Limit ?? Limits.ListPageMax, 1, Limits.ListPageMax);
        PriorityQueue<(IpPrefix Source, ulong ExpiryNs), IpPrefix> page =
            new(Comparer<IpPrefix>.Create((one, other) => Compare(other, one)));
        long total = 0;
        foreach ((IpPrefix Source, ulong ExpiryNs) each in _bans.List())
        {
            total++;
            if (asked.After is null || Compare(each.Source, after) > 0)
            {
                page.Enqueue(each, each.Source);
                if (page.Count > limit + 1)
                {
                    page.Dequeue();
                }
            }
        }

        bool hasMore = page.Count > limit;
        if (hasMore)
        {
            page.Dequeue();
        }

        ulong nowNs = _bans.NowNs;
        DateTimeOffset now = DateTimeOffset.UtcNow;
        FirewallBan[] bans = new FirewallBan[page.Count];
        for (int i = bans.Length - 1; i >= 0; i--)
        {
            (IpPrefix source, ulong expiryNs) = page.Dequeue();
            BanNote? note = _bans.NoteOf(source);
            bans[i] = new FirewallBan
            {
                Address = source.ToString(),
                Expires = _bans.EndOf(expiryNs, nowNs, now),
                Comment = note?.Comment,
                Origin = note?.Origin,
            };
        }

        return new FirewallBansResult
        {
            Bans = bans,
            Total = total,
            Next = hasMore ? bans[^1].Address : null,
        };
    }

    /// <summary><c>firewall.events</c>.</summary>
    public FirewallEventsResult Events(FirewallEventsParameters asked)
    {
        _samples.Drain(_view.RuleAt);
        int limit = Math.Clamp(asked.Limit ?? Limits.ListPageMax, 1, Limits.ListPageMax);

        // Numbers begin anew with the process: a mark from before it is behind all samples.
        long after = asked.After is { } mark && mark <= _samples.Last ? mark : 0;
        long first = Math.Max(_samples.First, after + 1);
        ulong nowNs = _bans.NowNs;
        DateTime now = DateTime.UtcNow;
        List<FirewallEvent> events = [];
        for (long i = first; i <= _samples.Last && events.Count < limit; i++)
        {
            events.Add(Describe(_view, i, nowNs, now));
        }

        return new FirewallEventsResult
        {
            Events = events,
            Next = events.Count > 0 ? events[^1].Sequence : Math.Max(after, _samples.Last),
        };
    }

    /// <summary>
    /// <c>firewall.test</c>: rates begin empty, and nothing of it is left afterwards.
    /// </summary>
    public Result<FirewallTestResult> Test(FirewallTestParameters asked)
    {
        FirewallView view = _view;
        uint ifindex = 0;
        if (asked.Interface is { } name && !view.Present.TryGetValue(name, out ifindex))
        {
            return Fault.InvalidParameter("interface", $"there is no interface {name}");
        }

        const int framesMax = 64;
        if (asked.Frames.Count > framesMax)
        {
            return new Fault(
                FaultCode.TooLarge, $"{asked.Frames.Count} frames, at most {framesMax} a call");
        }

        const int sourcesMax = 256;
        var twin = new UserspaceFilter(view.Policy, sourcesMax);
        ulong nowNs = _bans.NowNs;
        List<FirewallTestVerdict> verdicts = [];
        foreach (FirewallTestFrame frame in asked.Frames)
        {
            Result<byte[]> bytes = Decode(frame, verdicts.Count);
            if (!bytes.IsOk)
            {
                return bytes.Fault;
            }

            int length = Math.Max(frame.FrameBytes ?? 0, bytes.Value.Length);
            PacketParser.Parse(bytes.Value, length, out PacketKey key);
            if (RuleMatch.Source(key) is { } source && _bans.Contains(source))
            {
                _ = twin.Ban(source, ulong.MaxValue);
            }

            PacketVerdict verdict = twin.Judge(key, ifindex, nowNs);
            verdicts.Add(Describe(view, key, asked.Interface, verdict));
        }

        return new FirewallTestResult { Verdicts = verdicts };
    }

    private static Result<byte[]> Decode(FirewallTestFrame frame, int index)
    {
        if (frame.Hex.Length > 2 * FrameBytesMax)
        {
            return new Fault(FaultCode.TooLarge, $"frames[{index}] is longer than any frame");
        }

        byte[] bytes = new byte[frame.Hex.Length / 2];
        return frame.Hex.Length % 2 == 0
            && Convert.FromHexString(frame.Hex, bytes, out _, out _)
                == System.Buffers.OperationStatus.Done
            ? bytes
            : Fault.InvalidParameter($"frames[{index}].hex", "not two hexadecimal digits a byte");
    }

    private static int Compare(IpPrefix one, IpPrefix other) =>
        one.IsV6 != other.IsV6 ? one.IsV6.CompareTo(other.IsV6)
        : one.Top != other.Top ? one.Top.CompareTo(other.Top)
        : one.Bits.CompareTo(other.Bits);

    private static PolicyCounter Count(FirewallView view, uint index) =>
        view.Filter is { } filter && index < filter.CounterCount
            ? filter.Count((int)index)
            : default;

    private static MetricRecord Metric(string name, string how, string word, ulong value) => new()
    {
        Name = $"pangea_firewall_{name}_packets_total",
        Unit = "packets",
        Kind = "counter",
        Help = $"packets that {how}; the test \"{word}\" decided",
        Value = (long)value,
    };

    private static FirewallInterface Describe(
        Guarded each, XdpFilter? filter, CompiledPolicy policy) => new()
    {
        Name = each.Name,
        Present = each.Index is not null,
        Wanted = Configuration.FirewallSettings.NameOf(each.Wanted.Choice),
        Mode = each.Mode,
        Reason = Reason(each, policy),
        Configured = each.IsConfigured,
        Force = each.Wanted.Force,
        Index = each.Index,
        ProgramId = each.Mode is "native" or "generic"
            && filter?.Program.Id() is { IsOk: true } id ? (int)id.Value : null,
    };

    /// <summary>Why not better, and what the interface hides from the rules in use.</summary>
    private static string? Reason(Guarded each, CompiledPolicy policy)
    {
        bool asksForTags = each.Mode is "native" or "generic"
            && policy.Rules.Any(rule => rule.Vlan is not null || rule.InnerVlan is not null);
        string? note = asksForTags ? FilterAttachments.NoteOnTags(each.Index!.Value) : null;
        return note is null || each.Reason is null ? note ?? each.Reason : $"{each.Reason}; {note}";
    }

    private static FirewallRule Describe(
        FirewallView view, Rule rule, int number, int? shadowedBy)
    {
        PolicyCounter count = view.Policy.SlotOf(rule) is { } slot
            ? Count(view, PolicyConstants.CounterSlots + slot)
            : default;
        bool isMonitored = rule.Monitor || view.Policy.RuleSet.Monitor;
        return new FirewallRule
        {
            Number = number,
            Name = rule.Name,
            Text = RuleText.Print(rule),
            Owner = rule.Owner,
            Comment = rule.Comment,
            Expires = rule.Expires?.UtcDateTime,
            Packets = (long)(count.PassedPackets + count.DroppedPackets),
            Bytes = (long)(count.PassedBytes + count.DroppedBytes),
            Drops = isMonitored ? 0 : (long)count.DroppedPackets,
            WouldDrop = isMonitored ? (long)count.DroppedPackets : null,
            ShadowedBy = shadowedBy,
        };
    }

    private FirewallEvent Describe(FirewallView view, long sequence, ulong nowNs, DateTime now)
    {
        PolicyEvent sample = _samples[sequence];
        ReadOnlySpan<byte> head = ((ReadOnlySpan<byte>)sample.Head)[..Math.Min(
            (int)sample.HeadBytes, (int)PolicyConstants.EventHeadBytes)];
        PacketParser.Parse(head, (int)sample.FrameBytes, out PacketKey key);
        Rule? rule = _samples.RuleOf(sequence);
        long agoNs = (long)(nowNs - Math.Min(nowNs, sample.TimeNs));
        return new FirewallEvent
        {
            Sequence = sequence,
            Time = now.AddTicks(-agoNs / 100),
            Interface = view.NameOf(sample.Ifindex),
            Verdict = FirewallWords.Verdict(sample.Dropped != 0, sample.Dropped == 0),
            Reason = FirewallWords.Of((PolicyReason)sample.Reason),
            Malformed = FirewallWords.Of((MalformedKind)sample.Malformed),
            Number = view.NumberOf(rule),
            Name = rule?.Name,
            Rule = rule is null ? null : Short(rule),
            Packet = Explanation.Describe(key),
            FrameBytes = sample.FrameBytes,
            Head = Convert.ToHexStringLower(head),
        };
    }

    private static FirewallTestVerdict Describe(
        FirewallView view, in PacketKey key, string? interfaceName, PacketVerdict verdict)
    {
        Explanation why = Explanation.Of(view.Policy, key, interfaceName, verdict);
        Rule? rule = verdict.Reason is PolicyReason.Rule or PolicyReason.Rate
            ? view.RuleAt(verdict.Slot)
            : null;
        return new FirewallTestVerdict
        {
            Verdict = FirewallWords.Verdict(verdict.Dropped, verdict.Monitored),
            Reason = FirewallWords.Of(verdict.Reason),
            Malformed = FirewallWords.Of(verdict.Malformed),
            Number = view.NumberOf(rule),
            Name = rule?.Name,
            Rule = why.By,
            Packet = why.Packet,
            Explanation = why.Decision,
            AlsoMatching = why.AlsoMatching,
        };
    }
}
