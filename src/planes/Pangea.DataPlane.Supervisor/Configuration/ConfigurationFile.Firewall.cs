using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Network;
using Pangea.DataPlane.Xdp;
using YamlDotNet.RepresentationModel;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <content>The section <c>firewall</c>. Only with it the supervisor keeps privilege.</content>
public sealed partial class ConfigurationFile
{
    private FirewallSettings Firewall
    {
        get => _values.Firewall ?? new FirewallSettings();
        set => _values = _values with { Firewall = value };
    }

    private void ReadFirewall(YamlNode node)
    {
        // An empty section switches it on as well: rules and interfaces may come by calls.
        Firewall = new FirewallSettings();
        if (node is not YamlScalarNode { Value: null or "" or "~" or "null" })
        {
            ReadMapping(node, "firewall", ReadFirewall);
        }
    }

    private bool ReadFirewall(string key, YamlNode value)
    {
        switch (key)
        {
            case "rules":
                ReadText(value, key, text =>
                    Firewall = Firewall with { RulesPath = FullPath(text) });
                return true;
            case "interfaces":
                ReadMapping(value, "firewall.interfaces", ReadInterface);
                return true;
            case "bansMax":
                ReadEntries(value, key, Limits.FirewallBansMax, parsed =>
                    Firewall = Firewall with { BansMax = parsed });
                return true;
            case "rateSourcesMax":
                ReadEntries(value, key, Limits.FirewallBansMax, parsed =>
                    Firewall = Firewall with { RateSourcesMax = parsed });
                return true;
            case "onStop":
                ReadParsed(value, key, ParseOnStop, parsed =>
                    Firewall = Firewall with { KeepsOnStop = parsed });
                return true;
            default:
                return false;
        }
    }

    /// <summary><c>eth0: native</c>, or <c>eth0: { mode: native, force: true }</c>.</summary>
    private bool ReadInterface(string name, YamlNode value)
    {
        if (!NetworkInterfaces.IsName(name))
        {
            Error(value, $"\"{name}\" is no name of an interface: 1 to "
                + $"{NetworkInterfaces.NameBytesMax} characters without blanks, / and :");
            return true;
        }

        if (Firewall.Interfaces.Count == Limits.FirewallInterfacesMax)
        {
            Error(value, $"more than {Limits.FirewallInterfacesMax} interfaces");
            return true;
        }

        var at = new GuardedInterface(name, AttachChoice.Best, Force: false);
        if (value is YamlMappingNode)
        {
            ReadMapping(value, $"firewall.interfaces.{name}", (key, node) =>
            {
                switch (key)
                {
                    case "mode":
                        ReadParsed(node, key, FirewallSettings.ParseChoice, parsed =>
                            at = at with { Choice = parsed });
                        return true;
                    case "force":
                        ReadParsed(node, key, ParseFlag, parsed =>
                            at = at with { Force = parsed });
                        return true;
                    default:
                        return false;
                }
            });
        }
        else
        {
            ReadParsed(value, name, FirewallSettings.ParseChoice, parsed =>
                at = at with { Choice = parsed });
        }

        Firewall = Firewall with { Interfaces = [.. Firewall.Interfaces, at] };
        return true;
    }

    private void ReadEntries(YamlNode node, string key, int max, Action<int> take) => ReadParsed(
        node, key, text => ConfigurationValues.ParseEntries(text, max), take);

    private static Result<bool> ParseFlag(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ => Fault.InvalidParameter("flag", $"\"{text}\" is neither true nor false"),
    };

    private static Result<bool> ParseOnStop(string text) => text switch
    {
        "keep" => true,
        "detach" => false,
        _ => Fault.InvalidParameter("onStop", $"\"{text}\" is neither keep nor detach"),
    };
}
