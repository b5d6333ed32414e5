using System.Text;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <content>The firewall: keeps the text of the rules and says known things about it.</content>
internal sealed partial class FakeAppliance
{
    /// <summary>The rules as the last replace brought them.</summary>
    public string RuleTextInUse { get; set; } = "default allow\n";

    /// <summary>Parameters of every firewall call, in their order.</summary>
    public List<string> FirewallCalls { get; } = [];

    /// <summary>Pages of events; the appliance fails with canceled behind the last.</summary>
    public Queue<IReadOnlyList<FirewallEvent>> EventPages { get; } = new();

    private static bool IsFirewall(RpcMethod method) =>
        method.Name.StartsWith("firewall.", StringComparison.Ordinal);

    private byte[]? AnswerFirewall(
        ReadOnlySpan<byte> id, RpcMessage call, DescriptorSet descriptors)
    {
        if (!call.Method.StartsWith("firewall.", StringComparison.Ordinal))
        {
            return null;
        }

        FirewallCalls.Add($"{call.Method} {Encoding.UTF8.GetString(call.Parameters.Span)}");
        return call.Method switch
        {
            "firewall.status" => RpcWriter.Result(
                id, FirewallMethods.Status, SampleFirewall.Status),
            "firewall.attach" => RpcWriter.Result(
                id, FirewallMethods.Attach, SampleFirewall.Status.Interfaces[1]),
            "firewall.detach" => RpcWriter.Result(
                id, FirewallMethods.Detach, new FirewallDetachResult { Interfaces = ["eth0"] }),
            "firewall.rule.list" => ListRules(
                id, RpcParameters.Read(FirewallRuleMethods.List, call).Value),
            "firewall.rule.add" => Change(
                id, RpcParameters.Read(FirewallRuleMethods.Add, call).Value.ConfirmSeconds, 4),
            "firewall.rule.remove" => Change(
                id, RpcParameters.Read(FirewallRuleMethods.Remove, call).Value.ConfirmSeconds, 3),
            "firewall.rule.replace" => Replace(
                id,
                RpcParameters.Read(FirewallRuleMethods.Replace, call).Value.ConfirmSeconds,
                descriptors),
            "firewall.rule.export" => Export(id, descriptors),
            "firewall.confirm" or "firewall.rollback" => Change(id, null, null),
            "firewall.ban" => RpcWriter.Result(
                id,
                FirewallMethods.Ban,
                SampleFirewall.Ban(RpcParameters.Read(FirewallMethods.Ban, call).Value)),
            "firewall.unban" => RpcWriter.Result(
                id, FirewallMethods.Unban, new FirewallUnbanResult { Removed = 1 }),
            "firewall.bans" => ListBans(id, RpcParameters.Read(FirewallMethods.Bans, call).Value),
            "firewall.stats" => RpcWriter.Result(id, FirewallMethods.Stats, SampleFirewall.Stats),
            "firewall.events" => Events(id),
            "firewall.test" => Test(id, RpcParameters.Read(FirewallMethods.Test, call).Value),
            _ => null,
        };
    }

    private static byte[] Change(ReadOnlySpan<byte> id, int? confirmSeconds, int? number) =>
        RpcWriter.Result(
            id, FirewallRuleMethods.Add, SampleFirewall.Change(confirmSeconds, number));

    private byte[] Replace(ReadOnlySpan<byte> id, int? confirmSeconds, DescriptorSet descriptors)
    {
        using OwnedFd file = descriptors.Take(0).Value;
        RuleTextInUse = Encoding.UTF8.GetString(ReadAll(file));
        return Change(id, confirmSeconds, null);
    }

    private byte[] Export(ReadOnlySpan<byte> id, DescriptorSet descriptors)
    {
        using OwnedFd file = descriptors.Take(0).Value;
        byte[] text = Encoding.UTF8.GetBytes(RuleTextInUse);
        WriteTo(file, text);
        return RpcWriter.Result(id, FirewallRuleMethods.Export, new FirewallRuleExportResult
        {
            Generation = 7,
            Bytes = text.Length,
        });
    }

    private byte[] ListRules(ReadOnlySpan<byte> id, FirewallRuleListParameters list)
    {
        var page = new FirewallRulePage(list.Limit ?? PageMax);
        foreach (FirewallRule rule in SampleFirewall.Rules.Skip(list.After ?? 0))
        {
            if (!page.TryAdd(rule))
            {
                break;
            }
        }

        return RpcWriter.Result(
            id, FirewallRuleMethods.List, page.Build(7, SampleFirewall.Rules.Count));
    }

    private byte[] ListBans(ReadOnlySpan<byte> id, FirewallBansParameters list)
    {
        FirewallBan[] left =
        [
            .. SampleFirewall.Bans.Where(ban =>
                list.After is null || string.CompareOrdinal(ban.Address, list.After) > 0),
        ];
        return RpcWriter.Result(id, FirewallMethods.Bans, new FirewallBansResult
        {
            Bans = [.. left.Take(PageMax)],
            Total = SampleFirewall.Bans.Count,
            Next = left.Length > PageMax ? left[PageMax - 1].Address : null,
        });
    }

    private byte[] Events(ReadOnlySpan<byte> id) =>
        EventPages.TryDequeue(out IReadOnlyList<FirewallEvent>? page)
            ? RpcWriter.Result(
                id, FirewallMethods.Events, new FirewallEventsResult { Events = page, Next = 9 })
            : RpcWriter.Error(id, new Fault(FaultCode.BadState, "the firewall was stopped"));

    private static byte[] Test(ReadOnlySpan<byte> id, FirewallTestParameters test) =>
        RpcWriter.Result(id, FirewallMethods.Test, new FirewallTestResult
        {
            Verdicts = [.. test.Frames.Select(SampleFirewall.Verdict)],
        });
}
