using System.Text.Json;
using Pangea.DataPlane.Cli;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>Goal: what a person or a script sees of the commands about the firewall.</summary>
public sealed class FirewallCommandTests : IDisposable
{
    private readonly FakeAppliance _appliance = new();

    public void Dispose() => _appliance.Dispose();

    [Theory]
    [InlineData("status", "status")]
    [InlineData("rule list", "rule-list")]
    [InlineData("bans", "bans")]
    [InlineData("stats", "stats")]
    public void Texts_are_as_agreed(string command, string golden)
    {
        CommandLine run = CommandLine.Run(_appliance, ["firewall", .. command.Split(' ')]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Golden.Check(
            Golden.Text($"firewall-{golden}.txt"), SampleRecords.WithUtcTimes(run.Output));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("attach eth0")]
    [InlineData("detach eth0")]
    [InlineData("rule list")]
    [InlineData("rule add deny from 192.0.2.0/24")]
    [InlineData("rule remove bad")]
    [InlineData("rule remove 3")]
    [InlineData("rule export")]
    [InlineData("confirm")]
    [InlineData("rollback")]
    [InlineData("ban 192.0.2.1")]
    [InlineData("unban 192.0.2.1")]
    [InlineData("bans")]
    [InlineData("stats")]
    [InlineData("test udp 192.0.2.1>192.0.2.2:5")]
    public void Each_command_speaks_json(string command)
    {
        CommandLine run = CommandLine.Run(
            _appliance, ["fw", .. command.Split(' '), "--output", "json"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
    }

    [Fact]
    public void Pages_of_rules_and_bans_become_one_list()
    {
        _appliance.PageMax = 1;
        JsonElement rules = Json("rule", "list");
        Assert.Equal(4, rules.GetProperty("rules").GetArrayLength());
        Assert.False(rules.TryGetProperty("next", out _));
        Assert.Equal(2, Json("bans").GetProperty("bans").GetArrayLength());
        Assert.Contains(
            "firewall.rule.list {\"after\":2,\"generation\":7}", _appliance.FirewallCalls);
    }

    [Fact]
    public void A_rule_can_be_given_word_by_word()
    {
        CommandLine run = CommandLine.Run(
            _appliance, "firewall", "rule", "add", "--at", "1", "deny", "from", "192.0.2.0/24",
            "comment", "bad \"ones\"");
        Assert.Equal((0, "warning: rule 3 never decides\n"), (run.ExitCode, run.Error));
        Assert.StartsWith("added rule 4: 4 rules, 100,005 prefixes, generation 8\n", run.Output);
        using JsonDocument call = JsonDocument.Parse(_appliance.FirewallCalls[0][17..]);
        Assert.Equal(
            "deny from 192.0.2.0/24 comment \"bad \\\"ones\\\"\"",
            call.RootElement.GetProperty("text").GetString());
        Assert.Equal(1, call.RootElement.GetProperty("number").GetInt32());
    }

    [Fact]
    public void A_set_is_no_file_of_arguments()
    {
        Assert.Equal(0, Run("rule", "add", "deny", "from", "@office").ExitCode);
        Assert.Contains("\"text\":\"deny from @office\"", _appliance.FirewallCalls[0]);
    }

    [Fact]
    public void A_wrong_rule_is_shown_with_the_place()
    {
        _appliance.Failure = Fault.InvalidParameter(
            "text", "column 11: 'prot' is no field of a rule");
        CommandLine run = Run("rule", "add", "allow", "tcp", "prot", "22");
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.Equal(
            "    allow tcp prot 22\n              ^\n"
                + "pangea: column 11: 'prot' is no field of a rule\n",
            run.Error);
    }

    [Fact]
    public void A_number_is_removed_in_the_generation_it_was_looked_up_in()
    {
        CommandLine run = Run("rule", "remove", "2");
        Assert.StartsWith("removed rule 2, allow tcp from @office port 22 name ssh: ", run.Output);
        Assert.Equal(
            "firewall.rule.remove {\"number\":2,\"generation\":7}", _appliance.FirewallCalls[1]);
        Run("rule", "remove", "ssh");
        Assert.Equal("firewall.rule.remove {\"name\":\"ssh\"}", _appliance.FirewallCalls[2]);
    }

    [Fact]
    public void A_change_to_be_confirmed_says_how()
    {
        Write("rules.fw", "default deny\n");
        CommandLine run = Run("rule", "replace", PathOf("rules.fw"), "--confirm", "5m");
        Assert.Equal((0, "warning: rule 3 never decides\n"), (run.ExitCode, run.Error));
        Assert.Matches(
            "^replaced the rules: 4 rules, .*\nnot confirmed: the "
                + "rules before come back at .*, in 5 min 00 s, unless you run\n"
                + "  pangea firewall confirm\n$",
            run.Output);
        Assert.Equal(
            "firewall.rule.replace {\"checkOnly\":false,\"confirmSeconds\":300}",
            _appliance.FirewallCalls[0]);
    }

    [Fact]
    public void Replaced_rules_bring_their_lists_and_come_back_by_export()
    {
        Directory.CreateDirectory(PathOf("lists"));
        Write("lists/b", "192.0.2.0/24\n");
        Write("lists/a", "# a\n198.51.100.0/24\n");
        Write("rules.fw", "set bad = include lists\ndeny from @bad\n");
        Assert.Equal(0, Run("rule", "import", PathOf("rules.fw")).ExitCode);
        const string expected =
            "default allow\nset bad = 198.51.100.0/24 192.0.2.0/24\ndeny from @bad\n";
        Assert.Equal(expected, _appliance.RuleTextInUse);
        Assert.Equal(expected, Run("rule", "export").Output);
        string saved = PathOf("saved.fw");
        Assert.Equal("", Run("rule", "export", saved).Output);
        Assert.Equal(0, Run("rule", "check", saved).ExitCode);
        Assert.Equal(expected, File.ReadAllText(saved));
    }

    [Fact]
    public void All_errors_of_a_file_are_shown_and_nothing_is_sent()
    {
        Write("list", "10.0.0.1/8\n");
        Write("rules.fw", "default maybe\n\tallow tcp prot 22\nset x = include list\n");
        string file = PathOf("rules.fw");
        CommandLine run = Run("rule", "replace", file);
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.Equal(
            $"""
            {file}:1:9: expected allow or deny
                default maybe
                        ^
            {file}:2:12: 'prot' is no field of a rule
                 allow tcp prot 22
                           ^
            {PathOf("list")}:1:1: '10.0.0.1/8' has host bits, did you mean 10.0.0.0/8?
                10.0.0.1/8
                ^
            pangea: 3 errors in {file}

            """.ReplaceLineEndings("\n"),
            run.Error);
        Assert.Empty(_appliance.FirewallCalls);
        CommandLine json = Run("rule", "check", file, "--json");
        using JsonDocument errors = JsonDocument.Parse(json.Error);
        Assert.Equal(3, errors.RootElement.GetProperty("errors").GetArrayLength());
    }

    [Fact]
    public void A_check_needs_no_appliance_and_warns()
    {
        Write("rules.fw", "allow from 10.0.0.0/8\ndeny from 10.1.0.0/16 name in\ndeny on none0\n");
        CommandLine run = CommandLine.Run("firewall", "rule", "check", PathOf("rules.fw"));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Matches(
            "^no errors: 3 rules, 2 prefixes, compiled .*\n"
                + "warning: there is no interface none0 on this machine\n"
                + "warning: rule 2 \\(deny from 10.1.0.0/16 name in\\) never decides: "
                + "rule 1 \\(allow from 10.0.0.0/8\\) comes first and does something else\n$",
            run.Output);
    }

    [Fact]
    public void A_file_that_is_not_there_is_said_to_be()
    {
        CommandLine run = Run("rule", "check", PathOf("none"));
        Assert.Equal(ExitCodes.BadFile, run.ExitCode);
        Assert.StartsWith($"pangea: no file {PathOf("none")}\n", run.Error);
        Assert.Equal(ExitCodes.BadFile, Run("rule", "check", _appliance.Directory).ExitCode);
    }

    [Theory]
    [InlineData("ban 10.0.0.0/8", "deny from 10.0.0.0/8")]
    [InlineData("ban 2001:db8::/32", "deny from 2001:db8::/32")]
    [InlineData("ban 192.0.2.1/24", "did you mean 192.0.2.0/24")]
    [InlineData("ban nobody", "'nobody' is not")]
    [InlineData("ban 192.0.2.1 --for soon", "\"soon\" is no length of a ban")]
    [InlineData("unban", "name addresses, or say --all")]
    [InlineData("unban 192.0.2.1 --all", "name addresses, or say --all")]
    [InlineData("detach", "name one interface, or say --all")]
    [InlineData("rule add deny --confirm never", "\"never\" is no time to confirm within")]
    [InlineData("rule remove x --confirm 2d", "2d is too long a time to confirm within")]
    [InlineData("attach eth0 --mode fast", "fast")]
    public void What_cannot_be_is_refused_before_any_call(string command, string message)
    {
        CommandLine run = Run(command.Split(' '));
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.Contains(message, run.Error);
        Assert.Empty(_appliance.FirewallCalls);
    }

    [Fact]
    public void Bans_have_an_end_or_none()
    {
        CommandLine run = Run("ban", "192.0.2.1", "2001:db8:1:2::/64", "--for", "10m");
        Assert.StartsWith("banned 192.0.2.1, until 20", run.Output);
        Assert.Contains("banned 2001:db8:1:2::/64, until 20", run.Output);
        Assert.Equal(
            "firewall.ban {\"address\":\"192.0.2.1\",\"forSeconds\":600}",
            _appliance.FirewallCalls[0]);
        Assert.Equal(
            "banned 192.0.2.1, until it is taken back\n", Run("ban", "192.0.2.1").Output);
        Assert.Equal("took 2 bans back\n", Run("unban", "192.0.2.1", "192.0.2.2").Output);
    }

    [Fact]
    public void Events_are_followed_until_the_appliance_ends()
    {
        _appliance.EventPages.Enqueue([SampleFirewall.Event(1, "rule")]);
        _appliance.EventPages.Enqueue([]);
        _appliance.EventPages.Enqueue([SampleFirewall.Event(2, "malformed")]);
        CommandLine run = Run("events", "--follow");
        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.EndsWith(
            "  eth0        drop       rule 3 ssh            60 bytes, tcp syn from 192.0.2.1 "
                + "port 4000 to 198.51.100.1 port 22",
            lines[0]);
        Assert.Contains("malformed vlan-depth", lines[1]);
        Assert.Equal("firewall.events {\"after\":9}", _appliance.FirewallCalls[1]);
    }

    [Fact]
    public void Events_without_follow_end_with_the_last()
    {
        _appliance.EventPages.Enqueue([SampleFirewall.Event(1, "ban")]);
        _appliance.EventPages.Enqueue([]);
        CommandLine run = Run("events", "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        using JsonDocument each = JsonDocument.Parse(run.Output);
        Assert.Equal("ban", each.RootElement.GetProperty("reason").GetString());
    }

    [Fact]
    public void What_the_appliance_refuses_has_its_exit_code()
    {
        _appliance.Failure = new Fault(
            FaultCode.BadState, "the firewall is off", "write a section `firewall:`");
        CommandLine run = Run("ban", "192.0.2.1");
        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Equal(
            "pangea: the firewall is off\nhint: write a section `firewall:`\n", run.Error);
        _appliance.Failure = new Fault(FaultCode.NotFound, "no rule has the name 'x'");
        Assert.Equal(ExitCodes.NotFound, Run("rule", "remove", "x").ExitCode);
    }

    private CommandLine Run(params string[] args) =>
        CommandLine.Run(_appliance, ["firewall", .. args]);

    private JsonElement Json(params string[] args)
    {
        using JsonDocument json = JsonDocument.Parse(Run([.. args, "--json"]).Output);
        return json.RootElement.Clone();
    }

    private string PathOf(string name) => Path.Combine(_appliance.Directory, name);

    private void Write(string name, string text) => File.WriteAllText(PathOf(name), text);
}
