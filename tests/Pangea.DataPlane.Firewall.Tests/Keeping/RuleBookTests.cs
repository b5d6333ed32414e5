using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Keeping;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;

namespace Pangea.DataPlane.Firewall.Tests.Keeping;

public sealed class RuleBookTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan s_time = TimeSpan.FromSeconds(30);
    private readonly List<CompiledPolicy> _applied = [];
    private Fault? _refuse;

    [Fact]
    public void Adds_and_removes_by_name_and_number()
    {
        RuleBook book = Open("allow udp name a");
        Assert.True(book.Add(Rule("deny tcp name b"), 1, s_now).IsOk);
        Assert.True(book.Add(Rule("deny icmp"), null, s_now).IsOk);
        Assert.Equal(["deny tcp name b", "allow udp name a", "deny icmp"], Texts(book));
        Assert.Equal(FaultCode.Exists, book.Add(Rule("allow name a"), null, s_now).Fault?.Code);
        Assert.Equal("number", book.Add(Rule("allow"), 5, s_now).Fault?.Field);
        Assert.Equal(FaultCode.NotFound, book.Remove("c", s_now).Fault?.Code);
        Assert.Equal(FaultCode.NotFound, book.Remove(4, book.Generation, s_now).Fault?.Code);
        Assert.Equal(
            FaultCode.BadState, book.Remove(1, book.Generation - 1, s_now).Fault?.Code);
        Assert.True(book.Remove("a", s_now).IsOk);
        Assert.True(book.Remove(2, book.Generation, s_now).IsOk);
        Assert.Equal(["deny tcp name b"], Texts(book));
        Assert.Same(_applied[^1], book.Policy);
    }

    [Fact]
    public void What_is_not_confirmed_in_time_is_taken_back()
    {
        RuleBook book = Open("allow udp");
        Assert.True(book.Add(Rule("deny tcp"), 1, s_now, s_time).IsOk);
        Assert.True(book.Add(Rule("deny icmp"), 1, s_now, s_time).IsOk);
        Assert.Equal(FaultCode.BadState, book.Add(Rule("allow"), 1, s_now).Fault?.Code);
        Assert.False(book.Tick(s_now + s_time - TimeSpan.FromSeconds(1)).Value);
        Assert.Equal(s_now + s_time, book.NextDue);
        Assert.True(book.Tick(s_now + s_time).Value);
        Assert.Equal(["allow udp"], Texts(book));
        Assert.Null(book.ConfirmBefore);
        Assert.False(book.Tick(s_now + s_time).Value);
    }

    [Fact]
    public void What_is_confirmed_stays()
    {
        RuleBook book = Open("allow udp");
        Assert.Equal(FaultCode.BadState, book.Confirm().Fault?.Code);
        Assert.True(book.Add(Rule("deny tcp"), 1, s_now, s_time).IsOk);
        Assert.True(book.Confirm().IsOk);
        Assert.False(book.Tick(s_now + (2 * s_time)).Value);
        Assert.Equal(["deny tcp", "allow udp"], Texts(book));
    }

    [Fact]
    public void What_the_executor_refuses_changes_nothing()
    {
        RuleBook book = Open("allow udp");
        ulong generation = book.Generation;
        _refuse = new Fault(FaultCode.NoSpace, "no room");
        Assert.Equal(FaultCode.NoSpace, book.Add(Rule("deny tcp"), 1, s_now, s_time).Fault?.Code);
        Assert.Equal((generation, null), (book.Generation, book.ConfirmBefore));
        Assert.Equal(["allow udp"], Texts(book));
    }

    [Fact]
    public void A_return_that_fails_is_tried_again()
    {
        RuleBook book = Open("allow udp");
        Assert.True(book.Add(Rule("deny tcp"), 1, s_now, s_time).IsOk);
        _refuse = new Fault(FaultCode.Io, "not now");
        Assert.False(book.Tick(s_now + s_time).IsOk);
        Assert.NotNull(book.ConfirmBefore);
        _refuse = null;
        Assert.True(book.Tick(s_now + s_time).Value);
        Assert.Equal(["allow udp"], Texts(book));
    }

    [Fact]
    public void A_rule_leaves_when_it_expires()
    {
        RuleBook book = Open("deny udp expires 2026-01-01T00:01:00Z\nallow");
        Assert.Equal(2, book.Policy.Rules.Count);
        Assert.Equal(s_now.AddMinutes(1), book.NextDue);
        Assert.True(book.Tick(s_now.AddMinutes(1)).Value);
        Assert.Single(book.Policy.Rules);
        Assert.Null(book.NextDue);
    }

    [Fact]
    public void A_clock_that_was_wrong_brings_rules_back()
    {
        // Goal: a machine that starts with a clock years ahead loses no rule for good.
        RuleBook book = Open("deny udp expires 2026-01-01T00:01:00Z\nallow");
        DateTimeOffset ahead = s_now.AddYears(9);
        Assert.True(book.Policy.IsDue(ahead));
        Assert.True(book.Tick(ahead).Value);
        Assert.Single(book.Policy.Rules);
        Assert.False(book.Policy.IsDue(ahead));
        Assert.True(book.Policy.IsDue(s_now));
        Assert.True(book.Tick(s_now).Value);
        Assert.Equal(2, book.Policy.Rules.Count);
        Assert.False(book.Tick(s_now).Value);
    }

    [Fact]
    public void An_interface_that_comes_back_is_known_by_its_new_index()
    {
        RuleBook book = Open("deny on lan0");
        Assert.Single(book.Policy.Warnings);
        Dictionary<string, uint> interfaces = new() { ["lan0"] = 7 };
        Assert.True(book.SetInterfaces(interfaces, s_now).IsOk);
        Assert.Empty(book.Policy.Warnings);
        Assert.Empty(book.Policy.FreshSlots);
    }

    private static Rule Rule(string text) =>
        RuleText.ParseRule(text, new Dictionary<string, PrefixSet>()).Value;

    private static string[] Texts(RuleBook book) => [.. book.Set.Rules.Select(RuleText.Print)];

    private RuleBook Open(string text) => RuleBook.Open(
        RuleText.Parse(text, "test").Set!, SlotTable.Empty, new Dictionary<string, uint>(), s_now,
        policy =>
        {
            if (_refuse is Fault fault)
            {
                return fault;
            }

            _applied.Add(policy);
            return Result.Ok;
        }).Value;
}
