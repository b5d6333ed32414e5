using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Generating;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Tests.Text;

public sealed class RuleTextTests
{
    private const string Everything = """
        # What a careful operator writes.
        default deny
        default allow on lan0, lan1   # two at once
        malformed allow vlan-depth
        set peers = 192.0.2.0/24, 2001:db8::/32
        set peers += 198.51.100.7
        set blocked = include "lists/blocked.txt"
        pin from @peers comment "the control plane"
        limit udp port 53 rate 1k/s burst 2k per source/24/56 ban 10m after 50 in 10s
        limit tcp syn bytes 10m/s rate 100/s ban forever after 3 in 500ms exact
        deny from @blocked name blocked priority 5
        allow tcp from @peers,203.0.113.9 port 22,8000-8100 on eth0 vlan 10 inner-vlan none owner o
        allow to 10.0.0.1 comment "say \"ssh\"" expires 2026-12-31T00:00:00Z
        allow icmp type echo,3,unreachable/4
        allow icmpv6 type echo monitor
        deny fragment any
        deny proto 99
        deny non-ip
        """;

    [Fact]
    public void Reads_every_field()
    {
        RuleSet set = Parse(Everything, Include);
        Assert.Equal(RuleAction.Deny, set.Default);
        Assert.Equal(["lan0", "lan1"], set.InterfaceDefaults.Keys.Order());
        Assert.Equal(
            RuleSet.MalformedAll & ~(1u << (int)MalformedKind.VlanDepth), set.MalformedDrop);
        Assert.Equal(3, set.Sets["peers"].Prefixes.Count);
        Assert.Equal(2, set.Sets["blocked"].Included.Count);
        Assert.Equal(10, set.Rules.Count);
        Rule dns = set.Rules[0];
        Assert.Equal(new Rate(1000, TimeSpan.FromSeconds(1), 2000), dns.Limit!.Packets);
        Assert.Equal((PolicyScope.Source, 24, 56),
            (dns.Limit.Scope, dns.Limit.Prefix4, dns.Limit.Prefix6));
        Assert.Equal(
            new BanAfter(TimeSpan.FromMinutes(10), 50, TimeSpan.FromSeconds(10)), dns.Limit.Ban);
        Rule ssh = set.Rules[3];
        Assert.Equal([new PortRange(22, 22), new PortRange(8000, 8100)], ssh.DestinationPorts);
        Assert.Equal((10, Rule.Untagged), (ssh.Vlan, ssh.InnerVlan));
        Assert.Equal("say \"ssh\"", set.Rules[4].Comment);
        Assert.Equal(
            new DateTimeOffset(2026, 12, 31, 0, 0, 0, TimeSpan.Zero), set.Rules[4].Expires);
        Assert.Equal(
            [new IcmpType(8), new IcmpType(3), new IcmpType(3, 4)], set.Rules[5].IcmpTypes);
        Assert.Equal([new IcmpType(128)], set.Rules[6].IcmpTypes);
    }

    [Fact]
    public void The_canonical_text_parses_back_to_itself()
    {
        string text = RuleText.Print(Parse(Everything, Include));
        Assert.Equal(text, RuleText.Print(Parse(text, Include)));
    }

    [Fact]
    public void Random_rule_sets_survive_their_text() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(200),
            Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
            {
                RuleSet made = new RuleSetGenerator(new Random(seed)).Next(30);
                RuleSet set = made with
                {
                    Rules = [.. made.Rules.Where(rule => RuleCheck.Error(rule) is null)],
                };
                string text = RuleText.Print(set);
                RuleSet read = Parse(text);
                Assert.Equal(text, RuleText.Print(read));
                Assert.Equal(
                    set.Rules.Select(rule => rule.Identity),
                    read.Rules.Select(rule => rule.Identity));
                Assert.Equal(
                    set.Rules.Select(rule => rule.Limit), read.Rules.Select(rule => rule.Limit));
                return true;
            }));

    [Fact]
    public void Reports_all_errors_with_line_and_column()
    {
        const string Text = """
            default maybe
            allow from 10.0.0.1/8
            alow tcp
            allow tcp port 70000
            deny from @nobody
            allow tcp tcp
            allow udp syn
            deny rate 5/s
            limit udp
            allow icmp type fruit,3/256
            set a = 1.2.3.4 1.2.3 5.6.7.8/33
            allow from 10.0.0.0/8 to 2001:db8::/32
            allow comment "open
            allow on averyveryverylongname
            allow port 80 extra
            allow name x
            deny name x
            """;
        RuleTextResult result = RuleText.Parse(Text, "fw.rules");
        Assert.Null(result.Set);
        Assert.Equal(
            [
                "fw.rules:1:9: expected allow or deny",
                "fw.rules:2:12: '10.0.0.1/8' has host bits, did you mean 10.0.0.0/8?",
                "fw.rules:3:1: 'alow' begins no statement; expected allow, deny, limit, default, "
                    + "malformed, monitor, set or pin",
                "fw.rules:4:16: '70000' is no port or range of 0..65535",
                "fw.rules:5:11: there is no set 'nobody'",
                "fw.rules:6:11: the protocol was given before",
                "fw.rules:7:1: syn needs tcp",
                "fw.rules:8:1: a deny rule has no rate; allow with a rate drops what is over it",
                "fw.rules:9:1: a limit rule needs a rate",
            ],
            result.Errors.Take(9).Select(error => error.ToString()));
        Assert.Equal(
            [10, 11, 11, 12, 13, 14, 15, 17], result.Errors.Skip(9).Select(error => error.Line));
    }

    [Fact]
    public void Errors_in_an_included_list_name_its_file()
    {
        RuleTextResult result = RuleText.Parse(
            "set b = include \"lists\"\ndeny from @b", "fw.rules",
            _ => new ListFile[] { new("lists/a.txt", "10.0.0.0/8 ; fine\n\n 10.0.0.1/8\nx") });
        Assert.Equal(
            ["lists/a.txt:3:2", "lists/a.txt:4:1"],
            result.Errors.Select(error => $"{error.Source}:{error.Line}:{error.Column}"));
    }

    [Fact]
    public void A_list_that_cannot_be_read_is_an_error_of_its_line()
    {
        RuleTextResult result = RuleText.Parse(
            "\nset b = include \"gone\"", "fw.rules",
            path => new Fault(FaultCode.NotFound, $"there is no '{path}'"));
        Assert.Equal("fw.rules:2:17: there is no 'gone'", Assert.Single(result.Errors).ToString());
    }

    [Fact]
    public void Any_text_is_read_or_refused()
    {
        // Goal: hostile text. Pieces of valid statements in any order, cut anywhere.
        Random random = new(11);
        string[] words = Everything.Split(' ', '\n', ',');
        for (int i = 0; i < 5000; i++)
        {
            string text = string.Join(
                random.Next(6) == 0 ? '\n' : ' ',
                Enumerable.Range(0, random.Next(1, 12)).Select(_ =>
                    words[random.Next(words.Length)]));
            text = text[..random.Next(text.Length + 1)];
            RuleTextResult result = RuleText.Parse(text, "x", Include);
            Assert.True(result.Set is null == (result.Errors.Count > 0), text);
        }
    }

    [Fact]
    public void Reads_one_rule_for_a_call()
    {
        Dictionary<string, PrefixSet> sets = new() { ["a"] = new("a", [], [], []) };
        Assert.False(RuleText.ParseRule("", sets).IsOk);
        Assert.True(RuleText.ParseRule("deny from @a", sets).IsOk);
        Fault? fault = RuleText.ParseRule("deny from @b", sets).Fault;
        Assert.Equal(("rule", FaultCode.InvalidParameters), (fault?.Field, fault!.Code));
        Assert.False(RuleText.ParseRule("deny\nallow", sets).IsOk);
    }

    private static Result<IReadOnlyList<ListFile>> Include(string path) =>
        new ListFile[] { new(path, "# list\n203.0.113.0/24\n2001:db8:bad::/48 # why\n") };

    private static RuleSet Parse(
        string text, Func<string, Result<IReadOnlyList<ListFile>>>? include = null)
    {
        RuleTextResult result = RuleText.Parse(text, "test", include);
        Assert.True(result.Set is not null, string.Join('\n', result.Errors));
        return result.Set!;
    }
}
