using System.Net.Sockets;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: what the manual tells an operator to type does what it says, to real packets. Method: the
/// commands of docs/firewall.md, one after the other, against a running appliance.
/// </summary>
public sealed class FirewallOperatorTests
{
    [SkippableFact]
    public void The_manual_works_line_by_line()
    {
        using GuardedAppliance guarded = new(rules: "");
        using Socket open = guarded.Hosts.Listen(
            Xdp.Tests.TwoHosts.Guarded4, GuardedAppliance.OpenPort);
        using Socket closed = guarded.Hosts.Listen(
            Xdp.Tests.TwoHosts.Guarded4, GuardedAppliance.ClosedPort);
        guarded.Start();
        guarded.Hosts.Await(closed);
        string folder = Path.Combine(guarded.Appliance.Directory, "mine");
        Directory.CreateDirectory(Path.Combine(folder, "lists"));
        string rules = Path.Combine(folder, "rules.fw");

        File.WriteAllText(Path.Combine(folder, "lists", "a"), "198.51.100.1/24 ; wrong\n");
        File.WriteAllText(
            rules,
            "default deny\nset bad = include \"lists\"\ndeny from @bad name bad\n"
                + $"allow udp port {GuardedAppliance.OpenPort} name open\n");
        CommandResult wrong = guarded.Appliance.Run("firewall", "rule", "replace", rules);
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("lists/a:1:1: '198.51.100.1/24' has host bits", wrong.Error);
        Assert.True(guarded.Hosts.Arrives(closed));

        File.WriteAllText(Path.Combine(folder, "lists", "a"), "198.51.100.0/24\n");
        Assert.StartsWith(
            "no errors: 2 rules, 1 prefix, ", Do(guarded, "rule", "check", rules));
        Assert.Contains(
            "pangea firewall confirm", Do(guarded, "rule", "replace", rules, "--confirm", "2s"));
        Assert.False(guarded.Hosts.Arrives(closed));
        guarded.Appliance.WaitFor(
            "the rules before", () => !Do(guarded, "status").Contains("unconfirmed"));
        guarded.Hosts.Await(closed);

        Do(guarded, "rule", "replace", rules, "--confirm", "60s");
        Assert.StartsWith("confirmed: 2 rules, 1 prefix, ", Do(guarded, "confirm"));
        Assert.Equal(1, guarded.Appliance.Run("firewall", "confirm").ExitCode);
        guarded.Hosts.Await(open);
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.Matches(
            " +2 .* allow udp port 4009 name open\n", Do(guarded, "rule", "list"));
        Assert.Contains(" port 4007", Do(guarded, "events"));

        RulesOneByOne(guarded, open, closed);
        Leaves(guarded, folder, closed);
        Assert.Equal(0, guarded.Appliance.Stop());
    }

    private static void RulesOneByOne(GuardedAppliance guarded, Socket open, Socket closed)
    {
        Do(guarded, "rule", "add", "--at", "1", "allow", "udp", "port", "4007", "name", "more");
        guarded.Hosts.Await(closed);
        Assert.Contains("more", Do(
            guarded, "test", "-i", "guard", "--expect", "pass",
            "udp", "192.0.2.2 > 192.0.2.1:4007"));
        Assert.StartsWith(
            "removed rule 1, allow udp port 4007 name more: ", Do(guarded, "rule", "remove", "1"));
        Assert.False(guarded.Hosts.Arrives(closed));
        Assert.Contains("never decides", guarded.Appliance.Run(
            "firewall", "rule", "add", "deny", "from", "198.51.100.7").Error);

        Do(guarded, "ban", "192.0.2.2", "--for", "1h", "--comment", "for the test");
        Assert.False(guarded.Hosts.Arrives(open));
        Assert.Contains("for the test", Do(guarded, "bans"));
        Assert.Equal("took 1 ban back\n", Do(guarded, "unban", "192.0.2.2"));
        guarded.Hosts.Await(open);
        Assert.Equal(3, guarded.Appliance.Run("firewall", "unban", "192.0.2.2").ExitCode);
    }

    private static void Leaves(GuardedAppliance guarded, string folder, Socket closed)
    {
        string exported = Path.Combine(folder, "exported.fw");
        Do(guarded, "rule", "export", exported);
        Assert.Contains("set bad = 198.51.100.0/24\n", File.ReadAllText(exported));
        Do(guarded, "rule", "import", exported);
        Assert.Equal(File.ReadAllText(exported), Do(guarded, "rule", "export"));
        Assert.Equal("left guard\n", Do(guarded, "detach", "--all"));
        Assert.False(guarded.IsAttached());
        guarded.Hosts.Await(closed);
        Assert.Contains("warning: nothing drops packets of guard", Do(guarded, "status"));
    }

    private static string Do(GuardedAppliance guarded, params string[] words)
    {
        CommandResult done = guarded.Appliance.Run(["firewall", .. words]);
        Assert.True(
            done.ExitCode == 0,
            $"pangea firewall {string.Join(' ', words)}: {done.ExitCode}\n"
                + $"{done.Output}{done.Error}\n{guarded.Appliance.Log}");
        return done.Output;
    }
}
