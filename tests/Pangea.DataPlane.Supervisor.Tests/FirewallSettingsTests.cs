using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>The section <c>firewall</c> of the configuration.</summary>
public sealed class FirewallSettingsTests
{
    [Fact]
    public void Is_off_without_the_section_and_on_with_an_empty_one()
    {
        Assert.Null(Parse("state: /var/lib/pangea").Value.Firewall);
        FirewallSettings settings = Parse("firewall:\n").Value.Firewall!;
        Assert.Empty(settings.Interfaces);
        Assert.Null(settings.RulesPath);
        Assert.True(settings.KeepsOnStop);
        Assert.Equal(FirewallSettings.BansMaxDefault, settings.Options.Bans4Max);
    }

    [Fact]
    public void Reads_every_key()
    {
        FirewallSettings settings = Parse(
            """
            firewall:
              rules: firewall.rules
              interfaces:
                eth0:
                  mode: generic
                  force: true
                wlan0: native
                br-lan.7: { mode: userspace }
              bansMax: 2048
              rateSourcesMax: 4096
              onStop: detach
            """).Value.Firewall!;
        Assert.Equal("/etc/pangea/firewall.rules", settings.RulesPath);
        Assert.Equal(
            [
                new GuardedInterface("eth0", AttachChoice.Generic, true),
                new GuardedInterface("wlan0", AttachChoice.Native, false),
                new GuardedInterface("br-lan.7", AttachChoice.UserSpace, false),
            ],
            settings.Interfaces);
        Assert.Equal((2048, 4096, false),
            (settings.BansMax, settings.RateSourcesMax, settings.KeepsOnStop));
    }

    [Fact]
    public void Says_everything_that_is_wrong_with_its_line()
    {
        Result<ConfigurationValues> wrong = Parse(
            """
            firewall:
              rules: [a]
              interfaces:
                eth0: fast
                eth1: { mode: native, forced: true }
                eth2: { force: perhaps }
                name-of-sixteen-: auto
                a/b: auto
              bansMax: 5
              rateSourcesMax: many
              onStop: maybe
              colour: red
            """);
        Assert.Equal(FaultCode.InvalidParameters, wrong.Fault!.Code);
        string[] lines = wrong.Fault.Message.Split('\n');
        Assert.Equal(
            [2, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            lines.Select(line => int.Parse(line.Split(':')[1])));
        Assert.Contains("none of auto, native, generic, userspace", lines[1]);
        Assert.Contains("unknown key \"forced\"", lines[2]);
        Assert.Contains("from 1024 to", lines[6]);
    }

    [Fact]
    public void A_reload_changes_all_but_sizes_and_the_section_itself()
    {
        ApplianceConfiguration old = Complete("firewall: { interfaces: { eth0: auto } }");
        ApplianceConfiguration next = Complete(
            "firewall: { rules: r, interfaces: { eth1: auto }, onStop: detach, bansMax: 2048 }");
        Assert.Equal(
            [
                ("firewall.rules", "now"), ("firewall.interfaces", "now"),
                ("firewall.onStop", "now"), ("firewall.bansMax", "start"),
            ],
            ConfigurationDiff.Between(old, next).Select(each => (each.Key, each.Effect)));
        FirewallSettings applied = ConfigurationDiff.Apply(old, next).Firewall!;
        Assert.Equal("eth1", applied.Interfaces.Single().Name);
        Assert.Equal(FirewallSettings.BansMaxDefault, applied.BansMax);

        ApplianceConfiguration without = Complete("");
        Assert.Equal(
            [("firewall", "start")],
            ConfigurationDiff.Between(without, next).Select(each => (each.Key, each.Effect)));
        Assert.Null(ConfigurationDiff.Apply(without, next).Firewall);
        Assert.NotNull(ConfigurationDiff.Apply(old, without).Firewall);
    }

    private static Result<ConfigurationValues> Parse(string text) =>
        ConfigurationFile.Parse("/etc/pangea/pangea.yaml", text);

    private static ApplianceConfiguration Complete(string text) =>
        ApplianceConfiguration.Complete(Parse(text).Value).Value;
}
