using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Tests.Generating;

/// <summary>
/// The firewall said plainly: rules one after the other, bans and buckets in dictionaries, no
/// image. It names rules where the twin names slots.
/// </summary>
public sealed class PlainFilter(RuleSet set, DateTimeOffset now)
{
    private readonly List<Rule> _rules =
        [.. set.Rules.Where(rule => !(rule.Expires <= now)).OrderBy(rule => rule.Priority)];

    private readonly Dictionary<IpPrefix, ulong> _bans = [];
    private readonly Dictionary<(Rule, IpPrefix?), (ulong Packets, ulong Bytes)> _buckets = [];
    private readonly Dictionary<(Rule, IpPrefix), (ulong Start, int Count)> _violations = [];

    /// <summary>Bans end at whole units of 67108864 ns (docs/firewall.md), rounded up.</summary>
    public void Ban(IpPrefix source, ulong expiryNs) =>
        _bans[source] = (expiryNs + 67108863) / 67108864 * 67108864;

    /// <summary>The verdict without a slot, and the rule or pin that decided.</summary>
    public (PacketVerdict Verdict, object? By) Judge(in PacketKey key, uint ifindex, ulong nowNs)
    {
        if (key.Essential)
        {
            return (Pass(PolicyReason.Essential), null);
        }

        if (key.Malformed != MalformedKind.None)
        {
            bool drop = ((set.MalformedDrop >> (int)key.Malformed) & 1) != 0;
            return (
                Verdict(drop, PolicyReason.Malformed, false) with { Malformed = key.Malformed },
                null);
        }

        IpPrefix? source = RuleMatch.Source(key);
        IpPrefix? destination = RuleMatch.Destination(key);
        Pin? pin =
            set.Pins.FirstOrDefault(pin => pin.Direction == Direction.From
                && RuleMatch.Contains(set, pin.Addresses, source))
            ?? set.Pins.FirstOrDefault(pin => pin.Direction == Direction.To
                && RuleMatch.Contains(set, pin.Addresses, destination));
        if (pin is not null)
        {
            return (Pass(PolicyReason.Pinned), pin);
        }

        if (source is IpPrefix address && _bans.Any(
            ban => ban.Key.Contains(address) && ban.Value > nowNs))
        {
            return (Verdict(true, PolicyReason.Ban, false), null);
        }

        return ByRules(key, ifindex, nowNs);
    }

    private (PacketVerdict Verdict, object? By) ByRules(
        in PacketKey key, uint ifindex, ulong nowNs)
    {
        string? name = RuleSetGenerator.InterfaceName(ifindex);
        foreach (Rule rule in _rules.Where(rule => rule.Action == RuleAction.Limit))
        {
            if (RuleMatch.Matches(set, rule, key, name))
            {
                if (IsOver(rule, key, nowNs) && !rule.Monitor)
                {
                    return (Verdict(true, PolicyReason.Rate, false), rule);
                }

                break;
            }
        }

        foreach (Rule rule in _rules.Where(rule => rule.Action != RuleAction.Limit))
        {
            if (RuleMatch.Matches(set, rule, key, name))
            {
                bool isOver = rule.Limit is not null && IsOver(rule, key, nowNs);
                return (
                    Verdict(
                        rule.Action == RuleAction.Deny || isOver,
                        isOver ? PolicyReason.Rate : PolicyReason.Rule,
                        rule.Monitor),
                    rule);
            }
        }

        bool deny = name is not null && set.InterfaceDefaults.TryGetValue(name, out RuleAction at)
            ? at == RuleAction.Deny
            : set.Default == RuleAction.Deny;
        return (Verdict(deny, PolicyReason.Default, false), null);
    }

    private bool IsOver(Rule rule, in PacketKey key, ulong nowNs)
    {
        RuleLimit limit = rule.Limit!;
        IpPrefix? source = RuleMatch.Source(key);
        IpPrefix? bucket = limit.Scope == PolicyScope.Rule
            ? null
            : Cut(source, source?.IsV6 == true ? limit.Prefix6 : limit.Prefix4)
                ?? new IpPrefix(0, 1, true);
        (ulong packets, ulong bytes) = _buckets.GetValueOrDefault((rule, bucket));
        if (limit.Packets is Rate rate)
        {
            ulong cost = 1_000_000_000 / rate.Count;
            packets = Later(packets, cost, cost * rate.Burst, nowNs);
        }

        if (limit.Bytes is Rate byteRate)
        {
            ulong cost = (1_000_000_000UL << 20) / byteRate.Count;
            bytes = Later(
                bytes, (key.FrameBytes * cost) >> 20, (cost * byteRate.Burst) >> 20, nowNs);
        }

        if (packets != ulong.MaxValue && bytes != ulong.MaxValue)
        {
            _buckets[(rule, bucket)] = (packets, bytes);
            return false;
        }

        if (limit.Ban is BanAfter ban && !rule.Monitor && !set.Monitor && source is not null)
        {
            Violation(rule, ban, Cut(source, source.Value.IsV6 ? ban.Bits6 : 32)!.Value, nowNs);
        }

        return true;
    }

    private void Violation(Rule rule, BanAfter ban, IpPrefix source, ulong nowNs)
    {
        (ulong start, int count) = _violations.GetValueOrDefault((rule, source));
        if (count == 0 || nowNs < start || nowNs - start > (ulong)ban.Window.TotalNanoseconds)
        {
            (start, count) = (nowNs, 0);
        }

        if (++count >= ban.After)
        {
            count = 0;
            Ban(source, nowNs + (ulong)ban.Duration!.Value.TotalNanoseconds);
        }

        _violations[(rule, source)] = (start, count);
    }

    private static IpPrefix? Cut(IpPrefix? address, int bits) => address is IpPrefix whole
        ? new IpPrefix(whole.Top & IpPrefix.Mask(bits), (byte)bits, whole.IsV6)
        : null;

    /// <summary>The next theoretical arrival time, all ones if the packet is over.</summary>
    private static ulong Later(ulong tat, ulong cost, ulong burst, ulong now)
    {
        ulong from = tat >= now && tat - now <= burst ? tat : now;
        return from + cost - now > burst ? ulong.MaxValue : from + cost;
    }

    private static PacketVerdict Pass(PolicyReason reason) =>
        new(false, reason, false, MalformedKind.None, PolicyConstants.SlotNone);

    private PacketVerdict Verdict(bool drop, PolicyReason reason, bool monitored)
    {
        bool isMonitored = drop && (monitored || set.Monitor);
        return Pass(reason) with { Dropped = drop && !isMonitored, Monitored = isMonitored };
    }
}
