using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Cli.Firewalling;

/// <summary>
/// Judges packets by the rules of a file, without any appliance. Limits are charged by the times of
/// a capture, so it shows what they would have done to that traffic.
/// </summary>
internal sealed class LocalJudge
{
    private readonly UserspaceFilter _filter;
    private readonly Dictionary<Rule, int> _numbers = new(ReferenceEqualityComparer.Instance);
    private readonly string? _interface;
    private readonly uint _interfaceIndex;
    private ulong _nowNs = 1_000_000_000_000;

    private LocalJudge(CompiledPolicy policy, string? interfaceName, uint interfaceIndex)
    {
        _filter = new UserspaceFilter(policy);
        _interface = interfaceName;
        _interfaceIndex = interfaceIndex;
        for (int i = 0; i < policy.RuleSet.Rules.Count; i++)
        {
            _numbers.TryAdd(policy.RuleSet.Rules[i], i + 1);
        }
    }

    /// <summary>Compiles a set as if all interfaces that it names were there.</summary>
    public static Result<CompiledPolicy> Compile(
        RuleSet set, string? interfaceName, out Dictionary<string, uint> interfaces)
    {
        interfaces = [];
        foreach (string name in set.Rules.SelectMany(rule => rule.Interfaces)
            .Concat(set.InterfaceDefaults.Keys)
            .Concat(interfaceName is null ? [] : [interfaceName]))
        {
            interfaces.TryAdd(name, (uint)interfaces.Count + 1);
        }

        return PolicyCompiler.Compile(set, new CompileOptions
        {
            Now = DateTimeOffset.UtcNow,
            Interfaces = interfaces,
        });
    }

    public static Result<LocalJudge> Create(RuleSet set, string? interfaceName)
    {
        Result<CompiledPolicy> policy = Compile(
            set, interfaceName, out Dictionary<string, uint> interfaces);
        return policy.IsOk
            ? new LocalJudge(
                policy.Value,
                interfaceName,
                interfaceName is null ? 0 : interfaces[interfaceName])
            : policy.Fault;
    }

    public FirewallTestVerdict Judge(TestFrame frame)
    {
        // A capture may begin at 1970 or jump back; the clock of limits only moves on.
        _nowNs = Math.Max(_nowNs + 1, frame.TimeNs);
        ReadOnlySpan<byte> head = frame.Head.Span;
        PacketParser.Parse(head, frame.FrameBytes, out PacketKey key);
        PacketVerdict verdict = _filter.Judge(
            head, frame.FrameBytes, _interfaceIndex, _nowNs);
        Explanation why = Explanation.Of(_filter.Policy, key, _interface, verdict);
        Rule? rule = verdict.Reason is PolicyReason.Rule or PolicyReason.Rate
            ? _filter.Policy.RuleAt(verdict.Slot)
            : null;
        return new FirewallTestVerdict
        {
            Verdict = verdict.Monitored ? "wouldDrop" : verdict.Dropped ? "drop" : "pass",
            Reason = verdict.Reason.ToString().ToLowerInvariant(),
            Malformed = verdict.Malformed == MalformedKind.None
                ? null
                : RuleText.Word(verdict.Malformed),
            Number = rule is not null && _numbers.TryGetValue(rule, out int number)
                ? number
                : null,
            Name = rule?.Name,
            Rule = why.By,
            Packet = why.Packet,
            Explanation = why.Decision,
            AlsoMatching = why.AlsoMatching,
        };
    }
}
